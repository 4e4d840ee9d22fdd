import { blobsUntil, tableUntil } from '../storage/until.ts';
import type { Registry } from './registry.ts';

/** The registry for one request, or one run of a job, which lets others have their turn and whose races end after `racesMs`:
 *  once `signal` has fired no call to its stores begins and no lost race is tried again, so that whoever was told an error, or has
 *  gone, changes nothing later. A protocol that is stopped so is one whose process has died at that step. */
export function registryUntil(
  registry: Registry,
  signal: AbortSignal,
  racesMs = Number.POSITIVE_INFINITY,
): Registry {
  const visiting = visit(registry);
  return {
    ...visiting,
    table: tableUntil(visiting.table, signal),
    blobs: blobsUntil(visiting.blobs, signal),
    pause: async (attempt) => {
      signal.throwIfAborted();
      await visiting.pause(attempt);
    },
    racesUntil: registry.steady() + racesMs,
  };
}

/** The registry for one request or one job, which lets others have their turn; a job, that nobody waits for, sooner. */
export const visit = (registry: Registry, { isJob = false } = {}): Registry => ({
  ...registry,
  ...registry.visit?.(registry.table, isJob),
  lasting: lasting(registry),
});

/** The registry without an end: for what is noted of a request whatever becomes of it. */
export const lasting = (registry: Registry): Registry => registry.lasting ?? registry;
