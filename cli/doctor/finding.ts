import { printable } from '../text.ts';
import type { Family } from './families.ts';

export type Verdict = 'ok' | 'warning' | 'failed' | 'skipped';

/** What a probe found, in words for whoever runs the registry. */
export interface Finding {
  readonly verdict: Verdict;
  readonly says: string;
  /** Whom it hits, where it is a failure or a warning. */
  readonly affects?: readonly Family[];
  /** What that means for them. */
  readonly means?: string;
  /** What to do about it. */
  readonly cure?: string;
}

type Meaning = Pick<Finding, 'affects' | 'means' | 'cure'>;

export const ok = (says: string): Finding => ({ verdict: 'ok', says });
export const warning = (says: string, meaning: Meaning): Finding => ({
  verdict: 'warning',
  says,
  ...meaning,
});
export const skipped = (says: string): Finding => ({ verdict: 'skipped', says });

/** Ends a probe with its finding. */
class ProbeEnded extends Error {
  override readonly name = 'ProbeEnded';
  readonly finding: Finding;

  constructor(finding: Finding) {
    super(finding.says);
    this.finding = finding;
  }
}

/** To be thrown: the probe ends as a failure. */
export const failed = (says: string, meaning: Meaning) =>
  new ProbeEnded({ ...meaning, verdict: 'failed', says: printable(says) });

/** To be thrown: the probe does not apply here. */
export const notHere = (says: string) => new ProbeEnded(skipped(printable(says)));

/** Of whatever ended a probe. */
export function findingOf(error: unknown): Finding {
  if (error instanceof ProbeEnded) return error.finding;
  const { message, code } = error as NodeJS.ErrnoException;
  return {
    verdict: 'failed',
    says: printable(`the request broke off: ${message || code || String(error)}`),
    means: 'whether a client could do it is not known; the connection or the registry ended it',
    cure: 'run the probe again; where it stays so, look at the logs of the registry at this time',
  };
}
