import { type Actor, go, type Next, type Part, type Phase } from './explorer.ts';
import { type Protocol, reads, writes } from './protocol.ts';
import { absent, atMost, become, type Change, equals, plus, present, type World } from './world.ts';

interface PushOptions {
  readonly name?: string;
  readonly repository?: number;
  readonly manifest: number;
  readonly tagged?: boolean;
  /** Asks first for all that the manifest refers to, as clients do who send only what is missing. */
  readonly head?: boolean;
}

/** A client that pushes a manifest. */
export function push(protocol: Protocol, options: PushOptions): Actor {
  const { commit, head } = pushPhases(protocol, options);
  return { name: options.name ?? 'push', start: options.head ? go(head) : go(commit, 0) };
}

/** A client that mounts a blob of another repository and then pushes a manifest that uses it. */
export function mountAndPush(
  protocol: Protocol,
  options: PushOptions & { blob: number; from: number },
): Actor {
  const { layout, omits } = protocol;
  const { repository: r = 1, blob, from } = options;
  const { commit } = pushPhases(protocol, { repository: 1, ...options });
  const mount: Phase = function* () {
    const [source = 0, object = 0] = yield reads(
      'B#',
      'looks for the blob in the other repository',
      (world) => [world.get(layout.link(from, blob)), world.get(layout.linkObject(from, blob))],
    );
    if (!source) return 'end';
    const [epoch = 0] = yield reads('#', 'reads the epoch', (world) => [world.get(layout.epoch(r))]);
    const [mine = 0] = yield reads('B#', 'looks for a link of its own', (world) => [
      world.get(layout.link(r, blob)),
    ]);
    const [links = 0, stored = 0] = yield reads('D#', 'reads the digest', (world) => [
      world.get(layout.links(blob)),
      world.get(layout.object(blob)),
    ]);
    if (!mine && !links) return go(mount); // it has gone, and so has the source
    const keep: Change[] =
      mine <= epoch && !omits('a mount does not touch')
        ? [
            {
              cell: layout.link(r, blob),
              when: (found) => present(found) && found <= epoch + 1,
              to: become(epoch + 1),
            },
          ]
        : [{ cell: layout.link(r, blob), when: present }];
    const add: Change[] = [
      { cell: layout.link(r, blob), when: absent, to: become(epoch + 1) },
      { cell: layout.linkObject(r, blob), to: become(stored || object) },
      { cell: layout.linker(r, blob), to: become(1) },
      { cell: layout.links(blob), to: plus(1) },
      ...(omits('a mount counts without looking')
        ? []
        : [{ cell: layout.object(blob), when: equals(stored) }]),
    ];
    const [mounted] = yield writes('B# D#', 'links the blob', () => (mine ? keep : add));
    return mounted ? go(commit, epoch + 1) : go(mount);
  };
  return { name: options.name ?? 'push that mounts', start: go(mount) };
}

/** The protocol of `putManifest`. Every phase is given the lease: one more than the epoch since which all that the
 *  manifest refers to is promised to be there; 0 where nothing is. */
