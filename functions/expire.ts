import middy from '@middy/core';
import type { ScheduledEvent } from 'aws-lambda';
import { createAwsRegistry } from './aws.ts';
import type { STREAM_HOST_TASK } from './environment.ts';
import { drainOutbox } from './registry/outbox.ts';
import { registryUntil } from './registry/until.ts';
import { reconcile } from './stream/reconcile.ts';
import { jobTelemetry } from './telemetry/job.ts';
import { JOB_RESULTS, JOBS } from './telemetry/names.ts';

/** Kept back from Lambda's timeout, to log that the run did not end by itself. */
const TIMEOUT_RESERVE_MS = 1000;

const { registry, stream, callsMade } = createAwsRegistry(process.env);

type Event = ScheduledEvent | typeof STREAM_HOST_TASK;

/** Deletes the objects that are due, and answers how many; or looks after a stream host that sleeps, as the event says. May be cut off
 *  at any step, and does nothing past that: the next run goes on. */
export const handler = middy<Event, number>({ timeoutEarlyInMillis: TIMEOUT_RESERVE_MS })
  .use(jobTelemetry({ job: JOBS.expire, result: JOB_RESULTS.expire, callsMade }))
  .handler(async (event, _, { signal }) => {
    const own = registryUntil(registry, signal);
    if (!('task' in event)) return await drainOutbox(own);
    if (stream) await reconcile({ ...stream, table: own.table, now: own.now });
    return 0;
  });
