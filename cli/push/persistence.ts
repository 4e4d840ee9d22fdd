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
  /** Whether the attempt that failed got on: then the next is as good as the first. @default it did not */
  readonly hasMoved?: () => boolean;
}

/** Tries again what failed in a way that may be over soon, after twice as long each time. */
export async function persist<T>(attempt: () => Promise<T>, persistence: Persistence): Promise<T> {
  const { signal, onRetry, hasMoved } = persistence;
  for (let count = 1; ; count += 1) {
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      if (hasMoved?.()) count = 1;
      const seconds = count === MOST_ATTEMPTS ? undefined : waitAfter(error, count);
      if (seconds === undefined) throw error;
      onRetry((error as Error).message, seconds);
      await sleep(seconds * 1000, undefined, { signal });
    }
  }
}

/** `undefined` where waiting is in vain, or too long. */
function waitAfter(error: unknown, count: number): number | undefined {
  if (!(error instanceof PassingFailure)) return undefined;
  const { retryAfterSeconds = FIRST_WAIT_SECONDS * 2 ** (count - 1) } = error;
  return retryAfterSeconds > MOST_WAIT_SECONDS ? undefined : retryAfterSeconds;
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
