import { KeyPublication, type PublishedText } from './auth/key-publication.ts';
import type { SecretKeys } from './auth/secret-keys.ts';
import { encodeKeyRing } from './auth/signing-keys.ts';
import { Calls, type ClientOptions, connections, type Environment, required } from './aws-clients.ts';
import { ssmKeys } from './aws-keys.ts';
import { type Aws, lazyText, objectText, QUICK } from './aws-published-keys.ts';
import { ENV, FRONT_STORE_KEY } from './environment.ts';
import { encodeFrontValue } from './front-value.ts';

/** The signing keys in SSM, without a registry: for the job that rotates them. */
export interface AwsKeys {
  readonly keys: SecretKeys;
  /** Where copies of them have to be. */
  readonly publications: readonly KeyPublication[];
  /** Requests sent to AWS so far, repetitions included. */
  readonly callsMade: () => number;
}

/** Builds the source of keys that the environment names; throws where the variable is missing. */
export function createAwsKeys(environment: Environment, options: ClientOptions = {}): AwsKeys {
  const calls = new Calls(options);
  const name = required(environment, ENV.signingKeys);
  const publications = keyPublications({ environment, calls });
  return { keys: ssmKeys({ environment, name, calls }), publications, callsMade: () => calls.made };
}

/** Wherever the environment says that copies of the signing keys are: with the front door, with the stream host. */
function keyPublications(aws: Aws): readonly KeyPublication[] {
  const { environment } = aws;
  const publications: KeyPublication[] = [];
  const arn = environment[ENV.frontStore];
  if (arn) publications.push(new KeyPublication({ copy: frontText(aws, arn), encode: encodeFrontValue }));
  const key = environment[ENV.keysObject];
  if (key) publications.push(new KeyPublication({ copy: objectText(aws, key), encode: encodeKeyRing }));
  return publications;
}

function frontText({ environment, calls }: Aws, arn: string): PublishedText {
  return lazyText(`the front door's store ${arn}`, async () => {
    const { keyValueStoreClient } = await import('./storage/cloudfront/key-value-store-client.ts');
    const { KeyValueText } = await import('./storage/cloudfront/key-value-text.ts');
    const endpoint = environment[ENV.frontStoreEndpoint];
    const client = keyValueStoreClient({ endpoint, requestHandler: connections(environment, QUICK) });
    return new KeyValueText({ client: calls.of(client), arn, key: FRONT_STORE_KEY });
  });
}
