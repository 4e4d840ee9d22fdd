import type { RepositoryName } from '../oci/reference.ts';
import { type Attributes, equals } from '../storage/table.ts';
import { repositoryKey, sweepEntryKey } from './keys.ts';
import { LOST, untilWon } from './races.ts';
import type { Registry } from './registry.ts';

// A repository in which two sweeps have found nothing to do rests: the next one comes when the first thing in it could go.
// Whoever changes what a sweep looks at disturbs it first. docs/concurrency.md tells why it takes two.

/** What the item of a repository says of its rest. */
export interface Rest {
  /** Milliseconds since 1970: when the epoch ends in which a sweep found nothing to do; 0 where somebody has changed something since. */
  readonly rests: number;
  /** Milliseconds since 1970: when it is to be swept. */
  readonly sweepDue: number;
}

/** Of the attributes of the item. */
export const restIn = (found: Attributes): Rest => ({
  rests: (found['rests'] as number | undefined) ?? 0,
  sweepDue: found['sweepDue'] as number,
});

/** Has a repository swept with the epoch that comes, by a request that then changes it, within an epoch. `known` was read by the same
 *  request, else it is read here. One write where it may rest, and nothing where it may not. */
export async function disturb(registry: Registry, name: RepositoryName, known?: Rest): Promise<void> {
  let next = known;
  await untilWon(registry, async () => {
    const found = next ?? (await restOf(registry, name));
    next = undefined;
    if (!found?.rests) return true;
    const { rests, sweepDue } = found;
    const due = Math.min(sweepDue, Math.max(rests, registry.now()));
    const when = [equals('rests', rests), equals('sweepDue', sweepDue)];
    const moves = due === sweepDue ? [] : moveEntry(name, sweepDue, due);
    const { committed } = await registry.table.write([
      { update: repositoryKey(name), set: { rests: 0, sweepDue: due }, when },
      ...moves,
    ]);
    return committed || LOST;
  });
}

async function restOf({ table }: Registry, name: RepositoryName): Promise<Rest | undefined> {
  const found = await table.get(repositoryKey(name));
  return found && restIn(found);
}

/** Moves what says when a repository is to be swept. */
export const moveEntry = (name: RepositoryName, from: number, to: number) => [
  { remove: sweepEntryKey(name, from) },
  { put: sweepEntryKey(name, to), attributes: {} },
];
