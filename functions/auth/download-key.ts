import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import type { SecretText } from './secret-keys.ts';

/** What CloudFront takes for signed URLs.
 *  https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-trusted-signers.html */
const RSA_BITS = 2048;

export interface DownloadKey {
  /** PEM. */
  readonly publicKey: string;
  readonly isNew: boolean;
}

/** The public key of the downloads' private key (PEM), which is made where there is none. */
export async function downloadKeyIn(kept: SecretText, signal?: AbortSignal): Promise<DownloadKey> {
  const text = await kept.read();
  if (text !== undefined) return { publicKey: publicKeyOf(read(text)), isNew: false };
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: RSA_BITS });
  const isNew = await kept.create(privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, signal);
  return isNew ? { publicKey: publicKeyOf(privateKey), isNew } : downloadKeyIn(kept, signal);
}

function read(pem: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'rsa' && key.asymmetricKeyDetails?.modulusLength === RSA_BITS) return key;
  } catch {
    // Told below, in words that say what it is about.
  }
  throw new Error(`the key that downloads are signed with is not a private RSA key of ${RSA_BITS} bits`);
}

const publicKeyOf = (key: KeyObject) =>
  createPublicKey(key.export({ type: 'pkcs8', format: 'pem' })).export({
    type: 'spki',
    format: 'pem',
  }) as string;
