import { createHash } from 'node:crypto';

/** Ours: what a saved ranking takes at most, of the 400 KB of an item. */
const SAVED_CHARS = 180_000;
/** Twice of that in memory: what has to be cut is cut rarely. */
const HELD_CHARS = 2 * SAVED_CHARS;
/** For quotes and commas. */
const OVERHEAD = 8;
const LONG = 20;
/** Past all hashes. */
const END = 'g';

/** Names of up to 20 characters are told apart, and sort, as they are; longer ones by their beginning and a hash. */
const shortOf = (text: string) =>
  text.length <= LONG ? text : `${text.slice(0, 10)}${hashOf(text).slice(0, 10)}`;
const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');

/** A ranking of a rule: how many places each of its groups has. */
export interface Ranked {
  readonly ranking: number;
  readonly group: string;
  readonly id: string;
  /** Text that sorts as the things do, the last the greatest; at most some hundred characters. */
  readonly order: string;
}

export interface Place {
  readonly isAmong: boolean;
  /** From 1; absent where it is past the places, and so many things were counted that no more is known. */
  readonly rank?: number;
  readonly of: number;
}

interface Group {
  of: number;
  readonly orders: Map<string, string>;
  sorted?: readonly (readonly [order: string, id: string])[] | undefined;
}

interface Saved {
  readonly from: string;
  readonly to: string;
  readonly isTight: boolean;
  readonly dropped: readonly number[];
  readonly groups: readonly (readonly [name: string, of: number, ...orders: string[]])[];
}

/** The first of each of many groups, in bounded memory. Where there is room for all, all have a rank; where not, only those
 *  that have a place are kept; where there are too many groups for that, a slice of these by their hashes, and the next
 *  slice in another pass. A ranking that takes too much by itself is given up. */
export class Rankings {
  readonly #places: readonly number[];
  readonly #groups = new Map<string, Group>();
  readonly #dropped: Set<number>;
  readonly #from: string;
  #to: string;
  #isTight: boolean;
  #chars = 0;

  /** `places` of each ranking. */
  constructor(places: readonly number[], state?: string) {
    const saved = state === undefined ? undefined : (JSON.parse(state) as Saved);
    this.#places = places;
    this.#from = saved?.from ?? '';
    this.#to = saved?.to ?? END;
    this.#isTight = saved?.isTight ?? false;
    this.#dropped = new Set(saved?.dropped);
    for (const [name, of, ...orders] of saved?.groups ?? []) {
      const group: Group = { of, orders: new Map() };
      this.#groups.set(name, group);
      this.#chars += name.length + OVERHEAD;
      for (let index = 0; index < orders.length; index += 2)
        this.#put(group, orders[index] ?? '', orders[index + 1] ?? '');
    }
  }

