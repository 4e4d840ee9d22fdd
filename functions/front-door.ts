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
  readonly #secrets: readonly Buffer[];

  /** Several secrets have a comma between them: each is good. */
  constructor({ secret, uploads }: { readonly secret: string; readonly uploads?: UploadTokens | undefined }) {
    this.uploads = uploads;
    this.#secrets = secret.split(',').filter(Boolean).map(hashOf);
  }

  /** Who sent the request, by the front door's word; `undefined` where it did not come that way, and nothing that it
   *  says of itself is to be believed. */
  senderOf({ headers }: Request): Sender | undefined {
    // Hashes are of one length, whatever was sent.
    const sent = hashOf(headers.get(FRONT_HEADERS.secret) ?? '');
    if (!this.#secrets.some((secret) => timingSafeEqual(sent, secret))) return undefined;
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

const hashOf = (text: string) => createHash('sha256').update(text).digest();
