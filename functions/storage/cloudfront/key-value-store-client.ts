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
  const client = new CloudFrontKeyValueStoreClient({ requestHandler });
  if (endpoint) sendTo(new URL(endpoint), client);
  return client;
}

/** Not by the client's own setting: it puts the account's number in front of any host, and of an address too. */
function sendTo({ protocol, hostname, port }: URL, client: CloudFrontKeyValueStoreClient): void {
  client.middlewareStack.add(
    (next) => (call) => {
      Object.assign(call.request as object, { protocol, hostname, port: Number(port) || undefined });
      return next(call);
    },
    { step: 'build', priority: 'high' },
  );
}
