import type { HostItem } from './host-item.ts';

const MINUTE_MS = 60_000;

/** The host gives a sign of life so often; without one for four times as long nobody is sent there. */
export const BEAT_MS = 5000;
export const FRESH_MS = 4 * BEAT_MS;

/** How long the host stays for an upload that was let in. */
export const LEASE_MS = 15 * MINUTE_MS;

/** It goes when it has had nothing to do for so long. */
export const IDLE_MS = 10 * MINUTE_MS;

/** A beat, or a lease, that is further ahead is of a clock that was wrong. */
const AHEAD_MS = MINUTE_MS;

/** Whether a beat is no older than `ms`, nor of a time that has not come. */
export const isRecent = (beat: number, now: number, ms: number) => now - beat < ms && beat - now <= AHEAD_MS;

/** Whether a lease ends later than any that is given now. */
export const isTooLong = (until: number, now: number) => until > now + LEASE_MS + AHEAD_MS;

/** Whether uploads may be sent there. */
export const isFresh = ({ state, beat }: HostItem, now: number) =>
  state === 'running' && isRecent(beat, now, FRESH_MS);
