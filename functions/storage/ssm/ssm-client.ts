import { SSMClient, type SSMClientConfig } from '@aws-sdk/client-ssm';

interface SsmClientOptions {
  /** @default AWS's own of the region */
  readonly endpoint?: string | undefined;
  readonly requestHandler: NonNullable<SSMClientConfig['requestHandler']>;
}

/** SSM answers 40 reads a second, which as many containers that start at once exceed: so it is asked a few times. */
const MAX_ATTEMPTS = 4;

export function ssmClient({ endpoint, requestHandler }: SsmClientOptions): SSMClient {
  return new SSMClient({ ...(endpoint && { endpoint }), requestHandler, maxAttempts: MAX_ATTEMPTS });
}
