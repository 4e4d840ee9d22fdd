import type { HostItem } from './host-item.ts';

const MINUTE_MS = 60_000;

/** The host gives a sign of life so often; without one for four times as long nobody is sent there. */
export const BEAT_MS = 5000;
export const FRESH_MS = 4 * BEAT_MS;

/** How long the host stays for an upload that was let in. */
export const LEASE_MS = 15 * MINUTE_MS;

/** It goes when it has had nothing to do for so long. */
export const IDLE_MS = 10 * MINUTE_MS;

/** Whether uploads may be sent there. */
export const isFresh = ({ state, beat }: HostItem, now: number) =>
  state === 'running' && now - beat < FRESH_MS;
