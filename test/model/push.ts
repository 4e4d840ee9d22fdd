import { type Actor, go, type Next, type Part, type Phase, type Step } from './explorer.ts';
import { linkBlob } from './links.ts';
import { type Protocol, reads, writes } from './protocol.ts';
import { absent, atMost, become, type Change, equals, plus, present } from './world.ts';

interface PushOptions {
  readonly name?: string;
  readonly repository?: number;
  readonly manifest: number;
  /** Whether it moves a tag to the manifest. @default true */
  readonly tagged?: boolean;
}

/** A client that pushes a manifest, all it refers to being there. */
export function push(protocol: Protocol, options: PushOptions): Actor {
  return { name: options.name ?? 'push', start: go(new Push(protocol, options).begin, 0) };
}

/** A client that asks first for all that the manifest refers to, and uploads the blob where it is not there. */
export function askAndPush(protocol: Protocol, options: PushOptions): Actor {
  return { name: options.name ?? 'push', start: go(new Push(protocol, options).head) };
}

/** A client that mounts a blob of another repository and then pushes a manifest that uses it. */
export function mountAndPush(
  protocol: Protocol,
  options: PushOptions & { blob: number; from: number },
): Actor {
  const { layout } = protocol;
  const { repository: r = 1, blob, from } = options;
  const pushing = new Push(protocol, { repository: r, ...options });
  const mount: Phase = function* (): Part<Next> {
    const [source] = yield reads('B#', 'looks for the blob in the other repository', (world) => [
      world.get(layout.link(from, blob)),
    ]);
    if (!source) return 'end';
    const lease = yield* linkBlob(protocol, r, blob, 'mount');
    return lease ? go(pushing.begin, lease) : go(mount);
  };
  return { name: options.name ?? 'mount', start: go(mount) };
}

/** The protocol of `putManifest`. Every phase is given the lease: one more than the epoch since which all that the
 *  manifest refers to is promised to be there; 0 where nothing is. */
export class Push {
  readonly #protocol: Protocol;
  readonly #r: number;
  readonly #m: number;
  readonly #isTagged: boolean;
  readonly #targets: readonly number[];
  readonly #cells: readonly number[];
  readonly #edges: readonly number[];
  /** What it is about: blobs, or the children of an index. */
  readonly #kind: string;

