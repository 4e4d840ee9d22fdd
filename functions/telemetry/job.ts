import type { MiddlewareObj } from '@middy/core';
import type { Context } from 'aws-lambda';
import { jobFailureLine, jobLine } from './lines.ts';
import { type Measured, startMeter } from './meter.ts';

interface JobOptions {
  readonly job: string;
  /** What the log calls a run's answer. */
  readonly result: string;
  readonly callsMade: () => number;
}

/** Writes one line for each run of a job. A failure is logged and stays one, so that Lambda counts it and tries
 *  again. */
export function jobTelemetry<Event>({
  job,
  result,
  callsMade,
}: JobOptions): MiddlewareObj<Event, number, Error, Context, { meter?: () => Measured }> {
  const recordOf = ({ awsRequestId }: Context, meter = startMeter(callsMade)) => ({
    ...meter(),
    invocationId: awsRequestId,
    job,
  });
  return {
    before({ internal }) {
      internal.meter = startMeter(callsMade);
    },
    after({ context, internal, response }) {
      write(jobLine(recordOf(context, internal.meter), result, response ?? 0));
    },
    onError({ context, internal, error }) {
      write(jobFailureLine(recordOf(context, internal.meter), error));
    },
  };
}

const write = (line: string) => void process.stdout.write(`${line}\n`);
