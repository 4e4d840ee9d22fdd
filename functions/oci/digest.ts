import { createHash, type Hash } from 'node:crypto';
import type { Algorithm, Digest } from './digest-grammar.ts';

export {
  type Algorithm,
  algorithmOf,
  CANONICAL,
  type Digest,
  isAlgorithm,
  parseDigest,
} from './digest-grammar.ts';

export function digestOf(algorithm: Algorithm, bytes: Uint8Array): Digest {
  return finishDigest(algorithm, createHash(algorithm).update(bytes));
}

/** The digest of everything `hash` was fed; `hash` itself can still be fed more. */
export function finishDigest(algorithm: Algorithm, hash: Hash): Digest {
  return `${algorithm}:${hash.copy().digest('hex')}` as Digest;
}
