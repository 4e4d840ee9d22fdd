import type { Registry } from './registry.ts';

/** Parts of a computation that are done at once. */
const PARTS = 16;

/** A computation over much, which yields after each part of it: a millisecond at most, and most often far less. */
export type Steps<T> = Generator<undefined, T>;

/** Does such a computation, and lets others have their turn in between. */
export async function inTurns<T>({ giveWay }: Registry, steps: Steps<T>): Promise<T> {
  for (let part = 1; ; part += 1) {
    const { done, value } = steps.next();
    if (done) return value;
    if (giveWay && part % PARTS === 0) await giveWay();
  }
}
