import { setTimeout } from 'node:timers';
import { registryBusy, tooManyRequests } from '../functions/oci/host-errors.ts';
import { Stalled } from './stalls.ts';

interface GateOptions {
  /** How many may be inside. */
  readonly all: number;
  /** How many of them from one address. */
  readonly perAddress: number;
  /** How long whoever comes too many waits for a turn. */
  readonly patienceMs: number;
  /** How long the client of one that is inside may take nothing of its answer while others wait for its place. */
  readonly stallMs: number;
}

/** A request that wants in. */
export interface Visitor {
  /** That of whom counts in all only is not known. */
  readonly address: string | undefined;
  /** For how many milliseconds its client has taken nothing of an answer that is ready. */
  readonly stalledMs: number;
  /** Ends it; it goes out soon. */
  cut(): void;
}

/** Lets in whoever waits. */
type Waiting = () => void;

/** For those who wait it is looked whose place they could take, so often; and for so many at once. */
const RELIEF_MS = 250;
const RELIEVED_AT_ONCE = 100;

/** Lets so many requests in at a time, in all and from each address. Who comes too many waits, takes the place of one whose client
 *  has stopped to take its answer, and is told 429 or 503 in the end. */
export class Gate {
  readonly #options: GateOptions;
  readonly #inside = new Set<Visitor>();
  readonly #cut = new Set<Visitor>();
  readonly #counts = new Map<string | undefined, number>();
  /** Those of each address, in the order in which they came. */
  readonly #waiting = new Map<string | undefined, Set<Waiting>>();
  #relief: NodeJS.Timeout | undefined;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** Lets a request in, and answers how it goes out again. Fails where its turn does not come in time, and with the reason
   *  of `signal`. */
  enter(visitor: Visitor, signal: AbortSignal): Promise<() => void> | (() => void) {
    const leave = () => this.#leave(visitor);
    if (!this.#hasRoom(visitor.address)) return this.#wait(visitor, signal).then(() => leave);
    this.#admit(visitor);
    return leave;
  }

  #wait(visitor: Visitor, signal: AbortSignal): Promise<void> {
    const { address } = visitor;
    return new Promise((resolve, reject) => {
      const own = this.#waiting.get(address) ?? new Set();
      this.#waiting.set(address, own);
      const stop = () => {
        own.delete(enter);
        if (own.size === 0 && this.#waiting.get(address) === own) this.#waiting.delete(address);
        clearTimeout(timer);
        signal.removeEventListener('abort', onGone);
      };
      const onGone = () => {
        stop();
        reject(signal.reason);
      };
      const enter = () => {
        stop();
        this.#admit(visitor);
        resolve();
      };
      const timer = setTimeout(() => {
        stop();
        reject(this.#isFull(address) ? tooManyRequests() : registryBusy());
      }, this.#options.patienceMs);
      signal.addEventListener('abort', onGone);
      own.add(enter);
      this.#relieve();
    });
  }

  #leave(visitor: Visitor): void {
    this.#inside.delete(visitor);
    this.#cut.delete(visitor);
    const rest = this.#countOf(visitor.address) - 1;
    if (rest > 0) this.#counts.set(visitor.address, rest);
    else this.#counts.delete(visitor.address);
    this.#next()?.();
  }

  /** Whoever waits for longest, of the address that has least inside and has room. */
  #next(): Waiting | undefined {
    let least: string | undefined;
    let next: Waiting | undefined;
    for (const [address, [first]] of this.#waiting) {
      if (!this.#hasRoom(address) || (next && this.#countOf(address) >= this.#countOf(least))) continue;
      [least, next] = [address, first];
    }
    return next;
  }

  /** Ends some whose clients have stopped for those who wait: of their own address, where that is full. */
  #relieve(): void {
    if (this.#relief || this.#waiting.size === 0) return;
    const stalled = new Stalled(
      [...this.#inside].filter((visitor) => !this.#cut.has(visitor)),
      this.#options.stallMs,
    );
    let rest = RELIEVED_AT_ONCE;
    for (const [address, waiting] of this.#waiting) {
      for (let count = waiting.size; count > 0 && rest > 0; count -= 1, rest -= 1) {
        const displaced = this.#isFull(address) ? stalled.takeOf(address) : stalled.take();
        if (!displaced) break;
        this.#cut.add(displaced);
        displaced.cut();
      }
    }
    this.#relief = setTimeout(() => {
      this.#relief = undefined;
      this.#relieve();
    }, RELIEF_MS).unref();
  }

  #admit(visitor: Visitor): void {
    this.#inside.add(visitor);
    this.#counts.set(visitor.address, this.#countOf(visitor.address) + 1);
  }

  #hasRoom(address: string | undefined): boolean {
    return this.#inside.size < this.#options.all && !this.#isFull(address);
  }

  #isFull(address: string | undefined): boolean {
    return address !== undefined && this.#countOf(address) >= this.#options.perAddress;
  }

  #countOf(address: string | undefined): number {
    return this.#counts.get(address) ?? 0;
  }
}
