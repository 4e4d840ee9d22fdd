import { setTimeout } from 'node:timers';
import type { Reading, Readings } from '../functions/app.ts';
import { bodyTooSlow } from '../functions/oci/errors.ts';
import { memoryShort } from '../functions/oci/host-errors.ts';
import { MemoryBudget } from '../functions/storage/memory-budget.ts';

/** Bodies up to this size are in memory as soon as they come, in the socket's buffers if nowhere else: nothing is won by having them
 *  wait. */
const SMALL_BYTES = 64 * 1024;

/** Ours: all small bodies that have not come to their end. Who is honest sends one at once, so that thousands of them never meet. */
const SMALL_BUDGET_BYTES = 16 * 1024 * 1024;

/** Ours: all larger ones, which are manifests. */
const LARGE_BUDGET_BYTES = 32 * 1024 * 1024;

/** A line slower than this is none that images are pushed over. */
const LEAST_BYTES_PER_SECOND = 8 * 1024;

interface Small {
  bytes: number;
  readonly cut: (error: Error) => void;
}

/** The memory of forms, JSON and manifests, and the time that they may take: `patienceMs`, and more for their size. Of small ones the
 *  eldest is cut where memory runs short, large ones wait for a turn. */
export class WholeBodies implements Readings {
  readonly #patienceMs: number;
  readonly #large = new MemoryBudget({ bytes: LARGE_BUDGET_BYTES, now: () => performance.now() });
  /** In the order in which they began. */
  readonly #small = new Set<Small>();
  #smallBytes = 0;

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  async begin(size: number, cut: (error: Error) => void, signal: AbortSignal): Promise<Reading> {
    const reading = size > SMALL_BYTES ? await this.#beginLarge(size, cut, signal) : this.#beginSmall(cut);
    const allowedMs = this.#patienceMs + (size / LEAST_BYTES_PER_SECOND) * 1000;
    const timer = setTimeout(() => cut(bodyTooSlow()), allowedMs);
    const end = () => {
      clearTimeout(timer);
      reading.end();
    };
    return { ...reading, end };
  }

  async #beginLarge(size: number, cut: (error: Error) => void, signal: AbortSignal): Promise<Reading> {
    const grant = await this.#large.take(size, cut, signal);
    return { grow: () => grant.progress(), end: () => grant.release() };
  }

  #beginSmall(cut: Small['cut']): Reading {
    const small: Small = { bytes: 0, cut };
    this.#small.add(small);
    const grow = (bytes: number) => {
      small.bytes += bytes;
      this.#smallBytes += bytes;
      this.#shrink();
    };
    return { grow, end: () => this.#forget(small) };
  }

  #shrink(): void {
    for (const eldest of this.#small) {
      if (this.#smallBytes <= SMALL_BUDGET_BYTES) return;
      this.#forget(eldest);
      eldest.cut(memoryShort());
    }
  }

  #forget(small: Small): void {
    if (this.#small.delete(small)) this.#smallBytes -= small.bytes;
  }
}
