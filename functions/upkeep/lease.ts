import { EPOCH_SECONDS, MIN_EPOCH_SECONDS, QUARANTINE_SECONDS } from '../limits.ts';
import type { SweepOptions } from './stage.ts';

/** How long whoever sweeps leaves things alone. */
export type Lease = Pick<SweepOptions, 'epochMs' | 'quarantineMs'>;

/** What holds where nothing else is said. */
export const DEFAULT_LEASE: Lease = {
  epochMs: EPOCH_SECONDS * 1000,
  quarantineMs: QUARANTINE_SECONDS * 1000,
};

interface LeaseTexts {
  readonly epochSeconds: string | undefined;
  readonly quarantineSeconds: string | undefined;
  /** `1` takes epochs that are too short for real clients: for tests. */
  readonly unsafe: string | undefined;
}

/** The lease that texts of an environment ask for; throws RangeError for what is no number of seconds, or too short. */
export function leaseFrom({ epochSeconds, quarantineSeconds, unsafe }: LeaseTexts): Lease {
  const shortest = unsafe === '1' ? 1 : MIN_EPOCH_SECONDS;
  return {
    epochMs: secondsFrom('an epoch', epochSeconds || `${EPOCH_SECONDS}`, shortest) * 1000,
    quarantineMs: secondsFrom('the quarantine', quarantineSeconds || `${QUARANTINE_SECONDS}`, 0) * 1000,
  };
}

function secondsFrom(what: string, text: string, least: number): number {
  const seconds = Number(text);
  if (/^\d{1,9}$/.test(text) && seconds >= least) return seconds;
  throw new RangeError(`${what} is a number of seconds, at least ${least}, not ${JSON.stringify(text)}`);
}
