import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';
import type { Piece, RestorePlan } from './restore-plan.ts';

/** One tag or manifest, and what became of it, or in a dry run would. */
export interface Restored {
  readonly kind: 'tag' | 'manifest';
  /** Absent where `kind` is not `tag`. */
  readonly tag?: Tag;
  /** Absent where it is not known what the tag was on. */
  readonly digest?: Digest;
  /** `lost` is what cannot come back; `unchanged`, what was as it should be. */
  readonly outcome: 'restored' | 'unchanged' | 'lost';
  /** For people. */
  readonly reason: string;
}

/** A manifest that is to be there, and a tag that is to be on it. */
export interface Goal {
  readonly tag?: Tag | undefined;
  readonly digest: Digest;
  /** Milliseconds since 1970: as of when. @default when the manifest was deleted */
  readonly at?: number;
  /** Milliseconds since 1970: when the tag was put there, as its history says. @default never before */
  readonly taggedAt?: number | undefined;
}

/** What a plan brings back besides the tag it is for. */
export function entriesOf({ pieces, left }: RestorePlan): Restored[] {
  const buried = pieces.filter(({ isBuried }) => isBuried);
  const lost = left.map((entry): Restored => ({ kind: 'manifest', outcome: 'lost', ...entry }));
  return [...buried.map(manifestEntry), ...pieces.flatMap(tagEntries), ...lost];
}

const manifestEntry = ({ digest, reason }: Piece): Restored => ({
  kind: 'manifest',
  digest,
  outcome: 'restored',
  reason,
});

const tagEntries = ({ digest, tags }: Piece): Restored[] =>
  [...tags.keys()].map((tag) => ({
    kind: 'tag',
    tag,
    digest,
    outcome: 'restored',
    reason: 'it was deleted with what it is named after',
  }));

/** What became of the tag or the manifest that was asked for; `before` is what the tag was on. */
export function rootEntries(
  { pieces }: RestorePlan,
  { tag, digest }: Goal,
  before: Digest | undefined,
): Restored[] {
  if (tag === undefined) {
    const isTold = pieces.some((piece) => piece.isBuried && piece.digest === digest);
    return isTold ? [] : [{ kind: 'manifest', digest, outcome: 'unchanged', reason: 'it is not deleted' }];
  }
  if (before === digest)
    return [{ kind: 'tag', tag, digest, outcome: 'unchanged', reason: 'it is there already' }];
  const reason = before === undefined ? 'it was deleted' : `it was on ${before}`;
  return [{ kind: 'tag', tag, digest, outcome: 'restored', reason }];
}
