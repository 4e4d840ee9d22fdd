import { createHash, timingSafeEqual } from 'node:crypto';
import type { UploadTokens } from './auth/upload-tokens.ts';
import { FRONT_HEADERS } from './environment.ts';
import { denied, type RegistryError } from './oci/errors.ts';

/** Where a request comes from, which only the host knows. */
export interface Sender {
  /** Its network address. */
  readonly address: string;
  /** How it reached the registry. */
  readonly scheme: 'http' | 'https';
  /** What it named as host. @default the Host of the request */
  readonly host?: string;
  /** What the host's log calls the request; its answer carries it. @default it has none */
  readonly requestId?: string;
  /** Why the host does not take the request. @default it does */
  readonly refused?: RegistryError;
}

/** The one way in, where the registry stands behind a front door. */
export class FrontDoor {
  /** Makes the tokens of uploads that may go past the registry; absent where nobody signs any. */
  readonly uploads: UploadTokens | undefined;
  readonly #hashes: readonly Buffer[];

  /** Takes the SHA-256 of a secret in base64url; of several, with a comma between, each is good. */
  constructor({ hashes, uploads }: { readonly hashes: string; readonly uploads?: UploadTokens | undefined }) {
    this.uploads = uploads;
    this.#hashes = hashes
      .split(',')
      .map((hash) => Buffer.from(hash, 'base64url'))
      .filter(({ length }) => length === HASH_BYTES);
  }

  /** Who sent the request, by the front door's word; `undefined` where it did not come that way, and nothing that it
   *  says of itself is to be believed. */
  senderOf({ headers }: Request): Sender | undefined {
    const sent = hashOf(headers.get(FRONT_HEADERS.secret) ?? '');
    if (!this.#hashes.some((hash) => timingSafeEqual(sent, hash))) return undefined;
    const host = headers.get(FRONT_HEADERS.host);
    return {
      address: headers.get(FRONT_HEADERS.address) ?? 'unknown',
      scheme: 'https', // the front door takes nothing else
      ...(host !== null && { host }),
    };
  }
}

/** For who is not to get in elsewhere. */
export function goToFrontDoor(publicUrl: string | undefined): RegistryError {
  const address = publicUrl === undefined ? '' : `, ${publicUrl}`;
  return denied(
    `use the address of the registry's front door${address}; this one is for the front door itself`,
  );
}

const HASH_BYTES = 32;

/** As the registry is told of a secret. */
export const secretHash = (secret: string) => hashOf(secret).toString('base64url');

const hashOf = (text: string) => createHash('sha256').update(text).digest();
