import { type Actor, go, type Part, type Phase } from './explorer.ts';
import { Merge } from './merge.ts';
import { type Protocol, reads, writes } from './protocol.ts';
import { become, equals, including, type Layout, plus, present } from './world.ts';

export interface SweepOptions {
  readonly name?: string;
  readonly repository?: number;
  /** How many items a query answers. @default as many as there are */
  readonly page?: number;
  /** Whether its time is over after each page of links, so that the next sweep goes on there. */
  readonly stops?: boolean;
  /** Whether it dies as soon as it has raised the epoch. */
  readonly dies?: boolean;
  /** Whether it reads the first page of edges before that of links; the code reads links first. */
  readonly edgesFirst?: boolean;
  /** Whether it looks for the manifest of an edge once it has read the edge; the code reads all of them first. */
  readonly manifestsLast?: boolean;
}

/** A sweep of a repository; as `sweepRepository`. Each phase is given the epoch that it sweeps in. */
export function sweep(protocol: Protocol, options: SweepOptions = {}): Actor {
  const { layout, omits } = protocol;
  const { repository: r = 0, stops = false } = options;

  const begin: Phase = function* () {
    const known = omits('the sweep reads which manifests are there before it raises the epoch')
      ? yield* readManifests(layout, r)
      : 0;
    const [epoch = 0] = yield reads('#', 'reads the epoch', (world) => [world.get(layout.epoch(r))]);
    const [after = 0] = stops
      ? yield reads('Z#', 'reads how far the last one came', (world) => [world.get(layout.progress(r))])
      : [0];
    if (after > 0) return go(goesOn, epoch, known, after);
    const [raised] = yield writes('#', 'raises the epoch', () => [
      { cell: layout.epoch(r), when: equals(epoch), to: plus(1) },
    ]);
    if (options.dies) return 'end';
    if (raised) return go(pushes, epoch + 1, known);
    const [won = 0] = yield reads('#', 'reads the epoch again', (world) => [world.get(layout.epoch(r))]);
    return go(pushes, won, known);
  };

  const goesOn: Phase = (...args) =>
    (omits('the sweep ends pushes only where it begins anew') ? merge : pushes)(...args);

  const pushes: Phase = function* (epoch = 0, known = 0, after = 0) {
    if (!omits('the sweep ends pushes once it has removed what is old'))
      yield* endOldPushes(protocol, r, epoch);
    return after > 0 ? go(merge, epoch, known, after) : go(graves, epoch, known);
  };

  const graves: Phase = function* (epoch = 0, known = 0) {
    yield* expireGraves(protocol, r);
    return go(merge, epoch, known, 0);
  };

  const merge: Phase = function* (epoch = 0, known = 0, after = 0) {
    const reached = yield* new Merge(protocol, options, epoch, known).run(after);
    if (omits('the sweep ends pushes once it has removed what is old'))
      yield* endOldPushes(protocol, r, epoch);
    const says = reached === 0 ? 'forgets how far it came' : 'notes how far it came';
    if (stops) yield writes('Z#', says, () => [{ cell: layout.progress(r), to: become(reached) }]);
    return 'end';
  };

  return { name: options.name ?? 'sweep', start: go(begin) };
}

/** Ends the pushes under way of two epochs ago and before; as `endOldPushes`. */
function* endOldPushes({ layout }: Protocol, r: number, epoch: number): Part<void> {
  const all = layout.shape.manifests.map((_, m) => m);
  const found = yield reads('Y#', 'looks for pushes that are too old', (world) =>
    all.flatMap((m) => [world.get(layout.intent(r, m)), world.get(layout.intentBy(r, m))]),
  );
  for (const m of all) {
    const [touched = 0, by = 0] = [found[2 * m], found[2 * m + 1]];
    if (touched === 0 || touched - 1 > epoch - 2) continue;
    yield writes('Y#', 'ends a push', () => [
      { cell: layout.intent(r, m), when: equals(touched), to: become(0) },
      { cell: layout.intentBy(r, m), when: equals(by), to: become(0) },
    ]);
  }
}

/** Removes graves whose quarantine is over; as the stage of that name. */
function* expireGraves({ layout, omits }: Protocol, r: number): Part<void> {
  const all = layout.shape.manifests.map((_, m) => m);
  const found = yield reads('G#', 'looks for graves whose time has come', (world) =>
    all.map((m) =>
      world.get(layout.grave(r, m)) <= world.get(layout.over(r)) ? world.get(layout.grave(r, m)) : 0,
    ),
  );
  for (const m of all) {
    const dug = found[m] ?? 0;
    if (dug === 0) continue;
    const cell = layout.grave(r, m);
    const when = omits('a grave goes whatever lies in it now') ? present : equals(dug);
    yield writes('G#', 'removes a grave', (world) => [
      // Its time has not come: that this happened is what there is to see.
      { cell: layout.robbed(r), to: (robbed) => (world.get(cell) > world.get(layout.over(r)) ? 1 : robbed) },
      { cell, when, to: become(0) },
      { cell: layout.discardedContents(r, m), to: including(world.get(layout.graveContent(r, m))) },
      { cell: layout.graveContent(r, m), to: become(0) },
    ]);
  }
}

/** A bit for each manifest that is there or in its grave, and one more. */
function* readManifests(layout: Layout, r: number): Part<number> {
  const all = layout.shape.manifests.map((_, m) => m);
  const [known = 0] = yield reads('M# G#', 'reads which manifests are there', (world) => [
    all.reduce(
      (bits, m) =>
        world.get(layout.manifest(r, m)) || world.get(layout.grave(r, m)) ? bits | (2 << m) : bits,
      1,
    ),
  ]);
  return known;
}
