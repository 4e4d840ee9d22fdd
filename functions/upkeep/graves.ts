import type { Digest } from '../oci/digest.ts';
import { companionTagsOf } from '../registry/companions.ts';
import { endGrave } from '../registry/graves.ts';
import { gravesOf, lastPartOf, manifestKey, referrersOf, tagKey } from '../registry/keys.ts';
import { removeEach } from '../registry/pushes-under-way.ts';
import type { Registry } from '../registry/registry.ts';
import { type Item, type Key, MAX_OPERATIONS, present } from '../storage/table.ts';
import { Leftovers } from './leftovers.ts';
import { listedBy } from './retention-facts.ts';
import { sortedPages } from './sorted-pages.ts';
import { isOver, type Position, type Sweep } from './stage.ts';

/** Graves hold manifests of up to 16 KiB. */
const GRAVES_AT_ONCE = 100;

/** Removes deleted manifests for good once their quarantine is over; what they used is the next stage's. A grave that
 *  was filled again since it was read stays. */
export async function expireGraves(sweep: Sweep, after: Position) {
  const { registry, name, quarantineMs } = sweep;
  const range = { ...gravesOf(name), limit: GRAVES_AT_ONCE, ...(after !== undefined && { after }) };
  const graves = await registry.table.query(range);
  const over = (item: Item) => (item.attributes['deletedAt'] as number) + quarantineMs <= registry.now();
  const ending = graves.filter(over);
  for (const item of graves)
    if (!over(item)) sweep.expect?.((item.attributes['deletedAt'] as number) + quarantineMs);
  const leftovers = ending.length > 0 && !sweep.dryRun ? await Leftovers.of(sweep) : undefined;
  for (const grave of ending) {
    await expire(sweep, grave, leftovers);
    if (isOver(sweep)) return { done: false, after: grave.key.sort };
  }
  const last = graves.at(-1)?.key.sort;
  return { done: graves.length < GRAVES_AT_ONCE, ...(last !== undefined && { after: last }) };
}

async function expire(sweep: Sweep, grave: Item, leftovers: Leftovers | undefined): Promise<void> {
  const { registry, name, dryRun, report } = sweep;
  const digest = lastPartOf(grave) as Digest;
  const deletedAt = new Date(grave.attributes['deletedAt'] as number).toISOString();
  const reason = `deleted on ${deletedAt}, and its quarantine is over`;
  report?.({ action: 'delete', kind: 'grave', digest, reason });
  if (dryRun) return;
  await noteLoss(sweep, grave);
  // Before the grave ends: whoever dies here is followed by a sweep that finds it.
  await leftovers?.take(digest);
  await registry.table.write(endGrave(registry, name, digest, grave.attributes));
}

/** What belonged to the manifest and is still there keeps when that was deleted: until then the grave says so. */
async function noteLoss({ registry, name }: Sweep, { attributes, ...grave }: Item): Promise<void> {
  const digest = lastPartOf({ ...grave, attributes }) as Digest;
  const listed = await listedBy(registry, name, { digest, found: attributes, isBuried: true });
  await noteLeft(
    registry,
    attributes,
    listed.map((each) => manifestKey(name, each.digest)),
  );
  await noteLeft(
    registry,
    attributes,
    companionTagsOf(digest).map((tag) => tagKey(name, tag)),
  );
  const referrers = { ...referrersOf(name, digest), keysOnly: true };
  for await (const page of sortedPages(registry.table, referrers, MAX_OPERATIONS)) {
    await noteLeft(
      registry,
      attributes,
      page.map((item) => manifestKey(name, lastPartOf(item) as Digest)),
    );
  }
}

async function noteLeft(
  registry: Registry,
  { deletedAt }: Item['attributes'],
  keys: readonly Key[],
): Promise<void> {
  const left = deletedAt as number;
  for (let start = 0; start < keys.length; start += MAX_OPERATIONS) {
    const batch = keys.slice(start, start + MAX_OPERATIONS);
    const found = await registry.table.getMany(batch);
    const there = batch.filter((_, index) => {
      const item = found[index];
      return item !== undefined && ((item['left'] as number | undefined) ?? 0) < left;
    });
    await removeEach(
      registry,
      there.map((key) => ({ update: key, set: { left }, when: [present] })),
    );
  }
}
