import { setInterval } from 'node:timers';
import { memoryShort } from '../oci/host-errors.ts';

interface MemoryBudgetOptions {
  readonly bytes: number;
  readonly now: () => number;
}

/** Memory that was granted, until it is given back. */
export interface Grant {
  /** More of it has been filled. */
  progress(): void;
  /** It is not its client any more that it waits for. */
  settle(): void;
  release(): void;
}

interface Held {
  readonly size: number;
  readonly cut: (error: Error) => void;
  /** It has to be filled by then where others wait. */
  readonly due: number;
  lastFilled: number;
}

interface Waiting {
  readonly size: number;
  readonly enter: () => void;
}

/** Ours, for whoever fills memory that others wait for: how long nothing may come, and how slowly it may. */
const SILENCE_MS = 10_000;
const LEAST_BYTES_PER_SECOND = 32 * 1024;

const LOOK_MS = 1000;

/** So much memory for what clients send, in all. Who comes when it is used up waits for a turn; meanwhile those that fill theirs too
 *  slowly are cut. */
export class MemoryBudget {
  readonly #bytes: number;
  readonly #now: () => number;
  /** Those that wait for their clients. */
  readonly #filling = new Set<Held>();
  readonly #waiting = new Set<Waiting>();
  #used = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor({ bytes, now }: MemoryBudgetOptions) {
    [this.#bytes, this.#now] = [bytes, now];
  }

  get used(): number {
    return this.#used;
  }

  /** Resolves when there is room for so many bytes, which one alone always has. `cut` is called at most once, and has to see to it that
   *  they are given back. Fails with the reason of `signal`. */
  async take(size: number, cut: Held['cut'], signal?: AbortSignal): Promise<Grant> {
    if (this.#waiting.size > 0 || !this.#fits(size)) await this.#wait(size, signal);
    else this.#used += size;
    const now = this.#now();
    const due = now + SILENCE_MS + (size / LEAST_BYTES_PER_SECOND) * 1000;
    const held: Held = { size, cut, due, lastFilled: now };
    this.#filling.add(held);
    let isHeld = true;
    return {
      progress: () => {
        held.lastFilled = this.#now();
      },
      settle: () => void this.#filling.delete(held),
      release: () => {
        if (isHeld) this.#release(held);
        isHeld = false;
      },
    };
  }

  #fits(size: number): boolean {
    return this.#used === 0 || this.#used + size <= this.#bytes;
  }

  #wait(size: number, signal: AbortSignal | undefined): Promise<void> {
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
    return new Promise((resolve, reject) => {
      const onGone = () => {
        this.#waiting.delete(waiting);
        this.#admit();
        reject(signal?.reason);
      };
      const enter = () => {
        signal?.removeEventListener('abort', onGone);
        resolve();
      };
      const waiting = { size, enter };
      this.#waiting.add(waiting);
      signal?.addEventListener('abort', onGone, { once: true });
    });
  }

  #release(held: Held): void {
    this.#filling.delete(held);
    this.#used -= held.size;
    this.#admit();
  }

  #admit(): void {
    for (const waiting of this.#waiting) {
      if (!this.#fits(waiting.size)) return;
      this.#waiting.delete(waiting);
      this.#used += waiting.size;
      waiting.enter();
    }
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Those that wait are many: all go that keep memory from them. */
  #look(): void {
    const now = this.#now();
    for (const held of this.#filling) {
      if (now < held.due && now - held.lastFilled < SILENCE_MS) continue;
      this.#filling.delete(held);
      held.cut(memoryShort());
    }
  }
}
