import { setTimeout as sleep } from 'node:timers/promises';
import { PassingFailure } from '../failure.ts';

const MOST_ATTEMPTS = 5;
const FIRST_WAIT_SECONDS = 1;

/** A registry that asks for more patience than this is not waited for. */
const MOST_WAIT_SECONDS = 60;

interface Persistence {
  readonly signal: AbortSignal;
  /** Told why an attempt failed, and when the next begins. */
  readonly onRetry: (reason: string, seconds: number) => void;
}

/** Tries again what failed in a way that may be over soon, after twice as long each time. */
export async function persist<T>(attempt: () => Promise<T>, { signal, onRetry }: Persistence): Promise<T> {
  for (let count = 1; ; count += 1) {
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof PassingFailure) || count === MOST_ATTEMPTS) throw error;
      const { retryAfterSeconds = FIRST_WAIT_SECONDS * 2 ** (count - 1), message } = error;
      if (retryAfterSeconds > MOST_WAIT_SECONDS) throw error;
      onRetry(message, retryAfterSeconds);
      await sleep(retryAfterSeconds * 1000, undefined, { signal });
    }
  }
}

/** Works on several at a time. The first failure stops the others by `stop`, and is what this rejects with once all of
 *  them have come to an end. */
export async function inParallel<T>(
  items: readonly T[],
  jobs: number,
  work: (item: T) => Promise<void>,
  stop: (reason: unknown) => void,
): Promise<void> {
  const rest = [...items];
  const failures: unknown[] = [];
  const worker = async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) {
      await work(item).catch((error: unknown) => {
        failures.push(error);
        rest.length = 0;
        stop(error);
      });
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  if (failures.length > 0) throw failures[0];
}
