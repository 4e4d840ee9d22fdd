import type { RepositoryName } from '../oci/reference.ts';
import type { Finding } from './finding.ts';
import type { UpkeepLine } from './stage.ts';

/** Counts what retention deletes while it is told on: for the one line of a run. */
export class RetentionTally {
  readonly #report: ((finding: Finding) => void) | undefined;
  readonly #policies = new Set<string>();
  #tags = 0;
  #manifests = 0;

  constructor(report: ((finding: Finding) => void) | undefined) {
    this.#report = report;
  }

  take(finding: Finding): void {
    this.#report?.(finding);
    if (finding.action === 'keep' || finding.policy === undefined) return;
    this.#policies.add(finding.policy);
    if (finding.kind === 'tag') this.#tags += 1;
    else this.#manifests += 1;
  }

  /** `undefined` where it was nothing. */
  line(repository: RepositoryName): UpkeepLine | undefined {
    if (this.#policies.size === 0) return undefined;
    const counts = { tags: this.#tags, manifests: this.#manifests };
    return { is: 'deleted', repository, policies: [...this.#policies].toSorted(), ...counts };
  }
}
