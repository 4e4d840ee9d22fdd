import type { Deployment } from './deployment.ts';
import type { Finding } from './finding.ts';

/** One question to a deployment. */
export interface Probe {
  /** What `--only` and `--skip` call it. */
  readonly name: string;
  readonly title: string;
  /** Whether it is left out by `--quick`. */
  readonly isLong?: true;
  /** @default it needs a login that may push */
  readonly needs?: 'nothing' | 'front door';
  /** Ends with a finding, or throws one. */
  readonly run: (deployment: Deployment) => Promise<Finding>;
}
