import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';

/** What upkeep has decided about one thing in a repository, and why. */
export interface Finding {
  readonly action: 'delete' | 'keep';
  /** A `grave` is a deleted manifest that could be brought back, an `edge` what is left of a manifest that is gone or
   *  never came. */
  readonly kind: 'blob' | 'manifest' | 'tag' | 'grave' | 'edge';
  /** The tag's name; absent where `kind` is not `tag`. */
  readonly tag?: Tag;
  readonly digest: Digest;
  /** Bytes, of a blob. */
  readonly size?: number;
  /** For people: `no manifest uses it since …`. */
  readonly reason: string;
}
