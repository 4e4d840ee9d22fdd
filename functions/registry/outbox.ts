import type { ObjectKey } from '../storage/blob-store.ts';
import { equals, type Item, type Key, type Operation } from '../storage/table.ts';
import { isDue, OUTBOX_SHARDS, outbox, outboxKey } from './keys.ts';
import type { Registry } from './registry.ts';
import { leaveBehind, type Replaced } from './replacement.ts';

// Every object key enters the outbox before a byte is written there, and leaves it in the transaction that
// makes the object reachable. So whatever dies half-way leaves nothing behind that is not on this list.

/** Puts an object on the list: it is deleted once `due` (milliseconds) has passed, unless `rescue` comes first. */
export function discard(objectKey: ObjectKey, due: number): Operation {
  return { put: outboxKey(objectKey, due), attributes: { objectKey, state: 'waiting' } };
}

/** Puts an object on the list whose place another one has taken. Until `due` some may still name it. */
export function discardReplaced({ objectKey, ...was }: Replaced, due: number): Operation {
  return { put: outboxKey(objectKey, due), attributes: { objectKey, state: 'waiting', was } };
}

/** Takes an object off the list. Loses against a drain that has begun to delete it. */
export function rescue(objectKey: ObjectKey, due: number): Operation {
  return { remove: outboxKey(objectKey, due), when: [equals('state', 'waiting')] };
}

/** Deletes the objects whose time has come, and returns how many. May die at any step and be run again;
 *  several may run at once. */
export async function drainOutbox(registry: Registry): Promise<number> {
  let deleted = 0;
  for (const shard of OUTBOX_SHARDS) deleted += await drainShard(registry, shard);
  return deleted;
}

const DRAIN_BATCH = 100;

async function drainShard(registry: Registry, shard: string): Promise<number> {
  let deleted = 0;
  let after: string | undefined;
  for (;;) {
    const range = { ...outbox(shard), limit: DRAIN_BATCH, ...(after !== undefined && { after }) };
    const items = await registry.table.query(range);
    const due = items.filter((item) => isDue(item, registry.now()));
    deleted += await deleteObjects(registry, due);
    after = due.at(-1)?.key.sort;
    if (due.length < DRAIN_BATCH) return deleted;
  }
}

/** Claims, deletes, forgets, in this order: a claimed object can no longer be rescued. Nothing names what is deleted: where a
 *  push died that healed a blob, the rest of its links are moved now. */
async function deleteObjects(registry: Registry, items: readonly Item[]): Promise<number> {
  const { table, blobs } = registry;
  const claimed = await claim(table, items);
  if (claimed.length === 0) return 0;
  for (const replaced of claimed.flatMap(replacedIn)) await leaveBehind(registry, replaced);
  await blobs.delete(claimed.map(({ attributes }) => attributes['objectKey'] as ObjectKey));
  await Promise.all(claimed.map(({ key }) => table.write([{ remove: key }])));
  return claimed.length;
}

/** Together where nobody is in the way; else each for itself, and who is in the way wins. */
async function claim(table: Registry['table'], items: readonly Item[]): Promise<readonly Item[]> {
  const isClaimed = ({ attributes }: Item) => attributes['state'] === 'claimed';
  const claimed = items.filter(isClaimed); // by a drain that died; deleting twice does no harm
  const waiting = items.filter((item) => !isClaimed(item));
  const claims = waiting.map(({ key }) => claimOf(key));
  if (claims.length === 0 || (await table.write(claims)).committed) return items;
  for (const item of waiting) if ((await table.write([claimOf(item.key)])).committed) claimed.push(item);
  return claimed;
}

function replacedIn({ attributes: { objectKey, was } }: Item): Replaced[] {
  return was === undefined
    ? []
    : [{ ...(was as Omit<Replaced, 'objectKey'>), objectKey: objectKey as ObjectKey }];
}

const claimOf = (key: Key): Operation => ({
  update: key,
  set: { state: 'claimed' },
  when: [equals('state', 'waiting')],
});
