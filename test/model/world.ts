/** What there is in a model: repositories, blobs and manifests are numbered from 0. */
export interface Shape {
  readonly repositories: number;
  readonly blobs: number;
  readonly manifests: readonly Uses[];
}

/** What a manifest refers to. */
interface Uses {
  readonly blobs: readonly number[];
  readonly manifests: readonly number[];
}

/** A number of the table that a condition or a change can be about, as an attribute of an item is. */
type Cell = number;

/** One change in a transaction, as `Operation` of the real table. */
export interface Change {
  readonly cell: Cell;
  /** @default whatever is there */
  readonly when?: (value: number) => boolean;
  /** @default as it was */
  readonly to?: (value: number) => number;
}

type Repository = number;

/** Where each number of the table lies. `touched` is kept as one more than it is: 0 says that there is no such item. */
export class Layout {
  readonly shape: Shape;
  readonly size: number;
  readonly epoch: (r: Repository) => Cell;
  /** How far the sweep has come that ran out of time: one more than the last blob it has passed. */
  readonly progress: (r: Repository) => Cell;
  /** `B#`: touched. */
  readonly link: (r: Repository, blob: number) => Cell;
  readonly linkObject: (r: Repository, blob: number) => Cell;
  /** `L#` of the digest. */
  readonly linker: (r: Repository, blob: number) => Cell;
  /** `M#`: touched. */
  readonly manifest: (r: Repository, manifest: number) => Cell;
  /** `Y#`: touched, and which push it is of, counted in pushes of that manifest. */
  readonly intent: (r: Repository, manifest: number) => Cell;
  readonly intentBy: (r: Repository, manifest: number) => Cell;
  readonly intents: (r: Repository, manifest: number) => Cell;
  /** `going` of a blob link or manifest: which mark is on it, counted in marks of that target; 0 where there is none. */
  readonly going: (r: Repository, target: number) => Cell;
  readonly marks: (r: Repository, target: number) => Cell;
  /** `G#`: when it was dug, counted in graves. */
  readonly grave: (r: Repository, manifest: number) => Cell;
  /** `T#`, one for each manifest: whether the tag is on it. */
  readonly tag: (r: Repository, manifest: number) => Cell;
  /** `I#`, likewise. */
  readonly hint: (r: Repository, manifest: number) => Cell;
  /** `D#`: how many repositories link it, and the object. */
  readonly links: (blob: number) => Cell;
  readonly object: (blob: number) => Cell;
  /** How many objects were ever written, and which of them are in the outbox: deleted some day. */
  readonly written: (blob: number) => Cell;
  readonly discarded: (blob: number) => Cell;
  /** The objects of manifests too large for an item: which one it is that manifest, grave and tag name, how many were ever
   *  written, and which of them are in the outbox. */
  readonly content: (r: Repository, manifest: number) => Cell;
  readonly graveContent: (r: Repository, manifest: number) => Cell;
  readonly tagContent: (r: Repository, manifest: number) => Cell;
  readonly contents: (r: Repository, manifest: number) => Cell;
  readonly discardedContents: (r: Repository, manifest: number) => Cell;
  /** How many graves were ever dug, and how many of them have had their quarantine. */
  readonly dug: (r: Repository) => Cell;
  readonly over: (r: Repository) => Cell;
  /** No part of the table: that a blob or manifest was deleted by somebody who wanted it gone. */
  readonly unwanted: (r: Repository, target: number) => Cell;
  /** No part of the table: that a grave went before its time. */
  readonly robbed: (r: Repository) => Cell;
  readonly #edges: number;

  constructor(shape: Shape) {
    this.shape = shape;
    let size = 0;
    const take = (count: number) => {
      const start = size;
      size += count;
      return start;
    };
    const each = (count: number) => {
      const start = take(shape.repositories * count);
      return (r: Repository, index = 0) => start + r * count + index;
    };
    const eachBlob = () => {
      const start = take(shape.blobs);
      return (blob: number) => start + blob;
    };
    const [blobs, manifests] = [shape.blobs, shape.manifests.length];
    [this.epoch, this.progress] = [each(1), each(1)];
    [this.link, this.linkObject, this.linker] = [each(blobs), each(blobs), each(blobs)];
    [this.manifest, this.grave] = [each(manifests), each(manifests)];
    [this.intent, this.intentBy, this.intents] = [each(manifests), each(manifests), each(manifests)];
    [this.going, this.marks] = [each(blobs + manifests), each(blobs + manifests)];
    [this.tag, this.hint] = [each(manifests), each(manifests)];
    [this.content, this.graveContent, this.tagContent] = [each(manifests), each(manifests), each(manifests)];
    [this.contents, this.discardedContents] = [each(manifests), each(manifests)];
    [this.links, this.object, this.written, this.discarded] = [
      eachBlob(),
      eachBlob(),
      eachBlob(),
      eachBlob(),
    ];
    [this.dug, this.over, this.robbed] = [each(1), each(1), each(1)];
    this.unwanted = each(blobs + manifests);
    this.#edges = take(shape.repositories * (blobs + manifests) * manifests);
    this.size = size;
  }

  /** What edges can point at: blobs, and behind them the manifests. */
  get targets(): number {
    return this.shape.blobs + this.shape.manifests.length;
  }

  /** `E#`: touched. In the order of targets. */
  edge(r: Repository, target: number, manifest: number): Cell {
    const { length } = this.shape.manifests;
    return this.#edges + (r * this.targets + target) * length + manifest;
  }

  /** The blob link or the manifest that a target is. */
  target(r: Repository, target: number): Cell {
    const { blobs } = this.shape;
    return target < blobs ? this.link(r, target) : this.manifest(r, target - blobs);
  }

  /** All that a manifest refers to, as targets. */
  targetsOf(manifest: number): readonly number[] {
    const uses = this.shape.manifests[manifest];
    return uses ? [...uses.blobs, ...uses.manifests.map((child) => this.shape.blobs + child)] : [];
  }
}

/** The table at one moment. */
export class World {
  readonly #cells: Uint8Array;

  constructor(cells: Uint8Array) {
    this.#cells = cells;
  }

  copy(): World {
    return new World(this.#cells.slice());
  }

  get(cell: Cell): number {
    return this.#cells[cell] ?? 0;
  }

  set(cell: Cell, value: number): void {
    this.#cells[cell] = value;
  }

  /** Applies all changes or none, and tells which, as the real table does. */
  write(changes: readonly Change[]): boolean {
    for (const { cell, when } of changes) if (when && !when(this.get(cell))) return false;
    for (const { cell, to } of changes) if (to) this.set(cell, to(this.get(cell)));
    return true;
  }

  /** The same for worlds that are the same. */
  get text(): string {
    return String.fromCharCode(...this.#cells);
  }
}

export const equals = (value: number) => (found: number) => found === value;
export const atMost = (value: number) => (found: number) => found <= value;
export const atLeast = (value: number) => (found: number) => found >= value;
export const present = (found: number) => found > 0;
export const absent = (found: number) => found === 0;
export const become = (value: number) => () => value;
export const plus = (value: number) => (found: number) => found + value;
export const including = (object: number) => (found: number) => found | (1 << object);
