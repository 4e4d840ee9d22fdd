import { conflict } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import { repositoryKey, sweepEntryKey, sweepProgressKey } from '../registry/keys.ts';
import { endOldPushes } from '../registry/pushes-under-way.ts';
import { quotaUse } from '../registry/quotas.ts';
import type { Registry } from '../registry/registry.ts';
import { findRepository, type Repository } from '../registry/repositories.ts';
import { unhurried } from '../registry/unhurried.ts';
import { equals } from '../storage/table.ts';
import { countCalls } from './counted-table.ts';
import { advanceEpoch } from './epoch.ts';
import { forgetEmpty } from './forgetting.ts';
import { expireGraves } from './graves.ts';
import { sweepLinks } from './links.ts';
import { endHistories } from './old-history.ts';
import { retain } from './retention.ts';
import { RetentionTally } from './retention-tally.ts';
import { isOver, type Position, type Stage, type Sweep, type SweepOptions } from './stage.ts';

/** `remaining` where its time was not enough. */
export type SweepOutcome = 'done' | 'remaining';

/** In this order: what one stage lets go, the next finds unused. */
const STAGES: readonly Stage[] = [retain, expireGraves, sweepLinks, endHistories];

/** Deletes what nothing in the repository uses any more and nobody can be about to use. Needs no pause: pushes,
 *  deletes and other sweeps may run meanwhile, and it may die at any step and be run again. A repository that does not
 *  exist is done. DENIED (409) where the host doubts its clock, except for a dry run; one that is put forward meanwhile
 *  makes nothing older. */
export async function sweepRepository(
  hurried: Registry,
  name: RepositoryName,
  options: SweepOptions,
): Promise<SweepOutcome> {
  const { table, calls } = countCalls(hurried.table);
  const registry = { ...unhurried(hurried), table };
  const doubt = options.dryRun ? undefined : registry.doubt?.();
  if (doubt !== undefined) throw conflict(doubt);
  const found = await findRepository(registry, name);
  if (!found) return 'done';
  const progress = await progressOf(registry, name, options);
  const repository = progress.isNew ? await advanceEpoch(registry, found, options) : found;
  const tally = new RetentionTally(options.report);
  const sweep: Sweep = {
    ...options,
    ...{ registry, name, calls, report: (finding) => tally.take(finding) },
    horizon: repository.epoch - 2,
    epochAt: repository.epochAt,
  };
  try {
    return await runStages(sweep, repository, progress);
  } finally {
    const line = tally.line(name);
    if (line && !options.dryRun) options.tell?.(line);
  }
}

async function runStages(sweep: Sweep, repository: Repository, progress: Progress): Promise<SweepOutcome> {
  await endPushes(sweep);
  let again = Number.POSITIVE_INFINITY;
  for (let { stage, after } = progress; ; ) {
    const run = STAGES[stage];
    if (!run) break;
    const outcome = await run(sweep, after);
    const { again: later = again } = outcome;
    again = Math.min(again, later);
    if (outcome.done) [stage, after] = [stage + 1, undefined];
    else after = outcome.after;
    if (STAGES[stage] && isOver(sweep)) {
      await saveProgress(sweep, stage, after);
      return 'remaining';
    }
  }
  await finish(sweep, repository, again);
  await tellOfQuotas(sweep);
  return 'done';
}

/** Ours: from here on a quota is worth a line a day. */
const MUCH_OF_QUOTA = 0.8;

/** What was counted is read, and nothing where there are no quotas. */
async function tellOfQuotas({ registry, name, dryRun, tell }: Sweep): Promise<void> {
  if (dryRun || !tell) return;
  for (const { policy, scope, kind, limit, used = 0 } of await quotaUse(registry, name)) {
    // Of many repositories together each would say the same.
    if (scope === 'together' || used < MUCH_OF_QUOTA * limit) continue;
    tell({ is: 'fills', repository: name, policies: [policy], kind, used, limit });
  }
}

/** Whatever is taken after this, no push that relies on it can commit any more. A sweep that goes on where another stopped
 *  does it, too: it may be one of a later epoch. */
async function endPushes({ registry, name, horizon, dryRun }: Sweep): Promise<void> {
  if (!dryRun) await endOldPushes(registry, name, horizon);
}

interface Progress {
  readonly isNew: boolean;
  readonly stage: number;
  readonly after: Position;
}

async function progressOf(
  { table }: Registry,
  name: RepositoryName,
  { dryRun }: SweepOptions,
): Promise<Progress> {
  const found = dryRun ? undefined : await table.get(sweepProgressKey(name));
  if (!found) return { isNew: true, stage: 0, after: undefined };
  return { isNew: false, stage: found['stage'] as number, after: found['after'] as string | undefined };
}

async function saveProgress({ registry, name, dryRun }: Sweep, stage: number, after: Position) {
  if (dryRun) return;
  const attributes = { stage, ...(after !== undefined && { after }) };
  await registry.table.write([{ put: sweepProgressKey(name), attributes }]);
}

/** The next sweep is due when this epoch is over, or `again`. Of two sweeps one moves the entry. */
async function finish({ registry, name, epochMs, dryRun }: Sweep, repository: Repository, again: number) {
  if (dryRun) return;
  await registry.table.write([{ remove: sweepProgressKey(name) }]);
  if (await forgetEmpty(registry, repository)) return;
  await setDue(registry, repository, Math.min(repository.epochAt + epochMs, again));
}

/** Has a repository wait behind all that are due now. */
export async function putOff(registry: Registry, name: RepositoryName): Promise<void> {
  const found = await findRepository(registry, name);
  if (found) await setDue(registry, found, registry.now());
}

async function setDue({ table }: Registry, { name, sweepDue }: Repository, next: number): Promise<void> {
  if (next === sweepDue) return;
  await table.write([
    { update: repositoryKey(name), set: { sweepDue: next }, when: [equals('sweepDue', sweepDue)] },
    { remove: sweepEntryKey(name, sweepDue) },
    { put: sweepEntryKey(name, next), attributes: {} },
  ]);
}
