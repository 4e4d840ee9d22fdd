import type { Part } from './explorer.ts';
import { type Protocol, reads, unlink, writes } from './protocol.ts';
import type { SweepOptions } from './sweep.ts';
import { become, equals, present } from './world.ts';

interface Edge {
  readonly target: number;
  readonly manifest: number;
  readonly touched: number;
}

interface Link {
  readonly blob: number;
  readonly touched: number;
}

/** One more than any sweep of the model comes to read at once. */
const ALL = 100;

/** Edges and links side by side; as `sweepLinks` and `Edges`. */
export class Merge {
  readonly #protocol: Protocol;
  readonly #options: SweepOptions;
  readonly #r: number;
  readonly #page: number;
  readonly #known = new Map<number, boolean>();
  readonly #epoch: number;
  #edges: Edge[] = [];
  #orphans: Edge[] = [];
  /** Where the next page of edges begins; `undefined` past the last. */
  #edgesFrom: number | undefined;

  /** `known`: which manifests there are, where that is known already, a bit for each and one more. */
  constructor(protocol: Protocol, options: SweepOptions, epoch: number, known = 0) {
    this.#protocol = protocol;
    this.#options = options;
    this.#r = options.repository ?? 0;
    this.#page = options.page ?? ALL;
    this.#epoch = epoch;
    for (const m of known ? protocol.layout.shape.manifests.keys() : [])
      this.#known.set(m, Boolean(known & (2 << m)));
  }

