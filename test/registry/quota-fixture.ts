import { randomBytes } from 'node:crypto';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { putPolicy, type Quota } from '../../functions/registry/policies.ts';
import { totalsOf } from '../../functions/registry/usage.ts';
import { type Fixture, openFixture, pushBlob, REPOSITORY } from './fixture.ts';

const MINUTE = 60_000;

/** What tests of quotas do with the fixture that was opened last. */
export function quotaFixture() {
  let fixture: Fixture;
  return {
    async open(): Promise<Fixture> {
      fixture = await openFixture();
      return fixture;
    },
    setQuota: (quota: Quota, name = 'q', repositories = ['team/*']) =>
      putPolicy(fixture.registry, { name, repositories, quota }),
    /** A hundred bytes each, unless it is said. */
    upload: (repository: RepositoryName = REPOSITORY, size = 100) =>
      pushBlob(fixture.registry, repository, randomBytes(size)),
    bytesIn: async (...names: RepositoryName[]) => (await totalsOf(fixture.registry, names)).bytes,
    /** Long after policies were set, when nothing is under way that does not know of them. */
    later() {
      fixture.clock += 2 * MINUTE;
    },
  };
}
