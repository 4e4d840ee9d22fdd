import { OUTBOX_DELAY_SECONDS } from '../limits.ts';
import type { Registry } from '../registry/registry.ts';
import type { ListedObject, ObjectKey } from '../storage/blob-store.ts';
import { type Compared, Comparison, type DeepScan } from './comparison.ts';
import { type Damage, Marker, tagsReaching } from './damage.ts';
import { knownObjects, type Reference } from './known-objects.ts';

/** Where the two stores do not agree. */
export type Mismatch =
  /** Nothing in the table names the object: it is only paid for. */
  | {
      readonly is: 'unknown';
      readonly objectKey: ObjectKey;
      readonly size: number;
      readonly writtenAt: number;
    }
  | Damage;

interface ScanOptions {
  readonly report: (mismatch: Mismatch) => void;
  /** How many objects are held at once, some 200 bytes each; for each lot of them the whole table is read.
   *  @default 200000 */
  readonly lot?: number;
  /** Compares bytes with digests, too. @default existence and sizes only */
  readonly deep?: DeepScan;
  /** Marks what is missing or damaged, so that clients send it again and their push heals it; the one thing that a scan may
   *  write. @default false */
  readonly mark?: boolean;
}

/** What was looked at. */
export interface Scan {
  readonly objects: number;
  /** Bytes of them. */
  readonly bytes: number;
  /** Of a deep scan. */
  readonly compared: Compared;
  /** What could not be marked, and why the first of it. */
  readonly unmarked: { readonly count: number; readonly cause?: unknown };
}

const LOT = 200_000;
const LISTED_AT_ONCE = 1000;

/** Compares the objects with what the table says of them, both ways. The registry may go on meanwhile: what does not fit is
 *  looked at once more before it is told, and what was written within a day is left out. */
export async function scanObjects(registry: Registry, options: ScanOptions): Promise<Scan> {
  const { lot = LOT, deep, mark = false, report } = options;
  const comparison = deep && new Comparison(registry, deep);
  const marker = mark ? new Marker(registry) : undefined;
  let [objects, bytes] = [0, 0];
  for (let after: ObjectKey | undefined, isLast = false; !isLast; ) {
    const listed = await listLot(registry, after, lot);
    isLast = listed.length < lot;
    objects += listed.length;
    for (const { size } of listed) bytes += size;
    const through = isLast ? undefined : listed.at(-1)?.objectKey;
    comparison?.begin(listed);
    await compare(registry, { listed, after, through, report, comparison, marker });
    after = through;
  }
  const compared = comparison?.compared ?? { objects: 0, bytes: 0 };
  return { objects, bytes, compared, unmarked: marker?.unmarked ?? { count: 0 } };
}

async function listLot({ blobs }: Registry, start: ObjectKey | undefined, lot: number) {
  const listed: ListedObject[] = [];
  for (let after = start; listed.length < lot; after = listed.at(-1)?.objectKey) {
    const limit = Math.min(LISTED_AT_ONCE, lot - listed.length);
    const page = await blobs.list(after, limit);
    listed.push(...page);
    if (page.length < limit) break;
  }
  return listed;
}

interface Lot {
  readonly listed: readonly ListedObject[];
  /** The lot's keys: past this one, or from the first; */
  readonly after: ObjectKey | undefined;
  /** and up to this one, or to the last. */
  readonly through: ObjectKey | undefined;
  readonly report: (mismatch: Mismatch) => void;
  readonly comparison: Comparison | undefined;
  readonly marker: Marker | undefined;
}

async function compare(registry: Registry, lot: Lot): Promise<void> {
  const { listed, report, comparison } = lot;
  const objects = new Map(listed.map((object) => [object.objectKey, object]));
  const unclaimed = new Set(objects.keys());
  const fitting = (reference: Reference) => fits(reference, objects.get(reference.objectKey));
  for await (const references of knownObjects(registry.table)) {
    const ours = references.filter(({ objectKey }) => isOf(lot, objectKey));
    for (const { objectKey } of ours) unclaimed.delete(objectKey);
    await comparison?.compare(ours.filter(fitting));
    for (const reference of ours.filter((one) => !fitting(one) || comparison?.faultOf(one))) {
      const damage = await lookAgain(registry, reference, lot);
      if (damage) report(damage);
    }
  }
  await reportUnknown(registry, { unclaimed, objects, report });
}

const isOf = ({ after, through }: Lot, key: ObjectKey) =>
  (after === undefined || key > after) && (through === undefined || key <= through);

/** What is to be deleted, or is being uploaded, may also not be there. */
const fits = ({ held }: Reference, found: ListedObject | undefined) =>
  held === undefined || held.size === found?.size;

/** The list may be older than the item, and the item may be gone. Objects are never used again: where the item is still
 *  there after its object was not, the object was missing while the item named it. */
async function lookAgain(registry: Registry, reference: Reference, { comparison, marker }: Lot) {
  const { objectKey, item, held } = reference;
  if (!held) return undefined;
  const { repository, kind, digest, size } = held;
  const known = comparison?.faultOf(reference);
  const is = known ?? (await registry.blobs.examine({ objectKey, size }, digest, 'facts'));
  if (!is || (await registry.table.get(item))?.['objectKey'] !== objectKey) return undefined;
  if (marker && !(await marker.mark(reference))) return undefined;
  const tags = await tagsReaching(registry, held);
  return { is, objectKey, repository, kind, digest, tags };
}

/** All keys are of one length: past the key without its last digit come at most 16 that differ in it alone. */
async function lookUp({ blobs }: Registry, key: ObjectKey): Promise<ListedObject | undefined> {
  const near = await blobs.list(key.slice(0, -1) as ObjectKey, 16);
  return near.find(({ objectKey }) => objectKey === key);
}

interface Unclaimed {
  readonly unclaimed: Set<ObjectKey>;
  readonly objects: ReadonlyMap<ObjectKey, ListedObject>;
  readonly report: (mismatch: Mismatch) => void;
}

/** The table is read once more for those that are left: a blob may have wandered between repositories. And what was due
 *  may have been deleted since it was listed. */
async function reportUnknown(registry: Registry, { unclaimed, objects, report }: Unclaimed): Promise<void> {
  const young = registry.now() - OUTBOX_DELAY_SECONDS * 1000;
  for (const key of unclaimed) if ((objects.get(key)?.writtenAt ?? 0) > young) unclaimed.delete(key);
  if (unclaimed.size === 0) return;
  for await (const references of knownObjects(registry.table)) {
    for (const { objectKey } of references) unclaimed.delete(objectKey);
  }
  for (const key of unclaimed) {
    const object = await lookUp(registry, key);
    if (object) report({ is: 'unknown', ...object });
  }
}
