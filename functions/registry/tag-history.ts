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

/** The last move of a tag until `at` (milliseconds, included); `undefined` where it was nowhere yet. */
export async function moveBefore(
  { table }: Registry,
  name: RepositoryName,
  tag: Tag,
  at: number,
): Promise<TagMove | undefined> {
  const range = { ...historyOf(name, tag), after: afterMovesUntil(tag, at), limit: 1 };
  const [found] = await table.query({ ...range, direction: 'descending' });
  return found && moveOf(found);
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
