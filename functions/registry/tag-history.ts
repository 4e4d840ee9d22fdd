import type { Digest } from '../oci/digest.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import type { Item } from '../storage/table.ts';
import { afterHistoryOf, afterMovesUntil, historiesOf, historyOf, movedAtIn, movedTagIn } from './keys.ts';
import type { Registry } from './registry.ts';

/** One move of a tag; without a digest, its deletion. */
export interface TagMove {
  /** ISO 8601. */
  readonly at: string;
  readonly digest?: Digest;
  readonly by?: string;
}

const MAX_MOVES = 100;

/** The last moves of a tag, the newest first; also of one that is deleted. Empty where there never was such a tag. */
export async function tagHistory({ table }: Registry, name: RepositoryName, tag: Tag): Promise<TagMove[]> {
  const range = { ...historyOf(name, tag), limit: MAX_MOVES, direction: 'descending' } as const;
  return (await table.query(range)).map(moveOf);
}

/** Where a tag was. */
export interface TagPlace {
  readonly digest: Digest;
  /** Milliseconds since 1970: when it was put there, the last time, or was first where it was restored. */
  readonly taggedAt: number;
  /** Milliseconds since 1970: when it moved on or was deleted; absent where it is there. */
  readonly leftAt?: number;
}

/** Where a tag was at a moment (milliseconds); `undefined` where it was nowhere. */
export async function placeAt(
  { table }: Registry,
  name: RepositoryName,
  tag: Tag,
  at: number,
): Promise<TagPlace | undefined> {
  const range = { ...historyOf(name, tag), after: afterMovesUntil(tag, at), limit: 1 };
  const [came] = await table.query({ ...range, direction: 'descending' });
  const [went] = await table.query(range);
  return placeOf(came, went, at);
}

/** The last place of a tag that is deleted; `undefined` where it never was. */
export async function lastPlaceOf(
  { table }: Registry,
  name: RepositoryName,
  tag: Tag,
): Promise<TagPlace | undefined> {
  const range = { ...historyOf(name, tag), limit: MAX_MOVES, direction: 'descending' } as const;
  const moves = await table.query(range);
  // What happens within a millisecond is in no order there.
  const isPlace = ({ attributes }: Item) => attributes['digest'] !== undefined;
  return placeOf(
    moves.find(isPlace),
    moves.find((move) => !isPlace(move)),
  );
}

/** When the tag was last put on the manifest (milliseconds since 1970), as far as its last hundred moves tell. */
export async function lastTaggedOn(
  { table }: Registry,
  name: RepositoryName,
  tag: Tag,
  digest: Digest,
): Promise<number | undefined> {
  const range = { ...historyOf(name, tag), limit: MAX_MOVES, direction: 'descending' } as const;
  const moves = await table.query(range);
  const index = moves.findIndex(({ attributes }) => attributes['digest'] === digest);
  return index < 0 ? undefined : placeOf(moves[index], moves[index - 1])?.taggedAt;
}

/** When the tag, which is not on the manifest, last left it (milliseconds since 1970); `undefined` where its history does not say
 *  that it was there. */
export async function leftAt(
  { table }: Registry,
  name: RepositoryName,
  tag: Tag,
  digest: Digest,
): Promise<number | undefined> {
  let went: Item | undefined;
  let after: string | undefined;
  for (;;) {
    const range = { ...historyOf(name, tag), limit: MAX_MOVES, direction: 'descending' } as const;
    const moves = await table.query({ ...range, ...(after !== undefined && { after }) });
    for (const move of moves) {
      if (move.attributes['digest'] === digest) return went && Date.parse(movedAtIn(went));
      went = move;
    }
    if (moves.length < MAX_MOVES) return undefined;
    after = moves.at(-1)?.key.sort;
  }
}

/** `went` is the move that came next. A tag may have been put again where it was, which is no move, but is noted by that one. */
function placeOf(
  came: Item | undefined,
  went?: Item,
  until = Number.POSITIVE_INFINITY,
): TagPlace | undefined {
  const { digest, datesFrom } = came?.attributes ?? {};
  if (!came || digest === undefined) return undefined;
  const was = went?.attributes['was'] as number | undefined;
  const first = (datesFrom as number | undefined) ?? Date.parse(movedAtIn(came));
  return {
    digest: digest as Digest,
    taggedAt: was !== undefined && was <= until ? was : first,
    ...(went && { leftAt: Date.parse(movedAtIn(went)) }),
  };
}

const READ_AT_ONCE = 100;

/** Every tag that there is or was, in byte order, from behind `last`. */
export async function* tagsEver(
  { table }: Registry,
  name: RepositoryName,
  last?: string,
): AsyncGenerator<Tag> {
  let after = last === undefined ? undefined : afterHistoryOf(last);
  for (;;) {
    const range = { ...historiesOf(name), limit: READ_AT_ONCE, keysOnly: true };
    const items = await table.query({ ...range, ...(after !== undefined && { after }) });
    const tags = new Set(items.map(movedTagIn));
    yield* tags;
    const end = [...tags].at(-1);
    if (end === undefined || items.length < READ_AT_ONCE) return;
    after = afterHistoryOf(end); // however often that tag was moved
  }
}

function moveOf(item: Item): TagMove {
  const { digest, by } = item.attributes;
  return {
    at: movedAtIn(item),
    ...(digest !== undefined && { digest: digest as Digest }),
    ...(by !== undefined && { by: by as string }),
  };
}
