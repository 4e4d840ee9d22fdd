import '@aws-sdk/signature-v4a'; // the only signature that CloudFront takes here; the client loads none by itself
import {
  CloudFrontKeyValueStoreClient,
  type CloudFrontKeyValueStoreClientConfig,
} from '@aws-sdk/client-cloudfront-keyvaluestore';

interface KeyValueStoreClientOptions {
  /** @default AWS's own, the same in every region */
  readonly endpoint?: string | undefined;
  readonly requestHandler: NonNullable<CloudFrontKeyValueStoreClientConfig['requestHandler']>;
}

export function keyValueStoreClient({ endpoint, requestHandler }: KeyValueStoreClientOptions) {
  const client = new CloudFrontKeyValueStoreClient({ ...(endpoint && { endpoint }), requestHandler });
  if (endpoint) useHostOf(endpoint, client);
  return client;
}

/** The client puts the account's number in front of every host, also of one that has no such name. */
function useHostOf(endpoint: string, client: CloudFrontKeyValueStoreClient): void {
  const { hostname } = new URL(endpoint);
  client.middlewareStack.add(
    (next) => (call) => {
      Object.assign(call.request as object, { hostname });
      return next(call);
    },
    { step: 'build', priority: 'high' },
  );
}
