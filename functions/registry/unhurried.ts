import type { Registry } from './registry.ts';

/** The registry for one tidying: its time goes on no faster than what nobody can set, though the clock is put forward
 *  meanwhile. */
export function unhurried(registry: Registry): Registry {
  const { now, steady } = registry;
  const [time, began] = [now(), steady()];
  return { ...registry, now: () => Math.min(now(), time + steady() - began) };
}
