import { createSign } from 'node:crypto';
import { DOWNLOAD_URL_SECONDS } from '../../limits.ts';
import type { Digest } from '../../oci/digest.ts';
import type { ObjectKey } from '../blob-store.ts';

interface CdnUrlsOptions {
  /** The id of the public key at CloudFront. */
  readonly keyId: string;
  /** The private key (PEM), asked for once; where that fails, again with the next URL. */
  readonly readKey: () => Promise<string>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

interface Download {
  readonly objectKey: ObjectKey;
  readonly digest: Digest;
  /** As the client names it: the distribution may have several names. */
  readonly host: string;
}

/** Signed URLs of objects behind the registry's own CloudFront distribution, by a custom policy.
 *  https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-custom-policy.html */
export class CdnUrls {
  readonly #options: CdnUrlsOptions;
  #key: Promise<string> | undefined;

  constructor(options: CdnUrlsOptions) {
    this.#options = options;
  }

  /** Relative to the host, good there for `DOWNLOAD_URL_SECONDS`. The digest is for the answer to name, and part of what is
   *  signed, all of it without an asterisk. */
  async urlOf({ objectKey, digest, host }: Download): Promise<string> {
    const { keyId, now } = this.#options;
    const path = `/${objectKey}?digest=${digest}`;
    const Resource = `https://${host}${path}`;
    const DateLessThan = { 'AWS:EpochTime': Math.floor(now() / 1000) + DOWNLOAD_URL_SECONDS };
    const policy = JSON.stringify({ Statement: [{ Resource, Condition: { DateLessThan } }] });
    const signature = createSign('RSA-SHA1')
      .update(policy)
      .sign(await this.#privateKey());
    return `${path}&Policy=${encode(Buffer.from(policy))}&Signature=${encode(signature)}&Key-Pair-Id=${keyId}`;
  }

  #privateKey(): Promise<string> {
    this.#key ??= this.#options.readKey().catch((error) => {
      this.#key = undefined;
      throw error;
    });
    return this.#key;
  }
}

/** CloudFront's own way to make base64 fit a query. */
const encode = (bytes: Uint8Array) =>
  Buffer.from(bytes).toString('base64').replaceAll('+', '-').replaceAll('=', '_').replaceAll('/', '~');
