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
  /** Bytes, of a blob or a manifest. */
  readonly size?: number;
  /** Bytes of the blobs that a manifest lists itself, where it lies in its item. */
  readonly imageBytes?: number;
  /** The manifest with which it stays or goes. */
  readonly owner?: Digest;
  /** For people: `no manifest uses it since …`. */
  readonly reason: string;
  /** Which policy, and which of its rules, from 0, lets it go. */
  readonly policy?: string;
  readonly rule?: number;
  /** Its place among the `of` that the rule counts, from 1. */
  readonly rank?: number;
  readonly of?: number;
  /** How long it has been where it is, or has belonged to nothing. */
  readonly ageMs?: number;
  /** Milliseconds since 1970; absent where it was not looked up, or it never was. */
  readonly lastPulledAt?: number;
}
