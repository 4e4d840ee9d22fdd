import { createHash } from 'node:crypto';
import { repositoryFull } from '../oci/quota-errors.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { type Item, ItemTooLarge, type Operation, type Outcome } from '../storage/table.ts';
import { inTurns, type Steps, sortedInSteps } from './in-turns.ts';
import { tagNamesKey, tagNamesOf } from './keys.ts';
import type { Registry } from './registry.ts';

// A tag's item carries its manifest, so a list that read these would read, and pay for, all manifests. The names alone lie
// in a few items beside them, each with a set of names: two pushes that add to one set do not race. They change in the
// transaction in which the tag does.

/** Ours: items that the names of a repository are spread over. 20,000 tags are 100 of them in an item, and an item's
 *  400 KB hold some two million tags of 40 characters in all of them. */
const SHARDS = 256;

const shardOf = (tag: Tag) => createHash('sha256').update(tag).digest('hex').slice(0, 2);

/** The operations that enter names of tags into the list, or take names out of it: at most one for each. They belong into
 *  the transaction that does the same to the tags. */
export function renameOperations(
  name: RepositoryName,
  { added = [], removed = [] }: { added?: readonly Tag[]; removed?: readonly Tag[] },
): Operation[] {
  return [...byShard(added, 'include', name), ...byShard(removed, 'exclude', name)];
}

function byShard(tags: readonly Tag[], change: 'include' | 'exclude', name: RepositoryName): Operation[] {
  const shards = Object.entries(Object.groupBy(tags, shardOf));
  return shards.map(([shard, names = []]) => ({
    update: tagNamesKey(name, shard),
    [change]: { names },
    add: { changes: 1 },
  }));
}

/** As `table.write`, of what renames tags; DENIED where the list has no room for them. */
export async function writeNames(
  { table }: Registry,
  name: RepositoryName,
  operations: readonly Operation[],
): Promise<Outcome> {
  try {
    return await table.write(operations);
  } catch (error) {
    // Nothing else that a push writes grows with what is there already.
    throw error instanceof ItemTooLarge ? repositoryFull(name) : error;
  }
}

/** The names of all tags past `last`, in byte order. */
export async function readTagNames(
  registry: Registry,
  name: RepositoryName,
  last: string,
): Promise<readonly string[]> {
  const items = await registry.table.query({ ...tagNamesOf(name), limit: SHARDS });
  return inTurns(registry, namesIn(items, last));
}

function* namesIn(items: readonly Item[], last: string): Steps<readonly string[]> {
  const names: string[] = [];
  for (const { attributes } of items) {
    for (const name of (attributes['names'] as readonly string[] | undefined) ?? [])
      if (name > last) names.push(name);
    yield;
  }
  return yield* sortedInSteps(names, (a, b) => (a < b ? -1 : Number(a > b)));
}
