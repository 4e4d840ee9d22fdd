import { createSHA256, createSHA512, type IHasher } from 'hash-wasm';
import type { Algorithm, Digest } from '../../oci/digest.ts';

/** To make one takes longer than to hash a small blob. All hashes of an algorithm take turns at one, each with its own
 *  state; nothing waits between a turn's beginning and its end. */
const hashers: Partial<Record<Algorithm, Promise<IHasher>>> = {};

function hasherOf(algorithm: Algorithm): Promise<IHasher> {
  hashers[algorithm] ??= algorithm === 'sha256' ? createSHA256() : createSHA512();
  return hashers[algorithm];
}

/** A hash whose state survives from one Lambda call to the next. Slower than `node:crypto` by a factor of
 *  about five, which has no state to save. */
export class ResumableHash {
  readonly #algorithm: Algorithm;
  readonly #hasher: IHasher;
  #state: Uint8Array;

  private constructor(algorithm: Algorithm, hasher: IHasher, saved?: Uint8Array) {
    this.#algorithm = algorithm;
    this.#hasher = hasher;
    this.#state = (saved ? hasher.load(saved) : hasher.init()).save();
  }

  /** A hash of nothing yet, or one that goes on where `saved` was. A state of another build of the library,
   *  which an upload that is older than a deployment may have, is refused with an error. */
  static async resume(algorithm: Algorithm, saved?: Uint8Array): Promise<ResumableHash> {
    return new ResumableHash(algorithm, await hasherOf(algorithm), saved);
  }

  update(bytes: Uint8Array): void {
    this.#state = this.#hasher.load(this.#state).update(bytes).save();
  }

  save(): Uint8Array {
    return this.#state;
  }

  digest(): Digest {
    return `${this.#algorithm}:${this.#hasher.load(this.#state).digest('hex')}` as Digest;
  }
}
