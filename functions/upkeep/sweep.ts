import { conflict } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import { endOldPushes } from '../registry/pushes-under-way.ts';
import { quotaUse } from '../registry/quotas.ts';
import type { Registry } from '../registry/registry.ts';
import { findRepository, type Repository } from '../registry/repositories.ts';
import { unhurried } from '../registry/unhurried.ts';
import { countCalls } from './counted-table.ts';
import { sayDue } from './due.ts';
import { advanceEpoch } from './epoch.ts';
import { forgetEmpty } from './forgetting.ts';
import { expireGraves } from './graves.ts';
import { sweepLinks } from './links.ts';
import { endHistories } from './old-history.ts';
import { retain } from './retention.ts';
import { RetentionTally } from './retention-tally.ts';
import { expectSoon, isOver, type Stage, type Sweep, type SweepOptions } from './stage.ts';
import { Progress } from './sweep-progress.ts';

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
  const progress = await Progress.of(registry, found, options);
  const repository = progress.isNew ? await advanceEpoch(registry, found, options) : found;
  const tally = new RetentionTally(options.report);
  const sweep: Sweep = {
    ...options,
    ...{ registry, name, calls },
    horizon: repository.epoch - 2,
    epochAt: repository.epochAt,
    report: (finding) => {
      tally.take(finding);
      if (finding.action === 'delete') expectSoon(sweep);
    },
    expect: (moment) => progress.expect(moment),
    isMonthly: progress.isMonthly(repository),
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
  for (let { stage, after } = progress; ; ) {
    const run = STAGES[stage];
    if (!run) break;
    const outcome = await run(sweep, after);
    if (outcome.done) [stage, after] = [stage + 1, undefined];
    else after = outcome.after;
    if (STAGES[stage] && isOver(sweep)) {
      await progress.save(stage, after, sweep.isMonthly === true);
      return 'remaining';
    }
  }
  if (!sweep.dryRun) await finish(sweep, repository, progress);
  return 'done';
}

/** Ours: from here on a quota is worth a line a day. */
const MUCH_OF_QUOTA = 0.8;

/** What was counted is read, and nothing where there are no quotas. */
async function tellOfQuotas(sweep: Sweep): Promise<void> {
  const { registry, name, tell } = sweep;
  for (const { policy, scope, kind, limit, used = 0 } of await quotaUse(registry, name)) {
    // Of many repositories together each would say the same.
    if (scope === 'together' || used < MUCH_OF_QUOTA * limit) continue;
    expectSoon(sweep);
    tell?.({ is: 'fills', repository: name, policies: [policy], kind, used, limit });
  }
}

/** Whatever is taken after this, no push that relies on it can commit any more. A sweep that goes on where another stopped
 *  does it, too: it may be one of a later epoch. */
async function endPushes(sweep: Sweep): Promise<void> {
  const { registry, name, horizon, dryRun } = sweep;
  if (!dryRun && (await endOldPushes(registry, name, horizon)) === 'some') expectSoon(sweep);
}

/** Says when the next sweep is due. */
async function finish(sweep: Sweep, repository: Repository, progress: Progress): Promise<void> {
  const { registry } = sweep;
  await progress.end();
  if (await forgetEmpty(registry, repository)) return;
  if (!repository.listed) expectSoon(sweep);
  await tellOfQuotas(sweep);
  await sayDue(sweep, { repository, ...progress.swept });
}
