import { setTimeout } from 'node:timers';
import { registryBusy, tooManyRequests } from '../functions/oci/host-errors.ts';

interface GateOptions {
  /** How many may be inside. */
  readonly all: number;
  /** How many of them from one address. */
  readonly perAddress: number;
  /** How long whoever comes too many waits for a turn. */
  readonly patienceMs: number;
}

interface Waiting {
  readonly address: string | undefined;
  readonly enter: () => void;
}

/** Lets so many requests in at a time, in all and from each address. Who comes too many waits, and is told 429 or 503 in the end. */
export class Gate {
  readonly #options: GateOptions;
  readonly #inside = new Map<string | undefined, number>();
  readonly #waiting = new Set<Waiting>();
  #all = 0;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** Lets a request in, and answers how it goes out again. An address that is not known counts in all only. Fails where its turn
   *  does not come in time, and with the reason of `signal`. */
  enter(address: string | undefined, signal: AbortSignal): Promise<() => void> | (() => void) {
    const leave = () => this.#leave(address);
    if (!this.#hasRoom(address)) return this.#wait(address, signal).then(() => leave);
    this.#admit(address);
    return leave;
  }

  #wait(address: string | undefined, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        this.#waiting.delete(waiting);
        clearTimeout(timer);
        signal.removeEventListener('abort', onGone);
      };
      const onGone = () => {
        stop();
        reject(signal.reason);
      };
      const enter = () => {
        stop();
        resolve();
      };
      const waiting = { address, enter };
      const timer = setTimeout(() => {
        stop();
        reject(this.#isFull(address) ? tooManyRequests() : registryBusy());
      }, this.#options.patienceMs);
      signal.addEventListener('abort', onGone);
      this.#waiting.add(waiting);
    });
  }

  #leave(address: string | undefined): void {
    this.#all -= 1;
    const rest = (this.#inside.get(address) ?? 0) - 1;
    if (rest > 0) this.#inside.set(address, rest);
    else this.#inside.delete(address);
    for (const waiting of this.#waiting) {
      if (!this.#hasRoom(waiting.address)) continue;
      this.#admit(waiting.address);
      waiting.enter();
      return;
    }
  }

  #admit(address: string | undefined): void {
    this.#all += 1;
    this.#inside.set(address, (this.#inside.get(address) ?? 0) + 1);
  }

  #hasRoom(address: string | undefined): boolean {
    return this.#all < this.#options.all && !this.#isFull(address);
  }

  #isFull(address: string | undefined): boolean {
    return address !== undefined && (this.#inside.get(address) ?? 0) >= this.#options.perAddress;
  }
}
