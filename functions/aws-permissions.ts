import { setTimeout } from 'node:timers/promises';

/** What a deployment has just given or made is there for everybody only some seconds later. */
const PAUSE_MS = 5000;
const MAX_ATTEMPTS = 12;

/** As SSM and CloudFront, and as S3 says it; and what a KeyValueStore says that a deployment has just made. */
const PASSING = ['AccessDeniedException', 'AccessDenied', 'ResourceNotFoundException', 'ConflictException'];

/** Calls that are repeated, for up to a minute in all, while AWS says that they are not allowed, or not possible yet. Once `signal` has fired none
 *  begins. */
export class UntilAllowed {
  readonly #signal: AbortSignal;
  #attempts = 0;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  async call<T>(action: () => Promise<T>): Promise<T> {
    for (;;) {
      this.#signal.throwIfAborted();
      this.#attempts += 1;
      try {
        return await action();
      } catch (error) {
        const isPassing = error instanceof Error && PASSING.includes(error.name);
        if (!isPassing || this.#attempts >= MAX_ATTEMPTS) throw error;
      }
      await setTimeout(PAUSE_MS);
    }
  }
}
