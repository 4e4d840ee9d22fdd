import middy from '@middy/core';
import type { ScheduledEvent } from 'aws-lambda';
import { createAwsRegistry, leaseOf } from './aws.ts';
import { recordDeletion } from './identity/retention-audit.ts';
import type { RepositoryName } from './oci/reference.ts';
import { registryUntil } from './registry/until.ts';
import { jobTelemetry } from './telemetry/job.ts';
import { toldLine } from './telemetry/lines.ts';
import { JOB_RESULTS, JOBS } from './telemetry/names.ts';
import type { Finding } from './upkeep/finding.ts';
import { sweepDue } from './upkeep/round.ts';
import type { UpkeepLine } from './upkeep/stage.ts';

/** Kept back from Lambda's timeout, to log that the run did not end by itself. */
const TIMEOUT_RESERVE_MS = 1000;

/** Kept back for the page that a sweep has begun. */
const PAGE_RESERVE_MS = 60_000;

const { registry, callsMade } = createAwsRegistry(process.env);
const lease = leaseOf(process.env);

/** Sweeps the repositories that are due, and answers how many. May be cut off at any step, and does nothing past that: the next
 *  run goes on. */
export const handler = middy<ScheduledEvent, number>({ timeoutEarlyInMillis: TIMEOUT_RESERVE_MS })
  .use(jobTelemetry({ job: JOBS.sweep, result: JOB_RESULTS.sweep, callsMade }))
  .handler(async (_, context, { signal }) => {
    const until = registry.now() + context.getRemainingTimeInMillis() - PAGE_RESERVE_MS;
    const record = (repository: RepositoryName, finding: Finding) =>
      recordDeletion(registry, repository, finding);
    const tell = (line: UpkeepLine) => void process.stdout.write(`${toldLine(registry.now(), line)}\n`);
    return await sweepDue(registryUntil(registry, signal), { ...lease, until, record, tell });
  });