  constructor(protocol: Protocol, { repository = 0, manifest, tagged = true }: PushOptions) {
    const { layout } = protocol;
    this.#protocol = protocol;
    [this.#r, this.#m, this.#isTagged] = [repository, manifest, tagged];
    this.#targets = layout.targetsOf(manifest);
    this.#cells = this.#targets.map((target) => layout.target(repository, target));
    this.#edges = this.#targets.map((target) => layout.edge(repository, target, manifest));
    this.#kind = this.#targets.some((target) => target >= layout.shape.blobs) ? 'M#' : 'B#';
  }

  readonly head: Phase = () => this.#head();
  readonly upload: Phase = () => this.#upload();
  readonly begin: Phase = (lease = 0) => this.#begin(lease);
  readonly touch: Phase = (lease = 0, epoch = 0, deletions = 0) => this.#touch(lease, epoch, deletions);
  readonly hold: Phase = (lease = 0, epoch = 0, deletions = 0) => this.#hold(lease, epoch, deletions);
  readonly commit: Phase = (lease = 0, epoch = 0, deletions = 0) => this.#commit(lease, epoch, deletions);

  *#head(): Part<Next> {
    const { layout, omits } = this.#protocol;
    const [epoch = 0] = yield reads('#', 'reads the epoch', (world) => [world.get(layout.epoch(this.#r))]);
    const found = yield this.#lookFor('is asked for what it refers to', 0, this.#asked);
    if (found.includes(0)) return this.#kind === 'B#' ? go(this.upload) : 'end';
    const blind =
      omits('HEAD does not touch') || (this.#kind === 'M#' && omits('HEAD of a manifest does not touch'));
    const changes = blind ? [] : this.#touches(found, this.#cells, epoch);
    if (changes.length === 0) return go(this.begin, epoch + 1);
    const [committed] = yield writes(this.#kind, 'touches it for the client', () => changes);
    return committed ? go(this.begin, epoch + 1) : go(this.head);
  }

  *#upload(): Part<Next> {
    const lease = yield* linkBlob(this.#protocol, this.#r, this.#targets[0] ?? 0, 'upload');
    return lease ? go(this.begin, lease) : go(this.upload);
  }

  *#begin(lease: number): Part<Next> {
    const { layout } = this.#protocol;
    const [epoch = 0, deletions = 0] = yield reads('#', 'reads epoch and deletions', (world) => [
      world.get(layout.epoch(this.#r)),
      world.get(layout.deletions(this.#r)),
    ]);
    return go(this.touch, lease, epoch, deletions);
  }

  *#touch(lease: number, epoch: number, deletions: number): Part<Next> {
    const { omits } = this.#protocol;
    const found = yield this.#lookFor('looks for what it refers to', lease);
    if (found.length > this.#cells.length) return { violation: 'a push is refused although its lease holds' };
    if (found.includes(0)) return 'end';
    const changes = omits('a push does not touch') ? [] : this.#touches(found, this.#cells, epoch);
    const [committed] = changes.length > 0 ? yield writes(this.#kind, 'touches it', () => changes) : [1];
    if (!committed) return go(this.touch, lease, epoch, deletions);
    const next = omits('a push writes its edges after its commit') ? this.commit : this.hold;
    return go(next, Math.max(lease, epoch + 1), epoch, deletions);
  }

  *#hold(lease: number, epoch: number, deletions: number): Part<Next> {
    const found = yield reads('E#', 'looks for its edges', (world) =>
      this.#edges.map((cell) => world.get(cell)),
    );
    const made = this.#edges.filter((_, index) => !found[index]);
    const changes = [
      ...this.#touches(found, this.#edges, epoch),
      ...made.map((cell) => ({ cell, when: absent, to: become(epoch + 1) })),
    ];
    const [committed] = changes.length > 0 ? yield writes('E#', 'writes its edges', () => changes) : [1];
    if (!committed) return go(this.hold, lease, epoch, deletions);
    const isLast = this.#protocol.omits('a push writes its edges after its commit');
    return isLast ? 'end' : go(this.commit, lease, epoch, deletions);
  }

  *#commit(lease: number, epoch: number, deletions: number): Part<Next> {
    const { layout, omits } = this.#protocol;
    const [found = 0, object = 0] = yield reads('M#', 'looks for the manifest', (world) => [
      world.get(layout.manifest(this.#r, this.#m)),
      world.get(layout.content(this.#r, this.#m)),
    ]);
    const [committed] = yield writes('# M# T#', 'commits', (world) => {
      const own = world.get(layout.contents(this.#r, this.#m)) + 1;
      return [
        ...this.#counts(epoch, deletions),
        ...(found ? this.#keep(found, object, epoch) : this.#add(own, epoch)),
        ...(this.#isTagged ? this.#tag(found ? object : own) : []),
      ];
    });
    if (!committed) return go(this.begin, lease);
    return omits('a push writes its edges after its commit') ? go(this.hold, lease, epoch, deletions) : 'end';
  }

  /** With one number more where something is missing that was promised. */
  /** What says of a blob whether its bytes are sound, which here they are, is read with it. */
  get #asked(): string {
    return this.#kind === 'B#' ? 'B# D#' : this.#kind;
  }

  #lookFor(says: string, lease: number, items = this.#kind): Step {
    const { layout } = this.#protocol;
    return reads(items, says, (world) => {
      const found = this.#cells.map((cell) => world.get(cell));
      const isPromised =
        world.get(layout.epoch(this.#r)) <= lease &&
        this.#targets.every((target) => !world.get(layout.unwanted(this.#r, target)));
      return found.includes(0) && lease > 0 && isPromised ? [...found, 1] : found;
    });
  }

  #touches(found: readonly number[], cells: readonly number[], epoch: number): Change[] {
    const lowers = this.#protocol.omits('a push lowers what others have touched');
    return cells.flatMap((cell, index): Change[] => {
      const touched = found[index] ?? 0;
      if (touched === 0 || (touched > epoch && !lowers)) return [];
      return [{ cell, when: lowers ? present : equals(touched), to: become(epoch + 1) }];
    });
  }

  #counts(epoch: number, deletions: number): Change[] {
    const { layout, omits } = this.#protocol;
    const late = omits('a push commits two epochs late') ? 2 : 1;
    return [
      {
        cell: layout.epoch(this.#r),
        ...(!omits('a push commits in whatever epoch') && { when: atMost(epoch + late) }),
      },
      {
        cell: layout.deletions(this.#r),
        ...(!omits('a push commits over deletions') && { when: equals(deletions) }),
      },
      { cell: layout.version(this.#r), to: plus(1) },
    ];
  }

  #keep(found: number, object: number, epoch: number): Change[] {
    const { layout, omits } = this.#protocol;
    const raised = (touched: number) => present(touched) && touched <= epoch + 1;
    const blind = omits('a push takes whatever object a manifest has');
    return [
      found <= epoch
        ? { cell: layout.manifest(this.#r, this.#m), when: raised, to: become(epoch + 1) }
        : { cell: layout.manifest(this.#r, this.#m), when: present },
      { cell: layout.content(this.#r, this.#m), ...(!blind && { when: equals(object) }) },
    ];
  }

  #add(own: number, epoch: number): Change[] {
    const { layout } = this.#protocol;
    return [
      { cell: layout.manifest(this.#r, this.#m), when: absent, to: become(epoch + 1) },
      { cell: layout.content(this.#r, this.#m), to: become(own) },
      { cell: layout.contents(this.#r, this.#m), to: become(own) },
    ];
  }

  #tag(object: number): Change[] {
    const { layout } = this.#protocol;
    return [
      { cell: layout.tag(this.#r, this.#m), to: become(1) },
      { cell: layout.tagContent(this.#r, this.#m), to: become(object) },
      { cell: layout.hint(this.#r, this.#m), to: become(1) },
    ];
  }
}
