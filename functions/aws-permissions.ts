import { setTimeout } from 'node:timers/promises';

/** A permission that a deployment has just given holds everywhere only some seconds later. */
const DENIED_PAUSE_MS = 5000;
const MAX_ATTEMPTS = 12;

/** As SSM and CloudFront, and as S3 says it. */
const DENIED = ['AccessDeniedException', 'AccessDenied'];

/** Calls that are repeated, for up to a minute in all, while AWS says that they are not allowed. Once `signal` has fired none
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
        const isDenied = error instanceof Error && DENIED.includes(error.name);
        if (!isDenied || this.#attempts >= MAX_ATTEMPTS) throw error;
      }
      await setTimeout(DENIED_PAUSE_MS);
    }
  }
}
