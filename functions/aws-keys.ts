import type { KeyPublication } from './auth/key-publication.ts';
import { SecretKeys, type SecretText } from './auth/secret-keys.ts';
import { Calls, type ClientOptions, type Environment, required, TIMEOUTS } from './aws-clients.ts';
import { keyPublications } from './aws-published-keys.ts';
import { ENV } from './environment.ts';

/** The signing keys in SSM, without a registry: for the job that rotates them. */
export interface AwsKeys {
  readonly keys: SecretKeys;
  /** Where copies of them have to be. */
  readonly publications: readonly KeyPublication[];
  /** Requests sent to AWS so far, repetitions included. */
  readonly callsMade: () => number;
}

/** A ring of keys is one small answer. */
const QUICK = { ...TIMEOUTS, socketTimeout: 3000 };

/** Builds the source of keys that the environment names; throws where the variable is missing. */
export function createAwsKeys(environment: Environment, options: ClientOptions = {}): AwsKeys {
  const calls = new Calls(options);
  const name = required(environment, ENV.signingKeys);
  const publications = keyPublications({ environment, calls });
  return { keys: ssmKeys({ environment, name, calls }), publications, callsMade: () => calls.made };
}

interface SsmOptions {
  readonly environment: Environment;
  /** Of the parameter. */
  readonly name: string;
  readonly calls: Calls;
}

/** The keys in the parameter `name`. */
export function ssmKeys(options: SsmOptions): SecretKeys {
  return new SecretKeys({ secret: ssmSecret(options), now: Date.now });
}

/** The text in the parameter `name`. SSM's client is loaded when it is first needed. */
export function ssmSecret({ environment, name, calls }: SsmOptions): SecretText {
  let opening: Promise<SecretText> | undefined;
  const open = async (): Promise<SecretText> => {
    const { ssmClient } = await import('./storage/ssm/ssm-client.ts');
    const { SsmParameter } = await import('./storage/ssm/ssm-parameter.ts');
    const client = ssmClient({ endpoint: environment[ENV.signingKeysEndpoint], requestHandler: QUICK });
    return new SsmParameter({ client: calls.of(client), name });
  };
  const parameter = () => {
    opening ??= open().catch((error) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
  return {
    read: async () => (await parameter()).read(),
    create: async (text) => (await parameter()).create(text),
    replace: async (text) => (await parameter()).replace(text),
  };
}
