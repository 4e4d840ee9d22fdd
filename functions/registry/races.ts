import { isTooBusy, tooBusy } from '../oci/errors.ts';
import type { Registry } from './registry.ts';

/** What an attempt answers when another writer changed what it had read. */
export const LOST = Symbol('lost race');

/** Ours: with the 5 s that a table may stay busy less than the 29 s that a Lambda has. */
const PATIENCE_MS = 20_000;

/** Repeats `attempt`, which reads anew each time, until it wins or refuses. TOOMANYREQUESTS where it has lost, or the table was
 *  busy with others, for 20 s or until `racesUntil`. */
export async function untilWon<T>(
  registry: Registry,
  attempt: () => Promise<T | typeof LOST>,
): Promise<Exclude<T, typeof LOST>> {
  const { steady, racesUntil = Number.POSITIVE_INFINITY, pause } = registry;
  const end = Math.min(steady() + PATIENCE_MS, racesUntil);
  for (let tried = 1; ; tried += 1) {
    const result = await unlessBusy(attempt);
    if (result !== LOST) return result as Exclude<T, typeof LOST>;
    if (steady() >= end) throw tooBusy();
    await pause(tried);
  }
}

/** Who finds the table busy with others has lost to them. */
async function unlessBusy<T>(attempt: () => Promise<T>): Promise<T | typeof LOST> {
  try {
    return await attempt();
  } catch (error) {
    if (isTooBusy(error)) return LOST;
    throw error;
  }
}
