/** Waits before the attempt that follows attempt number `attempt` (from 1), which met others. */
export type Pause = (attempt: number) => Promise<void>;

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1000;

/** Twice as long each time, and by chance (from 0 to 1) anything below it: writers that met once do not meet again. */
export function fullJitter(chance: () => number, sleep: (milliseconds: number) => Promise<unknown>): Pause {
  return async (attempt) => void (await sleep(chance() * longestPauseMs(attempt)));
}

export const longestPauseMs = (attempt: number) => Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt);
