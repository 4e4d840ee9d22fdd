interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/** A clock that goes on when everybody waits for it. */
export class VirtualTime {
  #now = Date.parse('2026-12-01T00:00:00Z');
  /** The earliest last. */
  readonly #sleepers: Sleeper[] = [];

  get now(): number {
    return this.#now;
  }

  wait(milliseconds: number): Promise<void> {
    return new Promise((wake) => {
      const at = this.#now + milliseconds;
      const index = this.#sleepers.findLastIndex((sleeper) => sleeper.at > at);
      this.#sleepers.splice(index + 1, 0, { at, wake });
    });
  }

  /** Goes on for so long, whoever is still waiting then. */
  async run(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    for (;;) {
      await new Promise(setImmediate);
      const next = this.#sleepers.at(-1);
      if (!next || next.at > end) break;
      this.#sleepers.pop();
      this.#now = next.at;
      next.wake();
    }
    this.#now = end;
  }
}
