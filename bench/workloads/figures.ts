import type { Figure } from './workload.ts';

/** Stowage's, one after the other: the session's record, the bytes, their directory, the blob's record. */
export const FSYNCS_OF_A_PUT = 4;
/** And, before the last three, how far the session has got. */
export const FSYNCS_OF_A_PATCH = 5;

export const MIB = 1024 * 1024;

export function mibPerSecond(bytes: number): Figure {
  return { unit: 'MiB/s', of: (seconds) => bytes / MIB / seconds };
}

export function requestsPerSecond(requests: number): Figure {
  return { unit: 'requests/s', of: (seconds) => requests / seconds };
}

export function millisecondsEach(count: number): Figure {
  return { unit: 'ms', of: (seconds) => (seconds * 1000) / count };
}