  /** Counts a thing; one of which there are several parts, such as the tags of an image, by the greatest. */
  add(ranked: Ranked): void {
    const name = groupName(ranked);
    if (!this.#isInSlice(name, ranked)) return;
    let group = this.#groups.get(name);
    if (!group) {
      group = { of: 0, orders: new Map() };
      this.#groups.set(name, group);
      this.#chars += name.length + OVERHEAD;
    }
    const id = shortOf(ranked.id);
    if (this.#put(group, id, ranked.order)) group.of += 1;
    if (this.#chars > HELD_CHARS) this.#shrink();
  }

  /** Answers whether it was not there. */
  #put(group: Group, id: string, order: string): boolean {
    const before = group.orders.get(id);
    if (before !== undefined && before >= order) return false;
    group.sorted = undefined;
    group.orders.set(id, order);
    this.#chars += order.length - (before?.length ?? -id.length - OVERHEAD);
    return before === undefined;
  }

  /** `undefined` where its group is not in this slice. */
  placeOf(ranked: Ranked): Place | undefined {
    const name = groupName(ranked);
    if (!this.#isInSlice(name, ranked)) return undefined;
    const group = this.#groups.get(name);
    const places = this.#places[ranked.ranking] ?? 0;
    if (!group) return { isAmong: places > 0, rank: 1, of: 1 };
    const id = shortOf(ranked.id);
    const known = group.orders.get(id) ?? '';
    const order = ranked.order > known ? ranked.order : known;
    const before = countBefore(sortedOf(group), [order, id]);
    const isKnown = !this.#isTight || before < places;
    return {
      isAmong: before < places,
      of: Math.max(group.of, before + 1),
      ...(isKnown && { rank: before + 1 }),
    };
  }

  #isInSlice(name: string, { ranking }: Ranked): boolean {
    const hash = hashIn(name);
    return this.#from <= hash && hash < this.#to && !this.#dropped.has(ranking);
  }

  state(): string {
    if (this.#chars > SAVED_CHARS) this.#shrink();
    return this.#saved({ from: this.#from, to: this.#to, groups: this.#entries() });
  }

  /** Where the slice after this one begins; `undefined` behind the last one. */
  next(): string | undefined {
    return this.#to === END ? undefined : this.#saved({ from: this.#to, to: END, groups: [] });
  }

  #saved(state: Pick<Saved, 'from' | 'to' | 'groups'>): string {
    return JSON.stringify({ ...state, isTight: this.#isTight, dropped: [...this.#dropped] } satisfies Saved);
  }

  #entries(): Saved['groups'] {
    return [...this.#groups].map(([name, { of, orders }]) => [name, of, ...[...orders].flat()]);
  }

  /** First without what has no place; then without the groups that are the last by their hashes, as long as there are two
   *  hashes; then without the largest ranking. */
  #shrink(): void {
    this.#isTight = true;
    for (const [name, group] of this.#groups) this.#trim(group, this.#places[rankingIn(name)] ?? 0);
    this.#narrow();
    while (this.#chars > SAVED_CHARS) this.#giveUp();
  }

  #narrow(): void {
    const names = [...this.#groups.keys()].toSorted(compare);
    const first = hashIn(names[0] ?? '');
    for (let name = names.pop(); name !== undefined && hashIn(name) !== first; name = names.pop()) {
      // All groups of one hash go together.
      if (this.#chars <= SAVED_CHARS && hashIn(name) !== this.#to) return;
      this.#to = hashIn(name);
      this.#drop(name);
    }
  }

  #giveUp(): void {
    const [largest] = [...this.#groups].toSorted(([, a], [, b]) => b.orders.size - a.orders.size);
    const ranking = rankingIn(largest?.[0] ?? '');
    this.#dropped.add(ranking);
    for (const name of this.#groups.keys()) if (rankingIn(name) === ranking) this.#drop(name);
  }

  #trim(group: Group, places: number): void {
    for (const [order, id] of sortedOf(group).slice(places)) {
      group.orders.delete(id);
      this.#chars -= id.length + order.length + OVERHEAD;
    }
    group.sorted = undefined;
  }

  #drop(name: string): void {
    const group = this.#groups.get(name);
    if (!group) return;
    this.#trim(group, 0);
    this.#groups.delete(name);
    this.#chars -= name.length + OVERHEAD;
  }
}

/** Groups of one name are in one slice, whichever rankings they are of. */
const groupName = ({ ranking, group }: Ranked) =>
  `${group === '' ? UNGROUPED : hashOf(group).slice(0, 16)}${ranking}`;
const UNGROUPED = hashOf('').slice(0, 16);
const hashIn = (name: string) => name.slice(0, 16);
const rankingIn = (name: string) => Number(name.slice(16));

/** The greatest first; of two that are alike, the greater name. */
function sortedOf(group: Group): readonly (readonly [string, string])[] {
  group.sorted ??= [...group.orders].map(([id, order]) => [order, id] as const).toSorted(greatestFirst);
  return group.sorted;
}

const greatestFirst = ([a, first]: readonly [string, string], [b, second]: readonly [string, string]) =>
  a === b ? compare(second, first) : compare(b, a);
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function countBefore(
  sorted: readonly (readonly [string, string])[],
  place: readonly [string, string],
): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (greatestFirst(sorted[middle] as readonly [string, string], place) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
