import { tooBusy } from '../oci/errors.ts';
import type { Registry } from './registry.ts';

/** What an attempt answers when another writer changed what it had read. */
export const LOST = Symbol('lost race');

/** A writer that loses this often stands in a queue that only time can shorten. */
const MAX_ATTEMPTS = 32;

/** Repeats `attempt`, which reads anew each time, until it wins or refuses; TOOMANYREQUESTS after 32 losses. */
export async function untilWon<T>(
  registry: Registry,
  attempt: () => Promise<T | typeof LOST>,
): Promise<Exclude<T, typeof LOST>> {
  for (let tried = 1; tried <= MAX_ATTEMPTS; tried += 1) {
    const result = await attempt();
    if (result !== LOST) return result as Exclude<T, typeof LOST>;
    await registry.pause(tried);
  }
  throw tooBusy();
}
