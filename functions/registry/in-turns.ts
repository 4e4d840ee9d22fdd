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

/** What is sorted at once. */
const RUN = 2000;

/** The items in order; of two that are equal the earlier one first. */
export function* sortedInSteps<T>(items: readonly T[], compare: (a: T, b: T) => number): Steps<readonly T[]> {
  let runs: (readonly T[])[] = [];
  for (let start = 0; start < items.length; start += RUN) {
    runs.push(items.slice(start, start + RUN).sort(compare));
    yield;
  }
  while (runs.length > 1) {
    const merged: (readonly T[])[] = [];
    for (let at = 0; at < runs.length; at += 2)
      merged.push(yield* mergedInSteps(runs[at] ?? [], runs[at + 1] ?? [], compare));
    runs = merged;
  }
  return runs[0] ?? [];
}

function* mergedInSteps<T>(first: readonly T[], second: readonly T[], compare: (a: T, b: T) => number) {
  const merged: T[] = [];
  let [a, b] = [0, 0];
  while (a < first.length || b < second.length) {
    const isFirst = b >= second.length || (a < first.length && compare(first[a] as T, second[b] as T) <= 0);
    merged.push((isFirst ? first[a] : second[b]) as T);
    if (isFirst) a += 1;
    else b += 1;
    if (merged.length % RUN === 0) yield;
  }
  return merged;
}
