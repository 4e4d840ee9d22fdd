import { createHash, type Hash } from 'node:crypto';
import type { Algorithm } from '../functions/oci/digest.ts';
import type { ObjectKey } from '../functions/storage/blob-store.ts';

/** The hash of an upload's first `offset` bytes. */
export interface LiveHash {
  readonly algorithm: Algorithm;
  readonly offset: number;
  readonly hash: Hash;
}

/** More uploads than this at once, and the eldest are hashed from the file when they close. */
const MAX_LIVE_HASHES = 1024;

/** The hashes of uploads under way, so that their bytes need not be read again. Only what the registry has acknowledged
 *  is remembered: bytes that were written and not committed are no part of an upload. */
export class LiveHashes {
  readonly #live = new Map<ObjectKey, LiveHash>();

  /** A hash that has seen the first `offset` bytes and is the caller's own; `undefined` where none is known. */
  resume(objectKey: ObjectKey, offset: number, algorithm: Algorithm): LiveHash | undefined {
    if (offset === 0) return { algorithm, offset, hash: createHash(algorithm) };
    const live = this.#live.get(objectKey);
    return live?.offset === offset ? { ...live, hash: live.hash.copy() } : undefined;
  }

  remember(objectKey: ObjectKey, live: LiveHash): void {
    this.#live.delete(objectKey);
    this.#live.set(objectKey, live);
    const [eldest] = this.#live.keys();
    if (this.#live.size > MAX_LIVE_HASHES && eldest) this.#live.delete(eldest);
  }

  forget(objectKey: ObjectKey): void {
    this.#live.delete(objectKey);
  }
}
