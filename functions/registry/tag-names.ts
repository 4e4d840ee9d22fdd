import { createHash } from 'node:crypto';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import type { Operation } from '../storage/table.ts';
import { tagNamesKey, tagNamesOf } from './keys.ts';
import type { Registry } from './registry.ts';

// A tag's item carries its manifest, so a list that read these would read, and pay for, all manifests. The names alone
// lie in a few items beside them: an attribute for each name, so that two pushes that add names to one item do not
// race. They change in the transaction in which the tag does.

/** Ours: items that the names of a repository are spread over. 20,000 tags are 100 of them in an item, and an item's
 *  400 KB hold some two million tags of 40 characters in all of them. */
const SHARDS = 256;

/** No attribute of the table itself begins so. */
const MARK = ':';

const shardOf = (tag: Tag) => createHash('sha256').update(tag).digest('hex').slice(0, 2);

/** The operations that enter the names of tags into the list or take them out, at most one for each. They belong into
 *  the transaction that does the same to the tags. */
export function renameOperations(
  name: RepositoryName,
  { added = [], removed = [] }: { added?: readonly Tag[]; removed?: readonly Tag[] },
): Operation[] {
  const shards = new Map<string, { set: Record<string, true>; unset: string[] }>();
  const changesOf = (tag: Tag) => {
    const shard = shardOf(tag);
    const changes = shards.get(shard) ?? { set: {}, unset: [] };
    shards.set(shard, changes);
    return changes;
  };
  for (const tag of added) changesOf(tag).set[MARK + tag] = true;
  for (const tag of removed) changesOf(tag).unset.push(MARK + tag);
  return [...shards].map(([shard, changes]) => ({ update: tagNamesKey(name, shard), ...changes }));
}

/** The names of all tags, in byte order. */
export async function readTagNames({ table }: Registry, name: RepositoryName): Promise<string[]> {
  const items = await table.query({ ...tagNamesOf(name), limit: SHARDS });
  const names = items.flatMap(({ attributes }) => Object.keys(attributes));
  return names.map((text) => text.slice(MARK.length)).sort();
}
