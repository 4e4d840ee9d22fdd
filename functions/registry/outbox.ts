import type { ObjectKey } from '../storage/blob-store.ts';
import { equals, type Item, type Key, type Operation } from '../storage/table.ts';
import { isDue, OUTBOX_SHARDS, outbox, outboxKey } from './keys.ts';
import type { Registry } from './registry.ts';

// Every object key enters the outbox before a byte is written there, and leaves it in the transaction that
// makes the object reachable. So whatever dies half-way leaves nothing behind that is not on this list.

/** Puts an object on the list: it is deleted once `due` (milliseconds) has passed, unless `rescue` comes first. */
export function discard(objectKey: ObjectKey, due: number): Operation {
  return { put: outboxKey(objectKey, due), attributes: { objectKey, state: 'waiting' } };
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
    for (const item of due) deleted += await drainItem(registry, item);
    after = due.at(-1)?.key.sort;
    if (due.length < DRAIN_BATCH) return deleted;
  }
}

/** Claims, deletes, forgets, in this order: a claimed object can no longer be rescued. */
async function drainItem({ table, blobs }: Registry, { key, attributes }: Item): Promise<number> {
  if (!(await claim(table, key, attributes['state'] as string))) return 0;
  await blobs.delete(attributes['objectKey'] as ObjectKey);
  await table.write([{ remove: key }]);
  return 1;
}

async function claim(table: Registry['table'], key: Key, state: string): Promise<boolean> {
  if (state === 'claimed') return true; // by a drain that died; deleting twice does no harm
  const { committed } = await table.write([
    { update: key, set: { state: 'claimed' }, when: [equals('state', 'waiting')] },
  ]);
  return committed;
}
