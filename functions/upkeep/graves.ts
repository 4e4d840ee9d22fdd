import type { Digest } from '../oci/digest.ts';
import { endGrave } from '../registry/graves.ts';
import { gravesOf, lastPartOf } from '../registry/keys.ts';
import type { Item } from '../storage/table.ts';
import type { Position, Sweep } from './stage.ts';

/** Graves hold manifests of up to 16 KiB. */
const GRAVES_AT_ONCE = 100;

/** Removes deleted manifests for good once their quarantine is over; what they used is the next stage's. A grave that
 *  was filled again since it was read stays. */
export async function expireGraves(sweep: Sweep, after: Position) {
  const { registry, name, quarantineMs } = sweep;
  const range = { ...gravesOf(name), limit: GRAVES_AT_ONCE, ...(after !== undefined && { after }) };
  const graves = await registry.table.query(range);
  const over = (item: Item) => (item.attributes['deletedAt'] as number) + quarantineMs <= registry.now();
  for (const grave of graves.filter(over)) await expire(sweep, grave);
  const last = graves.at(-1)?.key.sort;
  return { done: graves.length < GRAVES_AT_ONCE, ...(last !== undefined && { after: last }) };
}

async function expire({ registry, name, dryRun, report }: Sweep, grave: Item): Promise<void> {
  const digest = lastPartOf(grave) as Digest;
  const deletedAt = new Date(grave.attributes['deletedAt'] as number).toISOString();
  const reason = `deleted on ${deletedAt}, and its quarantine is over`;
  report?.({ action: 'delete', kind: 'grave', digest, reason });
  if (!dryRun) await registry.table.write(endGrave(registry, name, digest, grave.attributes));
}
