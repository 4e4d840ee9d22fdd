import { SecretKeys, type SecretText } from './auth/secret-keys.ts';
import { type Calls, connections, type Environment, TIMEOUTS } from './aws-clients.ts';
import { ENV } from './environment.ts';

/** A ring of keys is one small answer. */
const QUICK = { ...TIMEOUTS, socketTimeout: 3000 };

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
    const client = ssmClient({
      endpoint: environment[ENV.signingKeysEndpoint],
      requestHandler: connections(environment, QUICK),
    });
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
    create: async (text, signal) => (await parameter()).create(text, signal),
    replace: async (text, signal) => (await parameter()).replace(text, signal),
  };
}
