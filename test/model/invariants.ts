import { runAlone } from './explorer.ts';
import type { Protocol } from './protocol.ts';
import { sweep } from './sweep.ts';
import type { World } from './world.ts';

/** What is wrong with a table, if anything is; and what would be left if everybody stopped here for ever. */
export const checks = (protocol: Protocol) => (world: World) =>
  wrongWith(protocol, world) ?? leftBehind(protocol, world);

function wrongWith(protocol: Protocol, world: World): string | undefined {
  const { shape } = protocol.layout;
  for (let blob = 0; blob < shape.blobs; blob += 1) {
    const wrong = wrongDigest(protocol, world, blob);
    if (wrong) return wrong;
  }
  for (let r = 0; r < shape.repositories; r += 1) {
    if (world.get(protocol.layout.robbed(r))) return 'a grave goes before its time';
    for (const m of shape.manifests.keys()) {
      const wrong = wrongManifest(protocol, world, r, m) ?? wrongGrave(protocol, world, r, m);
      if (wrong) return wrong;
    }
  }
  return undefined;
}

function wrongDigest({ layout }: Protocol, world: World, blob: number): string | undefined {
  const object = world.get(layout.object(blob));
  let [links, linkers] = [0, 0];
  for (let r = 0; r < layout.shape.repositories; r += 1) {
    if (world.get(layout.linker(r, blob))) linkers += 1;
    if (!world.get(layout.link(r, blob))) continue;
    links += 1;
    const linked = world.get(layout.linkObject(r, blob));
    if (world.get(layout.discarded(blob)) & (1 << linked))
      return 'an object is freed that a repository links';
    if (linked !== object) return 'a repository links another object than the digest has';
  }
  if (world.get(layout.links(blob)) !== links) return 'a digest counts other links than there are';
  return links === linkers ? undefined : 'a digest knows other linkers than there are';
}

function wrongManifest({ layout }: Protocol, world: World, r: number, m: number): string | undefined {
  const isTagged = world.get(layout.tag(r, m));
  if (!world.get(layout.manifest(r, m)))
    return isTagged ? 'a tag is on a manifest that is not there' : undefined;
  const object = world.get(layout.content(r, m));
  if (world.get(layout.discardedContents(r, m)) & (1 << object)) return 'the object of a manifest is freed';
  if (isTagged && world.get(layout.tagContent(r, m)) !== object)
    return 'a tag names an object that its manifest has not';
  for (const target of layout.targetsOf(m)) {
    if (world.get(layout.target(r, target))) continue;
    return target < layout.shape.blobs ? 'a manifest lacks a blob' : 'an index lacks a child';
  }
  return undefined;
}

/** While its quarantine lasts, all that a manifest needs to come back is there, but for what was deleted by somebody
 *  who wanted it gone. */
function wrongGrave({ layout }: Protocol, world: World, r: number, m: number): string | undefined {
  const grave = world.get(layout.grave(r, m));
  if (grave === 0 || grave <= world.get(layout.over(r))) return undefined;
  for (const target of layout.targetsOf(m)) {
    const isThere =
      world.get(layout.target(r, target)) ||
      world.get(layout.unwanted(r, target)) ||
      (target >= layout.shape.blobs && world.get(layout.grave(r, target - layout.shape.blobs)));
    if (!isThere) return 'a grave lacks what it would take to restore it';
  }
  return undefined;
}

/** Everybody has stopped, wherever they were; quarantines are over, and each repository is swept twice, after whatever a
 *  sweep has left to do. */
function leftBehind(protocol: Protocol, before: World): string | undefined {
  const { layout } = protocol;
  const world = before.copy();
  for (let r = 0; r < layout.shape.repositories; r += 1) {
    world.set(layout.over(r), world.get(layout.dug(r)));
    while (world.get(layout.progress(r)) > 0)
      runAlone(world, sweep(protocol, { repository: r, stops: true }));
    for (const _ of ['first', 'second']) runAlone(world, sweep(protocol, { repository: r }));
  }
  const wrong = wrongWith(protocol, world);
  return wrong ? `${wrong}, two sweeps after everybody has stopped` : unreachable(protocol, world);
}

function unreachable(protocol: Protocol, world: World): string | undefined {
  const { shape } = protocol.layout;
  for (let r = 0; r < shape.repositories; r += 1) {
    const left = leftInRepository(protocol, world, r) ?? leftOfManifests(protocol, world, r);
    if (left) return left;
  }
  return leftOfBlobs(protocol, world);
}

function leftInRepository({ layout }: Protocol, world: World, r: number): string | undefined {
  const all = [...layout.shape.manifests.keys()];
  for (let target = 0; target < layout.targets; target += 1) {
    const users = all.filter((m) => world.get(layout.edge(r, target, m)));
    if (users.some((m) => !world.get(layout.manifest(r, m))))
      return 'two sweeps leave an edge without a manifest';
    const isLink = target < layout.shape.blobs && world.get(layout.link(r, target));
    if (isLink && users.length === 0) return 'two sweeps leave a blob that nothing uses';
  }
  return undefined;
}

function leftOfManifests({ layout }: Protocol, world: World, r: number): string | undefined {
  for (const m of layout.shape.manifests.keys()) {
    if (world.get(layout.intent(r, m))) return 'two sweeps leave a push under way';
    if (world.get(layout.grave(r, m))) return 'two sweeps leave a grave';
    const discarded = world.get(layout.discardedContents(r, m));
    const own = world.get(layout.content(r, m));
    if (isLost(world.get(layout.contents(r, m)), discarded, own))
      return 'two sweeps leave the object of a manifest';
  }
  return undefined;
}

function leftOfBlobs({ layout }: Protocol, world: World): string | undefined {
  for (let blob = 0; blob < layout.shape.blobs; blob += 1) {
    const own = world.get(layout.object(blob));
    if (isLost(world.get(layout.written(blob)), world.get(layout.discarded(blob)), own))
      return 'two sweeps leave an object';
  }
  return undefined;
}

/** Whether one of the objects that were ever written is neither in the outbox nor in use. */
function isLost(written: number, discarded: number, used: number): boolean {
  for (let object = 1; object <= written; object += 1) {
    if (object !== used && !(discarded & (1 << object))) return true;
  }
  return false;
}