export function pushPhases(protocol: Protocol, options: PushOptions) {
  const { layout, omits } = protocol;
  const { repository: r = 0, manifest: m, tagged = true } = options;
  const targets = layout.targetsOf(m);
  const cells = targets.map((target) => layout.target(r, target));
  const edges = targets.map((target) => layout.edge(r, target, m));
  const kinds = targets.some((target) => target >= layout.shape.blobs) ? 'M#' : 'B#';

  const touches = (found: readonly number[], at: readonly number[], epoch: number, made: boolean): Change[] =>
    at.flatMap((cell, index) => {
      const touched = found[index] ?? 0;
      if (touched === 0) return made ? [{ cell, when: absent, to: become(epoch + 1) }] : [];
      if (omits('a push lowers what others have touched'))
        return [{ cell, when: present, to: become(epoch + 1) }];
      return touched <= epoch ? [{ cell, when: equals(touched), to: become(epoch + 1) }] : [];
    });

  const isPromised = (world: World, lease: number) =>
    lease > 0 &&
    world.get(layout.epoch(r)) <= lease &&
    targets.every((target) => world.get(layout.unwanted(r, target)) === 0);

  const lookAt = (says: string, at: readonly number[], lease: number) =>
    reads(kinds, says, (world) => {
      const found = at.map((cell) => world.get(cell));
      return found.includes(0) && isPromised(world, lease) ? [...found, 1] : found;
    });

  const head: Phase = function* () {
    const [epoch = 0] = yield reads('#', 'reads the epoch', (world) => [world.get(layout.epoch(r))]);
    const found = yield lookAt('is asked for what it refers to', cells, 0);
    if (found.includes(0)) return 'end';
    const none =
      omits('HEAD does not touch') || (kinds === 'M#' && omits('HEAD of a manifest does not touch'));
    const changes = none ? [] : touches(found, cells, epoch, false);
    if (changes.length === 0) return go(begin, epoch + 1);
    const [committed] = yield writes(kinds, `touches it for the client`, () => changes);
    return committed ? go(begin, epoch + 1) : go(head);
  };

  const begin: Phase = function* (lease = 0): Part<Next> {
    const [epoch = 0, deletions = 0] = yield reads('#', 'reads epoch and deletions', (world) => [
      world.get(layout.epoch(r)),
      world.get(layout.deletions(r)),
    ]);
    return go(touch, lease, epoch, deletions);
  };

  const touch: Phase = function* (lease = 0, epoch = 0, deletions = 0) {
    const found = yield lookAt('looks for what it refers to', cells, lease);
    if (found.length > cells.length) return { violation: 'a push is refused although its lease holds' };
    if (found.includes(0)) return 'end';
    const changes = omits('a push does not touch') ? [] : touches(found, cells, epoch, false);
    if (changes.length > 0) {
      const [committed] = yield writes(kinds, 'touches it', () => changes);
      if (!committed) return go(touch, lease, epoch, deletions);
    }
    const held = Math.max(lease, epoch + 1);
    return omits('a push writes its edges after its commit')
      ? go(write, held, epoch, deletions)
      : go(hold, held, epoch, deletions);
  };

  const hold: Phase = function* (lease = 0, epoch = 0, deletions = 0) {
    const found = yield reads('E#', 'looks for its edges', (world) => edges.map((cell) => world.get(cell)));
    const changes = touches(found, edges, epoch, true);
    if (changes.length > 0) {
      const [committed] = yield writes('E#', 'writes its edges', () => changes);
      if (!committed) return go(hold, lease, epoch, deletions);
    }
    return omits('a push writes its edges after its commit') ? 'end' : go(write, lease, epoch, deletions);
  };

  const write: Phase = function* (lease = 0, epoch = 0, deletions = 0) {
    const [found = 0] = yield reads('M#', 'looks for the manifest', (world) => [
      world.get(layout.manifest(r, m)),
    ]);
    const [committed] = yield writes('# M#', 'commits', () => commitChanges(found, epoch, deletions));
    if (!committed) return go(begin, lease);
    return omits('a push writes its edges after its commit') ? go(hold, lease, epoch, deletions) : 'end';
  };

  const commitChanges = (found: number, epoch: number, deletions: number): Change[] => {
    const late = omits('a push commits two epochs late') ? 2 : 1;
    const cell = layout.manifest(r, m);
    const keep: Change =
      found <= epoch
        ? { cell, when: (touched) => present(touched) && touched <= epoch + 1, to: become(epoch + 1) }
        : { cell, when: present };
    return [
      ...(omits('a push commits in whatever epoch')
        ? []
        : [{ cell: layout.epoch(r), when: atMost(epoch + late) }]),
      ...(omits('a push commits over deletions')
        ? []
        : [{ cell: layout.deletions(r), when: equals(deletions) }]),
      { cell: layout.version(r), to: plus(1) },
      found ? keep : { cell, when: absent, to: become(epoch + 1) },
      ...(tagged
        ? [
            { cell: layout.tag(r, m), to: become(1) },
            { cell: layout.hint(r, m), to: become(1) },
          ]
        : []),
    ];
  };

  return { head, commit: begin };
}
