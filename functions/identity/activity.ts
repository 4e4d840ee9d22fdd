import type { RepositoryName } from '../oci/reference.ts';
import type { Registry } from '../registry/registry.ts';
import { type AuditRecord, listAudit } from './audit.ts';

/** What the audit trail tells of the use of a repository. */
export interface Activity {
  /** Manifests that were pushed under a tag that is wanted, or under a digest. */
  readonly pushes: number;
  /** Logins for a token to pull, and not to push: clients make one for each pull. Nothing is recorded of pulls
   *  without a login. */
  readonly pullLogins: number;
  /** Milliseconds: how far back was counted. */
  readonly since: number;
}

interface Question {
  readonly name: RepositoryName;
  /** Whether pushes under this tag or digest count. */
  readonly isWanted: (reference: string) => boolean;
  /** Milliseconds. */
  readonly since: number;
  /** Milliseconds: when to stop, and answer for the days that were read. */
  readonly until: number;
}

const AT_ONCE = 500;

/** Of the time that the position of a page begins with. */
const ISO_LENGTH = '2026-01-01T00:00:00.000Z'.length;

/** Counts from now back to `since`, or as far as there is time: the trail is one of the whole registry. */
export async function activityOf(registry: Registry, question: Question): Promise<Activity> {
  let [pushes, pullLogins] = [0, 0];
  for (let after: string | undefined; ; ) {
    const range = { since: question.since, until: registry.now() + 1, limit: AT_ONCE, after };
    const { records, next } = await listAudit(registry, range);
    pushes += records.filter((record) => isPush(record, question)).length;
    pullLogins += records.filter((record) => isPullLogin(record, question)).length;
    if (next === undefined) return { pushes, pullLogins, since: question.since };
    const reached = Date.parse(next.slice(0, ISO_LENGTH));
    if (registry.now() >= question.until) return { pushes, pullLogins, since: reached };
    after = next;
  }
}

function isPush({ operation, outcome, repository, target = '' }: AuditRecord, { name, isWanted }: Question) {
  const isOurs = operation === 'manifest.put' && outcome === 'allowed' && repository === name;
  return isOurs && isWanted(target.slice(target.lastIndexOf('/') + 1));
}

/** The target of a login is what its token allows: `repository:team/app:pull`. */
function isPullLogin({ operation, outcome, target = '' }: AuditRecord, { name }: Question) {
  if (operation !== 'token.issue' || outcome !== 'allowed') return false;
  return target.split(' ').includes(`repository:${name}:pull`);
}
