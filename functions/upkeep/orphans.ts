import { OUTBOX_DELAY_SECONDS } from '../limits.ts';
import type { Digest } from '../oci/digest.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { Registry } from '../registry/registry.ts';
import type { ListedObject, ObjectKey } from '../storage/blob-store.ts';
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
  /** A repository holds it, and its object is not there, or has another size: pulls of it fail. */
  | {
      readonly is: 'missing' | 'damaged';
      readonly objectKey: ObjectKey;
      readonly repository: RepositoryName;
      readonly kind: 'blob' | 'manifest' | 'grave';
      readonly digest: Digest;
    };

interface ScanOptions {
  readonly report: (mismatch: Mismatch) => void;
  /** How many objects are held at once, some 200 bytes each; for each lot of them the whole table is read.
   *  @default 200000 */
  readonly lot?: number;
}

/** What was looked at. */
export interface Scan {
  readonly objects: number;
  /** Bytes of them. */
  readonly bytes: number;
}

const LOT = 200_000;
const LISTED_AT_ONCE = 1000;

/** Compares the objects with what the table says of them, both ways, and changes nothing. The registry may go on
 *  meanwhile: what does not fit is looked at once more before it is told, and what was written within a day is left out. */
export async function scanObjects(registry: Registry, { report, lot = LOT }: ScanOptions): Promise<Scan> {
  let [objects, bytes] = [0, 0];
  for (let after: ObjectKey | undefined, isLast = false; !isLast; ) {
    const listed = await listLot(registry, after, lot);
    isLast = listed.length < lot;
    objects += listed.length;
    for (const { size } of listed) bytes += size;
    const through = isLast ? undefined : listed.at(-1)?.objectKey;
    await compare(registry, { listed, after, through, report });
    after = through;
  }
  return { objects, bytes };
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
}

async function compare(registry: Registry, lot: Lot): Promise<void> {
  const { listed, report } = lot;
  const objects = new Map(listed.map((object) => [object.objectKey, object]));
  const unclaimed = new Set(objects.keys());
  for await (const references of knownObjects(registry.table)) {
    const ours = references.filter(({ objectKey }) => isOf(lot, objectKey));
    for (const { objectKey } of ours) unclaimed.delete(objectKey);
    for (const reference of ours.filter((one) => !fits(one, objects.get(one.objectKey)))) {
      const mismatch = await lookAgain(registry, reference);
      if (mismatch) report(mismatch);
    }
  }
  await reportUnknown(registry, { unclaimed, objects, report });
}

const isOf = ({ after, through }: Lot, key: ObjectKey) =>
  (after === undefined || key > after) && (through === undefined || key <= through);

/** What is to be deleted, or is being uploaded, may also not be there. */
const fits = ({ held }: Reference, found: ListedObject | undefined) =>
  held === undefined || (found !== undefined && (held.size === undefined || held.size === found.size));

/** The list may be older than the item, and the item may be gone. Objects are never used again: where the item is still
 *  there after its object was not, the object was missing while the item named it. */
async function lookAgain(registry: Registry, reference: Reference): Promise<Mismatch | undefined> {
  const { objectKey, item, held } = reference;
  const found = await lookUp(registry, objectKey);
  if (!held || fits(reference, found)) return undefined;
  if ((await registry.table.get(item))?.['objectKey'] !== objectKey) return undefined;
  const { repository, kind, digest } = held;
  return { is: found ? 'damaged' : 'missing', objectKey, repository, kind, digest };
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
