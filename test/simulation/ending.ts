import { digestOf } from '../../functions/oci/digest.ts';
import { policiesKey, sweepProgressKey } from '../../functions/registry/keys.ts';
import { drainOutbox } from '../../functions/registry/outbox.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import type { ObjectKey } from '../../functions/storage/blob-store.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import { bytesOf } from './bodies.ts';
import { manifestOf, named, REPOSITORIES } from './content.ts';
import { EPOCH_MS } from './errands.ts';
import { checkChanges, Inventory } from './invariants.ts';
import { expire } from './scheduler.ts';
import { ROOT } from './stores.ts';
import type { World } from './world.ts';

const DAY = 24 * 60 * 60 * 1000;

/** Reads all that can be read, before and after: lets all uploads and quarantines run out, sweeps twice, and waits out the
 *  delay of the outbox. `registry` is scheduled by nobody else any more. */
export async function windUp(world: World, registry: Registry, quarantineMs: number): Promise<void> {
  await readAll(world, registry);
  await sweepAll(world, registry, quarantineMs);
  // Where a policy deletes in these sweeps, or a sweep takes what belonged to a deleted manifest, that is in quarantine again.
  const inventory = new Inventory(world);
  const isBuried = REPOSITORIES.some((name) => inventory.of(name, 'G#').size > 0);
  if (isBuried || world.table.peek(policiesKey)) await sweepAll(world, registry, quarantineMs);
  world.clock += DAY + 2;
  await drainOutbox(registry);
  world.clock += 9 * DAY;
  expire(world);
  if (world.kind === 'directory') world.platter.cut();
  await readAll(world, registry);
}

/** 2: every object that can be read is, through the store and whole, what its digest says. */
async function readAll(world: World, { blobs }: Registry): Promise<void> {
  for (const [objectKey, digest] of world.linked) {
    const bytes = world.objectAt(objectKey)?.bytes;
    const object = { objectKey: objectKey as ObjectKey, size: bytes?.length ?? 0 };
    const body = await blobs.read(object);
    const read = body && (await bytesOf(body));
    if (!read || digestOf('sha256', read) !== digest) {
      world.violate(named(`2: who reads ${digest} at ${objectKey} gets something else`));
    }
  }
}

async function sweepAll(world: World, registry: Registry, quarantineMs: number): Promise<void> {
  world.clock += 9 * DAY;
  expire(world);
  for (const name of REPOSITORIES) {
    const options = { epochMs: EPOCH_MS, quarantineMs, until: Number.POSITIVE_INFINITY };
    const sweep = () => sweepRepository(registry, name, options);
    while (world.table.peek(sweepProgressKey(name))) await sweep();
    for (let count = 0; count < 2; count += 1) {
      world.clock += EPOCH_MS;
      await sweep();
      checkChanges(world);
    }
  }
}

/** 6: what nobody can reach any more and is there all the same. */
export function checkNothingIsLeft(world: World): void {
  const inventory = new Inventory(world);
  const reached = new Set(inventory.digests.map(({ attributes }) => attributes['objectKey'] as string));
  const left = [...inventory.outbox, ...inventory.sessions].map(({ key }) => `${key.partition} ${key.sort}`);
  for (const repository of REPOSITORIES) {
    left.push(...leftIn(inventory, repository));
    for (const { objectKey } of inventory.of(repository, 'M#').values()) reached.add(objectKey as string);
  }
  if (!world.isClockWrong) left.push(...objectsIn(world).filter((key) => !reached.has(key)));
  for (const text of left) world.violate(named(`6: of no use, and still there: ${text}`));
}

function objectsIn({ kind, bucket, platter }: World): string[] {
  if (kind === 's3') return [...bucket.objects.keys(), ...bucket.uploads.keys()];
  return [...platter.names.keys()].map((path) => path.slice(ROOT.length + 1));
}

function leftIn(inventory: Inventory, repository: string): string[] {
  const manifests = inventory.of(repository, 'M#');
  const blobs = [...manifests.keys()].flatMap((digest) => manifestOf(digest)?.blobs ?? []);
  const used = new Set<string>(blobs.map(({ digest }) => digest));
  const of = (kind: string) => [...inventory.of(repository, kind).keys()];
  return [
    ...of('B#').filter((digest) => !used.has(digest)),
    ...of('E#').filter((edge) => !manifests.has(edge.split('#')[1] ?? '')),
    ...of('G#'),
    ...of('Y#'),
  ].map((text) => `${text} in ${repository}`);
}
