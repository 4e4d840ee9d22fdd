import { randomBytes } from 'node:crypto';
import { downloadKeyIn } from '../../functions/auth/download-key.ts';
import type { SecretText } from '../../functions/auth/secret-keys.ts';
import { ENV } from '../../functions/environment.ts';
import { secretHash } from '../../functions/front-door.ts';
import { type KvsServer, startKvs } from './kvs/server.ts';
import type { AwsStores } from './stores.ts';

/** What a deployment makes for the front door, besides the stores. */
export interface FrontParts {
  readonly kvs: KvsServer;
  readonly secret: string;
  /** Of signed URLs. */
  readonly downloads: { readonly id: string; readonly publicKey: string };
  /** The event that a rule of the stack, or a deployment, would send to rotate-keys. */
  publishKeys(): Promise<void>;
}

/** Where the stream host finds the signing keys, as in lib/blob-bucket.ts. */
export const KEYS_OBJECT = 'keys/signing-keys';

const DOWNLOAD_KEY = '/stowage/test/download-key';
const DOWNLOAD_KEY_ID = 'K2JCJMDEHXQW5F';

/** Makes them, as the stack does; what its functions are told goes into this process's environment. */
export async function deployFront(
  { environment, ssm }: AwsStores,
  downloads: 's3' | 'cdn',
): Promise<FrontParts> {
  const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = environment;
  const kvs = await startKvs({ credentials: { accessKeyId, secretAccessKey } });
  const secret = randomBytes(32).toString('base64url');
  const kept: SecretText = {
    read: async () => ssm.parameters.get(DOWNLOAD_KEY),
    create: async (text) => Boolean(ssm.parameters.set(DOWNLOAD_KEY, text)),
    replace: async (text) => void ssm.parameters.set(DOWNLOAD_KEY, text),
  };
  const { publicKey } = await downloadKeyIn(kept);
  Object.assign(process.env, environment, {
    [ENV.frontStoreEndpoint]: kvs.url.replace('127.0.0.1', 'localhost'), // the SDK puts an account's number before it
    [ENV.frontSecretHash]: secretHash(secret),
    [ENV.downloads]: downloads,
    [ENV.downloadKey]: DOWNLOAD_KEY,
    [ENV.downloadKeyId]: DOWNLOAD_KEY_ID,
  });
  const publishKeys = await rotation({
    [ENV.frontStore]: kvs.arn,
    [ENV.keysObject]: KEYS_OBJECT,
  });
  await publishKeys();
  return { kvs, secret, downloads: { id: DOWNLOAD_KEY_ID, publicKey }, publishKeys };
}

/** The function that rotates keys, in the environment that is its own: the others are not told where copies are. */
async function rotation(environment: Readonly<Record<string, string>>): Promise<() => Promise<void>> {
  Object.assign(process.env, environment);
  const { handler } = await import('../../functions/rotate-keys.ts'); // reads the environment when it is loaded
  for (const name of Object.keys(environment)) delete process.env[name];
  return async () => void (await handler(null, lambdaContext() as never));
}

/** As much of it as the functions read. */
export const lambdaContext = () => ({
  awsRequestId: randomBytes(8).toString('hex'),
  getRemainingTimeInMillis: () => 30_000,
});
