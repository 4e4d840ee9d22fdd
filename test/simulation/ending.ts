import { sweepProgressKey } from '../../functions/registry/keys.ts';
import { drainOutbox } from '../../functions/registry/outbox.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import { manifestOf, named, REPOSITORIES } from './content.ts';
import { EPOCH_MS } from './errands.ts';
import { Inventory } from './invariants.ts';
import { expire } from './scheduler.ts';
import type { World } from './world.ts';

const DAY = 24 * 60 * 60 * 1000;

/** 6: lets all uploads and quarantines run out, sweeps twice, waits out the delay of the outbox, and looks for what is left
 *  of no use. `registry` is scheduled by nobody else any more. */
export async function windUp(world: World, registry: Registry, quarantineMs: number): Promise<void> {
  world.clock += 9 * DAY;
  expire(world);
  for (const name of REPOSITORIES) {
    const options = { epochMs: EPOCH_MS, quarantineMs, until: Number.POSITIVE_INFINITY };
    const sweep = () => sweepRepository(registry, name, options);
    while (world.table.peek(sweepProgressKey(name))) await sweep();
    for (let count = 0; count < 2; count += 1) {
      world.clock += EPOCH_MS;
      await sweep();
    }
  }
  world.clock += DAY + 2;
  await drainOutbox(registry);
}

/** What nobody can reach any more and is there all the same. */
export function checkNothingIsLeft(world: World): void {
  const inventory = new Inventory(world);
  const reached = new Set(inventory.digests.map(({ attributes }) => attributes['objectKey'] as string));
  const found = (text: string) => world.violate(named(`6: ${text}`));
  for (const repository of REPOSITORIES) {
    const manifests = inventory.of(repository, 'M#');
    const used = new Set(
      [...manifests.keys()].flatMap((digest) => manifestOf(digest)?.blobs ?? []).map((b) => b.digest),
    );
    for (const digest of inventory.of(repository, 'B#').keys()) {
      if (!used.has(digest as never)) found(`${repository} still links ${digest}, which nothing uses`);
    }
    for (const edge of inventory.of(repository, 'E#').keys()) {
      if (!manifests.has(edge.split('#')[1] ?? '')) found(`${repository} still has the edge ${edge}`);
    }
    for (const digest of inventory.of(repository, 'G#').keys())
      found(`${repository} still has the grave of ${digest}`);
    for (const { objectKey } of manifests.values()) reached.add(objectKey as string);
  }
  for (const key of [...world.objects.whole.keys(), ...world.objects.parts.keys()]) {
    if (!reached.has(key)) found(`the object ${key} is of no use and still there`);
  }
  for (const { key } of [...inventory.outbox, ...inventory.sessions])
    found(`${key.partition} ${key.sort} is still there`);
}
