import type { Policy } from '../registry/policies.ts';

const HOUR_MS = 60 * 60_000;
const DAY_HOURS = 24;

interface Limits {
  /** What a run may delete. */
  readonly left?: number;
  /** Milliseconds since 1970: when it has to end. */
  readonly until: number;
  /** Milliseconds since 1970: when it may begin; absent where it may now. */
  readonly closedUntil?: number;
}

/** What all policies of a repository allow a run of this moment: the smallest number, and the hours that all of them allow. Hours
 *  that no policy shares with another never come; then it asks again in a day. */
export function limitsOf(policies: readonly Policy[], now: number): Limits {
  const runs = policies.flatMap(({ retention }) => retention?.run ?? []);
  const counts = runs.flatMap(({ maxDeletions }) => maxDeletions ?? []);
  const windows = runs.flatMap(({ hours }) => (hours ? [hours] : []));
  const isOpen = (hour: number) =>
    windows.every(([from, to]) => (from < to ? from <= hour && hour < to : from <= hour || hour < to));
  const started = now - (now % HOUR_MS);
  const hourOf = (ahead: number) => new Date(started + ahead * HOUR_MS).getUTCHours();
  const next = (open: boolean) => {
    for (let ahead = 1; ahead < DAY_HOURS; ahead += 1)
      if (isOpen(hourOf(ahead)) === open) return started + ahead * HOUR_MS;
    return started + DAY_HOURS * HOUR_MS;
  };
  return {
    ...(counts.length > 0 && { left: Math.min(...counts) }),
    until: windows.length === 0 ? Number.POSITIVE_INFINITY : next(false),
    ...(!isOpen(hourOf(0)) && { closedUntil: next(true) }),
  };
}

/** How many tags and manifests a run may delete still; what goes with a manifest because it belongs to it is not counted. */
export class Allowance {
  #left: number | undefined;

  constructor(left: number | undefined) {
    this.#left = left;
  }

  get left(): number | undefined {
    return this.#left;
  }

  get isSpent(): boolean {
    return this.#left === 0;
  }

  /** As many of these as may go, which are counted. */
  take<T>(going: readonly T[]): readonly T[] {
    if (this.#left === undefined) return going;
    const taken = going.slice(0, this.#left);
    this.#left -= taken.length;
    return taken;
  }
}
