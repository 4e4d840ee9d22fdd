export interface Measured {
  /** When it began, in milliseconds since 1970. */
  readonly time: number;
  readonly milliseconds: number;
  /** Requests sent to AWS meanwhile, repetitions included. */
  readonly calls: number;
}

/** Begins to measure; the result tells what has passed since. Counts right where one event is handled at a time,
 *  as a Lambda container does. */
export function startMeter(callsMade: () => number): () => Measured {
  const time = Date.now();
  const started = performance.now();
  const before = callsMade();
  return () => ({ time, milliseconds: Math.round(performance.now() - started), calls: callsMade() - before });
}
