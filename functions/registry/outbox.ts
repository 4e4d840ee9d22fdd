import type { Digest } from '../oci/digest.ts';
import type { ObjectKey } from '../storage/blob-store.ts';
import { equals, type Item, type Key, type Operation } from '../storage/table.ts';
import { isDue, OUTBOX_SHARDS, outbox, outboxKey } from './keys.ts';
import type { Registry } from './registry.ts';
import { leaveBehind, type Replaced } from './replacement.ts';

// Every object key enters the outbox before a byte is written there, and leaves it in the transaction that
// makes the object reachable. So whatever dies half-way leaves nothing behind that is not on this list.

/** Puts an object on the list: it is deleted once `due` (milliseconds) has passed, unless `rescue` comes first. `digest` is
 *  that of its bytes, where it was linked: so a purge finds it. */
export function discard(objectKey: ObjectKey, due: number, digest?: Digest): Operation {
  const attributes = { objectKey, state: 'waiting', ...(digest !== undefined && { digest }) };
  return { put: outboxKey(objectKey, due), attributes };
}

/** Puts an object on the list whose place another one has taken. Until `due` some may still name it. */
export function discardReplaced({ objectKey, ...was }: Replaced, due: number): Operation {
  return { put: outboxKey(objectKey, due), attributes: { objectKey, state: 'waiting', was } };
}

/** Takes an object off the list. Loses against a drain that has begun to delete it. */
export function rescue(objectKey: ObjectKey, due: number): Operation {
  return { remove: outboxKey(objectKey, due), when: [equals('state', 'waiting')] };
}

/** What could not be deleted, an object or a whole shard of the list, and why. */
type Failure = readonly [what: string, why: unknown];

/** Deletes at once the objects on the list that have one of these digests, and answers which. Their entries stay until they are due:
 *  a client that may write to the store itself could come once more. */
export async function deleteWaiting(
  { table, blobs }: Registry,
  digests: ReadonlySet<Digest>,
): Promise<readonly ObjectKey[]> {
  const deleted: ObjectKey[] = [];
  for (const shard of OUTBOX_SHARDS) {
    let after: string | undefined;
    do {
      const range = { ...outbox(shard), limit: DRAIN_BATCH, ...(after !== undefined && { after }) };
      const items = await table.query(range);
      const meant = items.filter((item) => digestsIn(item).some((digest) => digests.has(digest)));
      if (meant.length > 0) await blobs.delete(meant.map(objectKeyIn));
      deleted.push(...meant.map(objectKeyIn));
      after = items.length < DRAIN_BATCH ? undefined : items.at(-1)?.key.sort;
    } while (after !== undefined);
  }
  return deleted;
}

/** Of what was linked, or what another object has replaced. */
function digestsIn(item: Item): Digest[] {
  const own = item.attributes['digest'] as Digest | undefined;
  return [...(own === undefined ? [] : [own]), ...replacedIn(item).map(({ digest }) => digest)];
}

/** How many of them a message names; the next drain finds them all again. */
const NAMED = 20;

/** Objects that could not be deleted; the others were, and the next drain tries these again. */
class DrainFailed extends Error {
  override readonly name = 'DrainFailed';

  constructor(failures: readonly Failure[]) {
    const named = failures.slice(0, NAMED).map(([what, why]) => `${what}: ${reasonOf(why)}`);
    const more = failures.length > NAMED ? `; and ${failures.length - NAMED} more` : '';
    super(`could not delete ${named.join('; ')}${more}`, { cause: failures[0]?.[1] });
  }
}

const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Deletes the objects whose time has come, and returns how many. May die at any step and be run again;
 *  several may run at once. One that cannot go keeps no other from going, and then fails the drain. */
export async function drainOutbox(registry: Registry): Promise<number> {
  const failures: Failure[] = [];
  let deleted = 0;
  for (const shard of OUTBOX_SHARDS) {
    try {
      deleted += await drainShard(registry, shard, failures);
    } catch (error) {
      failures.push([`the objects of shard ${shard}`, error]);
    }
  }
  if (failures.length > 0) throw new DrainFailed(failures);
  return deleted;
}

const DRAIN_BATCH = 100;

async function drainShard(registry: Registry, shard: string, failures: Failure[]): Promise<number> {
  let deleted = 0;
  let after: string | undefined;
  for (;;) {
    const range = { ...outbox(shard), limit: DRAIN_BATCH, ...(after !== undefined && { after }) };
    const items = await registry.table.query(range);
    const due = items.filter((item) => isDue(item, registry.now()));
    deleted += await deleteObjects(registry, due, failures);
    after = due.at(-1)?.key.sort;
    if (due.length < DRAIN_BATCH) return deleted;
  }
}

/** Claims, deletes, forgets, in this order: a claimed object can no longer be rescued. Nothing names what is deleted: where a
 *  push died that healed a blob, the rest of its links are moved now. */
async function deleteObjects(
  registry: Registry,
  items: readonly Item[],
  failures: Failure[],
): Promise<number> {
  const { table, blobs } = registry;
  const claimed = await claim(table, items);
  const gone = await deleteEach(blobs, await leaveEach(registry, claimed, failures), failures);
  await Promise.all(gone.map(({ key }) => table.write([{ remove: key }])));
  return gone.length;
}

/** Those that nothing names any more. */
async function leaveEach(registry: Registry, items: readonly Item[], failures: Failure[]): Promise<Item[]> {
  const left: Item[] = [];
  for (const item of items) {
    try {
      for (const replaced of replacedIn(item)) await leaveBehind(registry, replaced);
      left.push(item);
    } catch (error) {
      failures.push([objectKeyIn(item), error]);
    }
  }
  return left;
}

/** Together where the store can; else each for itself. What cannot go stays claimed, and on the list. */
async function deleteEach(
  blobs: Registry['blobs'],
  items: readonly Item[],
  failures: Failure[],
): Promise<readonly Item[]> {
  if (items.length === 0) return [];
  try {
    await blobs.delete(items.map(objectKeyIn));
    return items;
  } catch {
    // Told below, by each that fails alone.
  }
  const gone: Item[] = [];
  for (const item of items) {
    try {
      await blobs.delete([objectKeyIn(item)]);
      gone.push(item);
    } catch (error) {
      failures.push([objectKeyIn(item), error]);
    }
  }
  return gone;
}

const objectKeyIn = ({ attributes }: Item) => attributes['objectKey'] as ObjectKey;

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
