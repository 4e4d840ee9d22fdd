interface Waiter {
  readonly begin: () => void;
  readonly giveUp: () => void;
}

/** Work of which only so much is done at once, and for which only so many wait, in turns by whom it is for: whoever brings much
 *  waits behind itself, and loses its last place to others where all are taken. */
export class FairQueue {
  readonly #atOnce: number;
  readonly #mostWaiting: number;
  #running = 0;
  /** The first in the map is next. */
  readonly #waiting = new Map<string, Waiter[]>();

  constructor({ atOnce, mostWaiting }: { readonly atOnce: number; readonly mostWaiting: number }) {
    [this.#atOnce, this.#mostWaiting] = [atOnce, mostWaiting];
  }

  /** The outcome of the work when it has had its turn; fails with `refusal` where there is no place to wait. */
  async do<T>(who: string, work: () => Promise<T>, refusal: () => Error): Promise<T> {
    if (this.#running < this.#atOnce) this.#running += 1;
    else await this.#wait(who, refusal);
    try {
      return await work();
    } finally {
      // Whoever is done hands its place on.
      const next = this.#next();
      if (next) next.begin();
      else this.#running -= 1;
    }
  }

  async #wait(who: string, refusal: () => Error): Promise<void> {
    const own = this.#waiting.get(who) ?? [];
    if (this.#count() >= this.#mostWaiting && !this.#displace(own.length)) throw refusal();
    await new Promise<void>((begin, reject) => {
      this.#waiting.set(who, [...(this.#waiting.get(who) ?? []), { begin, giveUp: () => reject(refusal()) }]);
    });
  }

  /** Takes the last place from whoever has most, where that is more than one more than these; answers whether it could. */
  #displace(than: number): boolean {
    const [most] = [...this.#waiting].sort(([, one], [, other]) => other.length - one.length);
    if (!most || most[1].length <= than + 1) return false;
    most[1].pop()?.giveUp();
    return true;
  }

  #next(): Waiter | undefined {
    const [first] = this.#waiting;
    if (!first) return undefined;
    const [who, [next, ...others]] = first;
    this.#waiting.delete(who);
    if (others.length > 0) this.#waiting.set(who, others);
    return next;
  }

  #count(): number {
    return [...this.#waiting.values()].reduce((sum, { length }) => sum + length, 0);
  }
}
