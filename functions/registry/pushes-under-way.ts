import type { RepositoryName } from '../oci/reference.ts';
import {
  type Attributes,
  type Condition,
  equals,
  type Key,
  MAX_OPERATIONS,
  type Operation,
} from '../storage/table.ts';
import { pushesOf } from './keys.ts';
import type { Registry } from './registry.ts';

// A push of a manifest that is not there yet has an item of its own while it is under way. It commits on condition that this
// is as it was left, and takes it away; whoever removes what the push relies on takes it away before.

/** What of `pushes` fits into a transaction beside what it removes, once those beyond are ended; `undefined` where the mark was taken
 *  off, or one of them has gone on: then the delete looks again. */
export async function endBeside(
  { table }: Registry,
  marked: { readonly key: Key; readonly mark: Condition },
  pushes: readonly Operation[],
  room: number,
): Promise<readonly Operation[] | undefined> {
  // Whoever may push can have left thousands: to look again after each hundred would take longer than a delete has.
  for (let start = room; start < pushes.length; start += MAX_OPERATIONS - 1) {
    const batch = pushes.slice(start, start + MAX_OPERATIONS - 1);
    const { committed } = await table.write([{ check: marked.key, when: [marked.mark] }, ...batch]);
    if (!committed) return undefined;
  }
  return pushes.slice(0, room);
}

/** Ends a push that is still under way: it starts again, and finds what has changed. */
export function endPush(key: Key, found: Attributes | undefined): Operation[] {
  if (!found) return [];
  const { push, touched } = found;
  return [{ remove: key, when: [equals('push', push as string), equals('touched', touched as number)] }];
}

/** Ends all pushes that were last touched in an epoch up to `horizon`, whoever sweeps what was touched until then; answers whether
 *  there are others. */
export async function endOldPushes(
  registry: Registry,
  name: RepositoryName,
  horizon: number,
): Promise<'none' | 'some'> {
  let left: 'none' | 'some' = 'none';
  for (let after: string | undefined; ; ) {
    const range = { ...pushesOf(name), limit: MAX_OPERATIONS, ...(after !== undefined && { after }) };
    const pushes = await registry.table.query(range);
    const old = pushes.filter(({ attributes }) => (attributes['touched'] as number) <= horizon);
    await removeEach(
      registry,
      old.flatMap(({ key, attributes }) => endPush(key, attributes)),
    );
    if (old.length < pushes.length) left = 'some';
    if (pushes.length < MAX_OPERATIONS) return left;
    after = pushes.at(-1)?.key.sort;
  }
}

/** Together where nobody is in the way; else each for itself, and who is in the way wins. */
export async function removeEach({ table }: Registry, operations: readonly Operation[]): Promise<void> {
  for (let start = 0; start < operations.length; start += MAX_OPERATIONS) {
    const batch = operations.slice(start, start + MAX_OPERATIONS);
    if ((await table.write(batch)).committed) continue;
    for (const operation of batch) await table.write([operation]);
  }
}
