import { FORGOTTEN_AFTER_SECONDS } from '../limits.ts';
import type { RepositoryName } from '../oci/reference.ts';
import {
  everythingIn,
  kindOf,
  remaindersOf,
  repositoryKey,
  sweepEntryKey,
  sweepProgressKey,
} from '../registry/keys.ts';
import { removeEach } from '../registry/pushes-under-way.ts';
import type { Registry } from '../registry/registry.ts';
import type { Repository } from '../registry/repositories.ts';
import { equals, MAX_OPERATIONS } from '../storage/table.ts';

/** Kinds of items that are of no use without others: of tags, pulls, policies, quotas, holds, and the repository's own. */
const REMAINDERS = new Set(['', 'H', 'J', 'K', 'O', 'P', 'Q', 'Z']);

/** Forgets a repository that is in no catalog, because it was deleted or never had a manifest, a week after there was nothing in
 *  it any more; answers whether. Whoever pushes in that week takes it into use, and it stays; who began before is long done, and
 *  is found by what it has left. docs/concurrency.md tells why. */
export async function forgetEmpty(registry: Registry, repository: Repository): Promise<boolean> {
  const { name, listed, endingSince, sweepDue } = repository;
  if (listed) return false;
  const now = registry.now();
  const isEmpty = await hasNothing(registry, name);
  // A time that has not come yet is of a clock that was wrong.
  if (!isEmpty || endingSince === undefined || endingSince > now) {
    if (isEmpty || endingSince !== undefined) await setEnding(registry, repository, isEmpty ? now : 0);
    return false;
  }
  if (now - endingSince < FORGOTTEN_AFTER_SECONDS * 1000) return false;
  await removeRemainders(registry, name);
  const when = [equals('ending', endingSince), equals('sweepDue', sweepDue)];
  const { committed } = await registry.table.write([
    { remove: repositoryKey(name), when },
    { remove: sweepEntryKey(name, sweepDue) },
    { remove: sweepProgressKey(name) },
  ]);
  return committed;
}

async function hasNothing({ table }: Registry, name: RepositoryName): Promise<boolean> {
  for (let after: string | undefined; ; ) {
    const from = after === undefined ? {} : { after };
    const items = await table.query({
      ...everythingIn(name),
      ...from,
      limit: MAX_OPERATIONS,
      keysOnly: true,
    });
    if (!items.every((item) => REMAINDERS.has(kindOf(item)))) return false;
    if (items.length < MAX_OPERATIONS) return true;
    after = items.at(-1)?.key.sort;
  }
}

async function setEnding({ table }: Registry, { name, sweepDue }: Repository, ending: number): Promise<void> {
  await table.write([{ update: repositoryKey(name), set: { ending }, when: [equals('sweepDue', sweepDue)] }]);
}

async function removeRemainders(registry: Registry, name: RepositoryName): Promise<void> {
  for (const range of remaindersOf(name)) {
    for (;;) {
      const items = await registry.table.query({ ...range, limit: MAX_OPERATIONS, keysOnly: true });
      await removeEach(
        registry,
        items.map(({ key }) => ({ remove: key })),
      );
      if (items.length < MAX_OPERATIONS) break;
    }
  }
}
