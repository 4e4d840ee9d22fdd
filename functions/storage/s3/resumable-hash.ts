import { createSHA256, createSHA512, type IHasher } from 'hash-wasm';
import type { Algorithm, Digest } from '../../oci/digest.ts';

/** A hash whose state survives from one Lambda call to the next. Slower than `node:crypto` by a factor of
 *  about five, which has no state to save. */
export class ResumableHash {
  readonly #algorithm: Algorithm;
  readonly #hasher: IHasher;

  private constructor(algorithm: Algorithm, hasher: IHasher) {
    this.#algorithm = algorithm;
    this.#hasher = hasher;
  }

  /** A hash of nothing yet, or one that goes on where `saved` was. A state of another build of the library,
   *  which an upload that is older than a deployment may have, is refused with an error. */
  static async resume(algorithm: Algorithm, saved?: Uint8Array): Promise<ResumableHash> {
    const hasher = await (algorithm === 'sha256' ? createSHA256() : createSHA512());
    hasher.init();
    return new ResumableHash(algorithm, saved ? hasher.load(saved) : hasher);
  }

  update(bytes: Uint8Array): void {
    this.#hasher.update(bytes);
  }

  save(): Uint8Array {
    return this.#hasher.save();
  }

  /** The digest of all bytes so far; nothing can be added after it. */
  digest(): Digest {
    return `${this.#algorithm}:${this.#hasher.digest('hex')}` as Digest;
  }
}
