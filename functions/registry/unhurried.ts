import type { Registry } from './registry.ts';

/** The registry for one tidying: its time goes on no faster than what nobody can set, though the clock is put forward
 *  meanwhile. Where the host has only one clock, the same. */
export function unhurried(registry: Registry): Registry {
  const { now, steady } = registry;
  if (!steady) return registry;
  const [time, began] = [now(), steady()];
  return { ...registry, now: () => Math.min(now(), time + steady() - began) };
}