  /** Goes on past the first `after` blobs. Answers how many it has passed where its time is over, 0 at the end. */
  *run(after: number): Part<number> {
    this.#edgesFrom = after * this.#protocol.layout.shape.manifests.length;
    const { edgesFirst, manifestsLast } = this.#options;
    if (!manifestsLast) yield* this.#look([...this.#protocol.layout.shape.manifests.keys()]);
    if (edgesFirst) yield* this.#peek();
    for (let from = after; ; ) {
      const links = yield* this.#links(from);
      yield* this.#sift(links);
      const last = links.at(-1);
      if (last && this.#options.stops) return last.blob + 1;
      if (!last || links.length < this.#page) break;
      from = last.blob + 1;
    }
    yield* this.#hold(this.#protocol.layout.targets);
    yield* this.#flush();
    return 0;
  }

  *#sift(links: readonly Link[]): Part<void> {
    const unused: Link[] = [];
    for (const link of links) {
      const isHeld = yield* this.#hold(link.blob);
      if (!isHeld) unused.push(link);
    }
    if (links.length > 0) yield* this.#flush();
    yield* this.#remove(unused);
  }

  *#links(from: number): Part<Link[]> {
    const { layout } = this.#protocol;
    const all = Array.from({ length: layout.shape.blobs }, (_, blob) => blob);
    const found = yield reads('B#', 'reads links', (world) =>
      all
        .filter((blob) => blob >= from && world.get(layout.link(this.#r, blob)))
        .slice(0, this.#page)
        .flatMap((blob) => [blob, world.get(layout.link(this.#r, blob))]),
    );
    return pairs(found).map(([blob, touched]) => ({ blob, touched }));
  }

  *#nextEdges(from: number): Part<Edge[]> {
    const { layout } = this.#protocol;
    const { length } = layout.shape.manifests;
    const all = Array.from({ length: layout.targets * length }, (_, edge) => edge);
    const at = (edge: number) => layout.edge(this.#r, Math.floor(edge / length), edge % length);
    const found = yield reads('E#', 'reads edges', (world) =>
      all
        .filter((edge) => edge >= from && world.get(at(edge)))
        .slice(0, this.#page)
        .flatMap((edge) => [edge, world.get(at(edge))]),
    );
    const edges = pairs(found);
    const last = edges.at(-1);
    this.#edgesFrom = last && edges.length === this.#page ? last[0] + 1 : undefined;
    return edges.map(([edge, touched]) => ({
      target: Math.floor(edge / length),
      manifest: edge % length,
      touched,
    }));
  }

  /** Passes all edges up to those to `target`, and tells whether any of these stays. */
  *#hold(target: number): Part<boolean> {
    let isHeld = false;
    for (let edge = yield* this.#peek(); edge && edge.target <= target; edge = yield* this.#peek()) {
      this.#edges.shift();
      const stays = this.#stays(edge);
      if (stays && edge.target === target) isHeld = true;
      if (!stays) this.#orphans.push(edge);
    }
    return isHeld;
  }

  *#peek(): Part<Edge | undefined> {
    while (this.#edges.length === 0 && this.#edgesFrom !== undefined) {
      this.#edges = yield* this.#nextEdges(this.#edgesFrom);
      yield* this.#look(this.#edges.map(({ manifest }) => manifest));
    }
    return this.#edges[0];
  }

  *#look(manifests: readonly number[]): Part<void> {
    const { layout, omits } = this.#protocol;
    const wanted = [...new Set(manifests)].filter((m) => !this.#known.has(m));
    if (wanted.length === 0) return;
    const present = reads('M#', 'reads which manifests are there', (world) =>
      wanted.map((m) => world.get(layout.manifest(this.#r, m))),
    );
    const buried = reads('G#', 'reads which are in graves', (world) =>
      wanted.map((m) => world.get(layout.grave(this.#r, m))),
    );
    const isReversed = omits('graves are looked for before manifests');
    const first = yield isReversed ? buried : present;
    const second = yield isReversed ? present : buried;
    for (const [index, m] of wanted.entries()) {
      const there = omits('graves hold nothing') ? first[index] : first[index] || second[index];
      this.#known.set(m, Boolean(there));
    }
  }

  #stays({ touched, manifest }: Edge): boolean {
    const isYoung = !this.#isOld(touched) && !this.#protocol.omits('the sweep lets young edges hold nothing');
    return isYoung || this.#known.get(manifest) !== false;
  }

  #isOld(touched: number): boolean {
    const since = this.#protocol.omits('the sweep takes what was touched an epoch ago') ? 1 : 2;
    return touched - 1 <= this.#epoch - since;
  }

  *#flush(): Part<void> {
    const { layout, omits } = this.#protocol;
    const blind = omits('the sweep removes edges whoever has touched them');
    const changes = this.#orphans.splice(0).map(({ target, manifest, touched }) => ({
      cell: layout.edge(this.#r, target, manifest),
      when: blind ? present : equals(touched),
      to: become(0),
    }));
    if (changes.length === 0) return;
    const [committed] = yield writes('E#', 'removes edges without a manifest', () => changes);
    if (committed || changes.length === 1) return;
    for (const change of changes) yield writes('E#', 'removes one of them', () => [change]);
  }

  *#remove(unused: readonly Link[]): Part<void> {
    const old = unused.filter(({ touched }) => this.#isOld(touched));
    if (old.length === 0) return;
    const committed = yield* this.#unlink(old);
    if (committed || old.length === 1) return;
    for (const link of old) yield* this.#unlink([link]);
  }

  *#unlink(links: readonly Link[]): Part<boolean> {
    const { layout, omits } = this.#protocol;
    const blind = omits('the sweep removes links whoever has touched them');
    const found = yield reads('D#', 'reads their digests', (world) =>
      links.flatMap(({ blob }) => [world.get(layout.links(blob)), world.get(layout.object(blob))]),
    );
    const digests = pairs(found);
    const changes = links.flatMap(({ blob, touched }, index) => {
      const [counted, object] = digests[index] ?? [0, 0];
      if (!counted) return [];
      return unlink(
        this.#protocol,
        this.#r,
        blob,
        { links: counted, object },
        blind ? present : equals(touched),
      );
    });
    if (changes.length === 0) return true;
    const [committed] = yield writes('B# D#', 'removes links that nothing uses', () => changes);
    return committed === 1;
  }
}

function pairs(found: readonly number[]): [number, number][] {
  return Array.from({ length: found.length / 2 }, (_, index) => [
    found[2 * index] ?? 0,
    found[2 * index + 1] ?? 0,
  ]);
}
