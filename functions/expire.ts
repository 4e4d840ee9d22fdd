import middy, { type MiddlewareObj } from '@middy/core';
import type { Context, ScheduledEvent } from 'aws-lambda';
import { createAwsRegistry } from './aws.ts';
import { drainOutbox } from './registry/outbox.ts';
import { jobFailureLine, jobLine } from './telemetry/lines.ts';
import { type Measured, startMeter } from './telemetry/meter.ts';
import { JOBS } from './telemetry/names.ts';

/** Kept back from Lambda's timeout, to log that the run did not end by itself. */
const TIMEOUT_RESERVE_MS = 1000;

const { registry, callsMade } = createAwsRegistry(process.env);

/** One line for each run. A failure is logged and stays one, so that Lambda counts it and tries again. */
const telemetry: MiddlewareObj<ScheduledEvent, number, Error, Context, { meter?: () => Measured }> = {
  before({ internal }) {
    internal.meter = startMeter(callsMade);
  },
  after({ context, internal, response }) {
    write(jobLine(recordOf(context, internal.meter), response ?? 0));
  },
  onError({ context, internal, error }) {
    write(jobFailureLine(recordOf(context, internal.meter), error));
  },
};

function recordOf({ awsRequestId }: Context, meter = startMeter(callsMade)) {
  return { ...meter(), invocationId: awsRequestId, job: JOBS.expire };
}

const write = (line: string) => void process.stdout.write(`${line}\n`);

/** Deletes the objects that are due, and answers how many. May be cut off at any step: the next run goes on. */
export const handler = middy<ScheduledEvent, number>({ timeoutEarlyInMillis: TIMEOUT_RESERVE_MS })
  .use(telemetry)
  .handler(async () => await drainOutbox(registry));
