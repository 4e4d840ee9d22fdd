const HOUR_MS = 60 * 60_000;

/** A clock that has moved by more than this, beside the time that has certainly passed, may be wrong. Less than any age at
 *  which something is deleted by default. */
const JUMP_MS = 24 * HOUR_MS;

/** It is believed when the registry has run for so long with it; whoever looks after it has a day to see the message. */
const TRIAL_MS = 24 * HOUR_MS;

/** When this version was made: no clock that is right says less. To be raised with each release. */
const RELEASED = Date.UTC(2026, 10, 30);

/** What is remembered of a clock from one start to the next. */
export interface ClockMemory {
  /** Milliseconds since 1970: the last time that is certain. */
  readonly seen: number;
  /** Milliseconds that the registry has run with a clock that may be wrong. */
  readonly doubtful: number;
}

/** What tells the time. */
export interface Clocks {
  /** Milliseconds since 1970. @default Date.now */
  readonly wall?: () => number;
  /** Milliseconds since any moment, which nobody sets. @default performance.now */
  readonly steady?: () => number;
}

/** The machine's clock, and whether to believe it. A machine without a battery starts in 1970, a restored one in its past,
 *  a mistyped date in the future; and a machine that was off, or asleep, finds its clock ahead and is right. */
export class WatchedClock {
  readonly #wall: () => number;
  readonly #steady: () => number;
  #seen: number;
  #doubtful: number;
  /** By the steady clock: when `seen` was certain. */
  #since: number;

  constructor(
    memory: ClockMemory | undefined,
    { wall = () => Date.now(), steady = () => performance.now() }: Clocks = {},
  ) {
    this.#wall = wall;
    this.#steady = steady;
    this.#seen = memory?.seen ?? Math.max(wall(), RELEASED);
    this.#doubtful = memory?.doubtful ?? 0;
    this.#since = steady();
  }

  /** Milliseconds since 1970; never more than a day before what is certain. What were written in 1970 would be deleted for
   *  its age once the clock is right. */
  now(): number {
    const wall = this.#wall();
    return wall < this.#certain - JUMP_MS ? this.#certain : wall;
  }

  /** Milliseconds since any moment, which nobody sets. */
  steady(): number {
    return this.#steady();
  }

  /** Why the clock may be wrong, and what to do; `undefined` where it is believed. */
  doubt(): string | undefined {
    const [wall, certain] = [this.#wall(), this.#certain];
    const days = Math.floor(Math.abs(wall - certain) / JUMP_MS);
    if (days === 0) return undefined;
    const rest = TRIAL_MS - this.#doubtful - (this.#steady() - this.#since);
    return (
      `the clock says ${textOf(wall)}, ${days} days ${wall > certain ? 'after' : 'before'} it was last seen right: ` +
      `nothing is deleted for its age for another ${Math.max(1, Math.ceil(rest / HOUR_MS))} hours. Where the clock is ` +
      'wrong, set it; where it is right, wait, or start with STOWAGE_TRUST_CLOCK=1: docs/runbook.md#the-clock-has-jumped'
    );
  }

  /** Looks at the clock, and answers what to remember of it. To be called at every start and end, and once an hour. */
  look(): ClockMemory {
    const steady = this.#steady();
    const isDoubtful = this.doubt() !== undefined;
    this.#doubtful = isDoubtful ? this.#doubtful + (steady - this.#since) : 0;
    this.#seen = isDoubtful && this.#doubtful < TRIAL_MS ? this.#certain : this.#wall();
    this.#since = steady;
    return { seen: this.#seen, doubtful: this.#doubtful };
  }

  /** So much time must have passed at least. */
  get #certain(): number {
    return this.#seen + (this.#steady() - this.#since);
  }
}

/** Also of a time that no date can hold. */
const textOf = (milliseconds: number) => {
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? `${milliseconds}` : date.toISOString();
};
