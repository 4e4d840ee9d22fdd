import { type Actor, go, type Next, type Part, type Phase, type Step } from './explorer.ts';
import { linkBlob } from './links.ts';
import { type Protocol, reads, writes } from './protocol.ts';
import { absent, become, type Change, equals, present } from './world.ts';

interface PushOptions {
  readonly name?: string;
  readonly repository?: number;
  readonly manifest: number;
  /** Whether it moves a tag to the manifest. @default true */
  readonly tagged?: boolean;
  /** Whether it has so many edges that its intent is written before them. @default false */
  readonly apart?: boolean;
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

/** What an attempt goes on with. */
interface Attempt {
  readonly lease: number;
  readonly epoch: number;
  /** The manifest as it was found: when it was touched, 0 where it is not there, and its object. */
  readonly found: number;
  readonly object: number;
  /** Which push it enters or joins; 0 before, and where the manifest is there. */
  readonly by: number;
  /** Edges that it has made since it has entered or joined that: one bit each. */
  readonly made: number;
}

const attemptOf = ([
  lease = 0,
  epoch = 0,
  found = 0,
  object = 0,
  by = 0,
  made = 0,
]: readonly number[]): Attempt => ({ lease, epoch, found, object, by, made });

/** More than anything that is read. */
const REFUSED = 1000;

const LOST = Symbol('lost race');

interface Written {
  readonly by: number;
  readonly made: number;
}

const NOTHING: Written = { by: 0, made: 0 };

/** The protocol of `putManifest`. Every phase is given the lease: one more than the epoch since which all that the
 *  manifest refers to is promised to be there; 0 where nothing is. */
export class Push {
  readonly #protocol: Protocol;
  readonly #r: number;
  readonly #m: number;
  readonly #isTagged: boolean;
  readonly #isApart: boolean;
  readonly #targets: readonly number[];
  readonly #cells: readonly number[];
  readonly #edges: readonly number[];
  /** What it is about: blobs, or the children of an index. */
  readonly #kind: string;

