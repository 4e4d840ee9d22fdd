import middy from '@middy/core';
import type { ScheduledEvent } from 'aws-lambda';
import { createAwsRegistry } from './aws.ts';
import { drainOutbox } from './registry/outbox.ts';
import { registryUntil } from './registry/until.ts';
import { jobTelemetry } from './telemetry/job.ts';
import { JOB_RESULTS, JOBS } from './telemetry/names.ts';

/** Kept back from Lambda's timeout, to log that the run did not end by itself. */
const TIMEOUT_RESERVE_MS = 1000;

const { registry, callsMade } = createAwsRegistry(process.env);

/** Deletes the objects that are due, and answers how many. May be cut off at any step, and does nothing past that: the next run
 *  goes on. */
export const handler = middy<ScheduledEvent, number>({ timeoutEarlyInMillis: TIMEOUT_RESERVE_MS })
  .use(jobTelemetry({ job: JOBS.expire, result: JOB_RESULTS.expire, callsMade }))
  .handler(async (_, __, { signal }) => await drainOutbox(registryUntil(registry, signal)));
