import { type Grant, MemoryBudget } from '../memory-budget.ts';

/** Ours: what parts may take, filling or on their way. Twelve of the smallest, far below what a host of 512 MiB has. */
const DEFAULT_BYTES = 64 * 1024 * 1024;

/** A buffer that a part is gathered in, with whatever was in it. */
export interface PartBuffer extends Grant {
  readonly buffer: Buffer;
}

interface PartBuffersOptions {
  /** @default DEFAULT_BYTES */
  readonly bytes?: number | undefined;
  /** @default the machine's steady clock */
  readonly now?: () => number;
}

/** The memory that parts are gathered in, of the whole process: who finds none waits for a turn, and takes nothing from its client
 *  meanwhile. Buffers are filled again and again: new ones at the rate that a layer comes in would grow faster than they are
 *  collected. Memory that nothing was written to takes no room. */
export class PartBuffers {
  readonly #bytes: number;
  readonly #budget: MemoryBudget;
  readonly #idle: Buffer[] = [];

  constructor({ bytes = DEFAULT_BYTES, now = () => performance.now() }: PartBuffersOptions = {}) {
    this.#bytes = bytes;
    this.#budget = new MemoryBudget({ bytes, now });
  }

  /** A buffer of that many bytes. `cut` is called where it fills too slowly while others wait: its upload has to fail with the error. */
  async take(size: number, cut: (error: Error) => void, signal?: AbortSignal): Promise<PartBuffer> {
    const grant = await this.#budget.take(size, cut, signal);
    const buffer = this.#reuse(size) ?? Buffer.allocUnsafeSlow(size);
    let isHeld = true;
    const release = () => {
      if (isHeld) this.#idle.push(buffer);
      isHeld = false;
      grant.release();
    };
    return { ...grant, buffer, release };
  }

  /** Runs what has so many bytes of a part in memory otherwise. */
  async during<T>(size: number, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const grant = await this.#budget.take(size, () => undefined, signal);
    grant.settle();
    try {
      this.#forgetIdle();
      return await work();
    } finally {
      grant.release();
    }
  }

  #reuse(size: number): Buffer | undefined {
    const at = this.#idle.findIndex(({ length }) => length === size);
    const [found] = at < 0 ? [] : this.#idle.splice(at, 1);
    this.#forgetIdle();
    return found;
  }

  /** Those that wait to be filled again take no more than the others leave. */
  #forgetIdle(): void {
    let idle = this.#idle.reduce((sum, { length }) => sum + length, 0);
    while (this.#idle.length > 0 && idle + this.#budget.used > this.#bytes)
      idle -= this.#idle.shift()?.length ?? 0;
  }
}