  constructor(protocol: Protocol, { repository = 0, manifest, tagged = true, apart = false }: PushOptions) {
    const { layout } = protocol;
    this.#protocol = protocol;
    [this.#r, this.#m, this.#isTagged, this.#isApart] = [repository, manifest, tagged, apart];
    this.#targets = layout.targetsOf(manifest);
    this.#cells = this.#targets.map((target) => layout.target(repository, target));
    this.#edges = this.#targets.map((target) => layout.edge(repository, target, manifest));
    this.#kind = this.#targets.some((target) => target >= layout.shape.blobs) ? 'M#' : 'B#';
  }

  readonly head: Phase = () => this.#head();
  readonly upload: Phase = () => this.#upload();
  readonly begin: Phase = (lease = 0, by = 0, made = 0) => this.#begin(lease, by, made);
  readonly hold: Phase = (...args) => this.#hold(attemptOf(args));
  readonly touch: Phase = (...args) => this.#touch(attemptOf(args));
  readonly commit: Phase = (...args) => this.#commit(attemptOf(args));
  readonly takeBack: Phase = (...args) => this.#takeBack(attemptOf(args));

  *#head(): Part<Next> {
    const { layout, omits } = this.#protocol;
    const [epoch = 0] = yield reads('#', 'reads the epoch', (world) => [world.get(layout.epoch(this.#r))]);
    const all = yield this.#lookFor('is asked for what it refers to', 0, this.#asked);
    const found = all.slice(0, this.#cells.length);
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

  *#begin(lease: number, by: number, made: number): Part<Next> {
    const { layout } = this.#protocol;
    const [epoch = 0, found = 0, object = 0] = yield reads(
      '# M#',
      'reads the epoch and the manifest',
      (world) => [
        world.get(layout.epoch(this.#r)),
        world.get(layout.manifest(this.#r, this.#m)),
        world.get(layout.content(this.#r, this.#m)),
      ],
    );
    return this.#go('begin', { lease, epoch, found, object, ...(found ? { by: 0, made: 0 } : { by, made }) });
  }

  /** What comes after a phase. */
  #go(phase: 'begin' | 'hold' | 'touch' | 'commit', attempt: Attempt): Next {
    const { omits } = this.#protocol;
    const isLate = omits('a push writes its edges after its commit');
    const order = isLate
      ? (['begin', 'touch', 'commit', 'hold'] as const)
      : omits('a push looks for what it uses before it writes its edges')
        ? (['begin', 'touch', 'hold', 'commit'] as const)
        : (['begin', 'hold', 'touch', 'commit'] as const);
    const next = order[order.indexOf(phase) + 1];
    return next ? this.#again(next, attempt) : 'end';
  }

  #again(phase: 'hold' | 'touch' | 'commit' | 'begin' | 'takeBack', attempt: Attempt): Next {
    const { lease, epoch, found, object, by, made } = attempt;
    return go(this[phase], lease, epoch, found, object, by, made);
  }

  /** Where the manifest was not there it enters the push among those under way, or joins the one that is; beyond a hundred
   *  edges, before the rest of them. */
  *#hold(attempt: Attempt): Part<Next> {
    const isNew = !attempt.found && !this.#protocol.omits('a push writes its edges after its commit');
    const first = yield* this.#write(this.#isApart ? [] : this.#edges, attempt.epoch, isNew);
    const rest = this.#isApart ? yield* this.#write(this.#edges, attempt.epoch, false) : NOTHING;
    if (first === LOST || rest === LOST) return this.#again('hold', attempt);
    const { by } = first;
    const before = by === attempt.by ? attempt.made : 0;
    return this.#go('hold', { ...attempt, by, made: by && before | first.made | rest.made });
  }

  /** Answers which push the intent is of, 0 without one, and which edges it made. */
  *#write(edges: readonly number[], epoch: number, withIntent: boolean): Part<Written | typeof LOST> {
    const { layout } = this.#protocol;
    const [intent, intentBy] = [layout.intent(this.#r, this.#m), layout.intentBy(this.#r, this.#m)];
    const cells = withIntent ? [intent, ...edges] : edges;
    const items = withIntent ? 'E# Y#' : 'E#';
    const [by = 0, ...found] = yield reads(items, 'looks for its edges', (world) => [
      withIntent ? world.get(intentBy) : 0,
      ...cells.map((cell) => world.get(cell)),
    ]);
    const made = cells.filter((_, index) => !found[index]);
    const changes: Change[] = [
      ...this.#touches(found, cells, epoch),
      ...made.map((cell) => ({ cell, when: absent, to: become(epoch + 1) })),
    ];
    if (changes.length === 0) return { by, made: 0 };
    const [committed = 0] = yield {
      call: `write ${items}`,
      says: withIntent ? 'writes its edges, and that it is under way' : 'writes its edges',
      run: (world) => {
        const own = world.get(layout.intents(this.#r, this.#m)) + 1;
        const entered = [
          { cell: intentBy, to: become(own) },
          { cell: layout.intents(this.#r, this.#m), to: become(own) },
        ];
        if (!withIntent || by) return world.write(changes) ? [by + 1] : [0];
        return world.write([...changes, ...entered]) ? [own + 1] : [0];
      },
    };
    const bits = edges.map((cell, index) => (made.includes(cell) ? 1 << index : 0));
    return committed ? { by: committed - 1, made: bits.reduce((all, bit) => all | bit, 0) } : LOST;
  }

  *#touch(attempt: Attempt): Part<Next> {
    const { lease, epoch } = attempt;
    const { omits } = this.#protocol;
    const found = yield this.#lookFor('looks for what it refers to', lease);
    if (found.includes(REFUSED)) return { violation: 'a push is refused although its lease holds' };
    const touched = found.slice(0, this.#cells.length);
    const going = found.slice(this.#cells.length);
    if (touched.includes(0)) return this.#again('takeBack', attempt);
    const changes = omits('a push does not touch') ? [] : this.#touches(touched, this.#cells, epoch);
    if (!omits('a push leaves marks on what it uses')) changes.push(...this.#unmarks(going));
    const [committed] = changes.length > 0 ? yield writes(this.#kind, 'touches it', () => changes) : [1];
    if (!committed) return this.#again('touch', attempt);
    return this.#go('touch', { ...attempt, lease: Math.max(lease, epoch + 1) });
  }

  *#commit(attempt: Attempt): Part<Next> {
    const { layout, omits } = this.#protocol;
    const { lease, epoch, found, object } = attempt;
    const [now = 0] = yield reads('# T#', 'reads the epoch again, and the tag', (world) => [
      world.get(layout.epoch(this.#r)),
    ]);
    const late = omits('a push commits two epochs late') ? 2 : 1;
    const { by, made } = attempt;
    if (now > epoch + late && !omits('a push commits in whatever epoch'))
      return go(this.begin, lease, by, made);
    const [committed] = yield writes(attempt.by ? 'M# T# Y#' : 'M# T#', 'commits', (world) => {
      const own = world.get(layout.contents(this.#r, this.#m)) + 1;
      return [
        ...(found ? this.#keep(attempt) : this.#add(own, epoch)),
        ...this.#ends(attempt),
        ...(this.#isTagged ? this.#tag(found ? object : own) : []),
      ];
    });
    return committed ? this.#go('commit', attempt) : go(this.begin, lease, by, made);
  }

  /** What says of a blob whether its bytes are sound, which here they are, is read with it. */
  get #asked(): string {
    return this.#kind === 'B#' ? 'B# D#' : this.#kind;
  }

  /** When each was touched, then which mark is on each; with `REFUSED` where something is missing that was promised. */
  #lookFor(says: string, lease: number, items = this.#kind): Step {
    const { layout } = this.#protocol;
    return reads(items, says, (world) => {
      const found = this.#cells.map((cell) => world.get(cell));
      const going = this.#targets.map((target) => world.get(layout.going(this.#r, target)));
      const isPromised =
        world.get(layout.epoch(this.#r)) <= lease &&
        this.#targets.every((target) => !world.get(layout.unwanted(this.#r, target)));
      const isRefused = found.includes(0) && lease > 0 && isPromised;
      return [...found, ...going, ...(isRefused ? [REFUSED] : [])];
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

  #unmarks(going: readonly number[]): Change[] {
    const { layout } = this.#protocol;
    return this.#targets.flatMap((target, index): Change[] => {
      const mark = going[index] ?? 0;
      return mark ? [{ cell: layout.going(this.#r, target), when: equals(mark), to: become(0) }] : [];
    });
  }

  /** On condition that the push is still under way, as this one has left it. */
  #ends({ by, epoch }: Pick<Attempt, 'by' | 'epoch'>): Change[] {
    const { layout, omits } = this.#protocol;
    if (!by) return [];
    const [intent, intentBy] = [layout.intent(this.#r, this.#m), layout.intentBy(this.#r, this.#m)];
    if (omits('a push commits without its intent'))
      return [intent, intentBy].map((cell) => ({ cell, to: become(0) }));
    const anyEpoch = omits('a push commits on an intent of another epoch');
    const anyPush = omits('a push commits on the intent of another push');
    return [
      { cell: intent, when: anyEpoch ? present : equals(epoch + 1), to: become(0) },
      { cell: intentBy, when: anyPush ? present : equals(by), to: become(0) },
    ];
  }

  /** What it has left, where it is refused and its push is as it left it. Of very many edges some go first; with them the push
   *  gets another name. */
  *#takeBack({ by, epoch, made }: Attempt): Part<Next> {
    const { layout, omits } = this.#protocol;
    if (!by) return 'end';
    const [intent, intentBy] = [layout.intent(this.#r, this.#m), layout.intentBy(this.#r, this.#m)];
    const removals: Change[] = this.#edges
      .filter((_, index) => made & (1 << index))
      .map((cell) => ({ cell, to: become(0) }));
    const entered = (push: number): Change[] => [
      { cell: intent, when: equals(epoch + 1) },
      { cell: intentBy, when: equals(push) },
    ];
    const ended: Change[] = [intent, intentBy].map((cell) => ({ cell, to: become(0) }));
    const isLeft = omits('a refused push takes its edges back and stays under way');
    const ends = (push: number) => (isLeft ? entered(push) : this.#ends({ by: push, epoch }));
    if (!this.#isApart || removals.length === 0) {
      yield writes(removals.length > 0 ? 'E# Y#' : 'Y#', 'takes back what it left', () =>
        omits('a refused push takes its edges back whoever has ended it')
          ? [...removals, ...ended]
          : [...removals, ...ends(by)],
      );
      return 'end';
    }
    const keepsName = omits('a refused push of very many edges keeps its name while they go');
    const [named = 0] = yield {
      call: 'write E# Y#',
      says: 'takes edges back',
      run: (world) => {
        const own = keepsName ? by : world.get(layout.intents(this.#r, this.#m)) + 1;
        const renamed = { cell: intentBy, when: equals(by), to: become(own) };
        const counted = { cell: layout.intents(this.#r, this.#m), to: become(Math.max(own, by)) };
        const same = { cell: intent, when: equals(epoch + 1) };
        return [world.write([...removals, same, renamed, ...(keepsName ? [] : [counted])]) ? own : 0];
      },
    };
    if (named) yield writes('Y#', 'takes back the rest', () => ends(named));
    return 'end';
  }

  #keep({ found, object, epoch }: Attempt): Change[] {
    const { layout, omits } = this.#protocol;
    const cell = layout.manifest(this.#r, this.#m);
    const raised = (touched: number) => present(touched) && touched <= epoch + 1;
    const blind = omits('a push takes whatever object a manifest has');
    const mark = layout.going(this.#r, layout.shape.blobs + this.#m);
    return [
      found <= epoch ? { cell, when: raised, to: become(epoch + 1) } : { cell, when: present },
      ...(omits('a push leaves the mark on its manifest') ? [] : [{ cell: mark, to: become(0) }]),
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
