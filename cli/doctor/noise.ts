import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { type Digest, finishDigest } from '../../functions/oci/digest.ts';

const PIECE_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(PIECE_BYTES);
/** Small enough that every early answer comes before the bulk is under way. */
const FIRST_PIECE_BYTES = 16 * 1024;

/** Bytes that nobody has seen before and that can be made again: a large blob that is never held in memory. */
export class Noise {
  readonly length: number;
  readonly #key = randomBytes(16);
  #digest: Digest | undefined;

  constructor(length: number) {
    this.length = length;
  }

  /** All of it, from the start, each time. */
  *pieces(): Generator<Buffer> {
    const cipher = createCipheriv('aes-128-ctr', this.#key, Buffer.alloc(16));
    let made = 0;
    while (made < this.length) {
      const size = made === 0 ? FIRST_PIECE_BYTES : PIECE_BYTES;
      const piece = cipher.update(ZEROS.subarray(0, Math.min(size, this.length - made)));
      made += piece.length;
      yield piece;
    }
  }

  bytes(): Buffer {
    return Buffer.concat([...this.pieces()]);
  }

  /** Found in a pass of its own. */
  get digest(): Digest {
    if (this.#digest) return this.#digest;
    const hash = createHash('sha256');
    for (const piece of this.pieces()) hash.update(piece);
    this.#digest = finishDigest('sha256', hash);
    return this.#digest;
  }
}
