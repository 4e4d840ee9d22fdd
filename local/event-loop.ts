/** Ours: how long one visit may go on in one turn of the event loop, once it has taken so much in all, and all visits
 *  together. With what a turn does besides, it stays well below the 50 ms that nobody is to wait for another. */
const VISIT_MS = 5;
const TURN_MS = 10;

/** Ours: the same of a job, where nobody waits. Who comes meanwhile waits as long, and several times for one answer, while a pull takes
 *  a few milliseconds. */
const JOB_MS = 1;

/** Has whoever takes long take turns: computations, and rows of calls of a table that answers within the turn it is asked in.
 *  Brief visits go first; of the long ones one goes on at a time, and together they have a third of the time at least. */
export class EventLoop {
  readonly #clock: () => number;
  readonly #brief: (() => void)[] = [];
  readonly #long: (() => void)[] = [];
  /** Since when the loop has been held; `undefined` where it has turned since anybody came. */
  #since: number | undefined;
  #longAt = Number.NEGATIVE_INFINITY;

  /** `clock` tells milliseconds. */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  /** Of one request, or one job. */
  visit(isJob = false): Visit {
    return new Visit(this, this.#clock, isJob);
  }

  /** Whether brief visits wait for others. */
  get isCrowded(): boolean {
    return this.#brief.length > 0;
  }

  /** Whether whoever has come in this turn has had all of it. */
  isOver(): boolean {
    if (this.#since === undefined) {
      this.#since = this.#clock();
      setImmediate(() => this.#turn());
    }
    return this.#clock() - this.#since >= TURN_MS;
  }

  /** Resolves in a turn that others have not used up. */
  wait(isLong: boolean): Promise<void> {
    this.isOver(); // so that there is a next one
    const { promise, resolve } = Promise.withResolvers<void>();
    (isLong ? this.#long : this.#brief).push(resolve);
    return promise;
  }

  /** One in each: a turn takes some microseconds where nothing else is to be done. */
  #turn(): void {
    this.#since = undefined;
    const now = this.#clock();
    const isLongs = this.#brief.length === 0 || now - this.#longAt >= VISIT_MS + TURN_MS;
    const long = isLongs ? this.#long.shift() : undefined;
    if (long) this.#longAt = now;
    const next = long ?? this.#brief.shift();
    if (!next) return;
    this.isOver();
    next();
  }
}

/** What one request or job has had of the loop. */
export class Visit {
  readonly #loop: EventLoop;
  readonly #clock: () => number;
  readonly #isJob: boolean;
  #spentMs = 0;
  #resumedAt = Number.NEGATIVE_INFINITY;

  constructor(loop: EventLoop, clock: () => number, isJob: boolean) {
    [this.#loop, this.#clock, this.#isJob] = [loop, clock, isJob];
  }

  /** Waits for its turn where it has had enough of this one, or others have. */
  async giveWay(): Promise<void> {
    const isLong = this.#spentMs >= VISIT_MS;
    const most = this.#isJob && !this.#loop.isCrowded ? JOB_MS : VISIT_MS;
    const hasHadEnough = isLong && this.#clock() - this.#resumedAt >= most;
    if (!this.#loop.isOver() && !hasHadEnough) return;
    await this.#loop.wait(isLong);
    this.#resumedAt = this.#clock();
  }

  /** Does what may hold the loop for a while, when it is its turn. */
  async take<T>(call: () => Promise<T>): Promise<T> {
    await this.giveWay();
    const began = this.#clock();
    const answer = call();
    this.#spentMs += this.#clock() - began;
    return answer;
  }
}
