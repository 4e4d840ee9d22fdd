import type { RepositoryName } from '../oci/reference.ts';
import { policiesKey, repositoryKey } from '../registry/keys.ts';
import type { Registry } from '../registry/registry.ts';
import { findRepository, type Repository } from '../registry/repositories.ts';
import { moveEntry } from '../registry/rest.ts';
import { absent, type Condition, equals, type Operation } from '../storage/table.ts';
import type { Sweep } from './stage.ts';

/** Ours: a repository in which nothing changes is swept once in so many epochs, but after 45 days at the latest. */
const MOST_EPOCHS = 45;
const MOST_MS = 45 * 24 * 60 * 60_000;

/** How long a repository rests at most, in milliseconds. */
export const longestRest = (epochMs: number) => Math.max(epochMs, Math.min(MOST_EPOCHS * epochMs, MOST_MS));

/** What a sweep that has come to its end knows. */
interface Swept {
  /** In the epoch that it swept in. */
  readonly repository: Repository;
  /** Milliseconds since 1970: when the first thing could go, if nobody changes anything. */
  readonly again: number;
  /** Of the policies that it went by, and what the repository said of its rest, when it began, which may be many runs ago; absent where
   *  it was not about to rest. */
  readonly version?: number;
  readonly rests?: number;
}

/** Says when the next sweep is due: with the next epoch, or earlier where `again` is; later where this one and one of an epoch before
 *  have found nothing to do, and nobody has changed anything, nor the policies, since that one. */
export async function sayDue({ registry, name, epochMs, epochAt }: Sweep, swept: Swept): Promise<void> {
  const { repository, again, version, rests = 0 } = swept;
  const next = epochAt + epochMs;
  if (again <= next) return setDue(registry, repository, again, { rests: 0 });
  // What a sweep of this very epoch has found is no older than this one.
  if (rests > 0 && rests <= epochAt && version !== undefined) {
    const due = Math.min(again, registry.now() + longestRest(epochMs));
    const when = [equals('rests', rests), equals('sweepDue', repository.sweepDue)];
    const isSame = { check: policiesKey, when: [versionIs(version)] };
    const { committed } = await registry.table.write([
      { update: repositoryKey(name), set: { rests: next, sweepDue: due }, when },
      ...(due === repository.sweepDue ? [] : moveEntry(name, repository.sweepDue, due)),
      isSame,
    ]);
    if (committed) return;
  }
  await setDue(registry, repository, next, { rests: next });
}

/** That the policies are those of this version; 0 where there are none. */
const versionIs = (version: number): Condition => (version === 0 ? absent : equals('version', version));

/** Has a repository wait behind all that are due now. */
export async function putOff(registry: Registry, name: RepositoryName): Promise<void> {
  const found = await findRepository(registry, name);
  if (found) await setDue(registry, found, registry.now());
}

/** Of two sweeps one moves the entry. */
async function setDue(
  { table }: Registry,
  { name, sweepDue, rests }: Repository,
  due: number,
  set: { readonly rests?: number } = {},
): Promise<void> {
  if (due === sweepDue && (set.rests ?? rests) === rests) return;
  const when = [equals('sweepDue', sweepDue)];
  const moves: readonly Operation[] = due === sweepDue ? [] : moveEntry(name, sweepDue, due);
  await table.write([{ update: repositoryKey(name), set: { ...set, sweepDue: due }, when }, ...moves]);
}
