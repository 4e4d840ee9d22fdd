import { describeError } from './describe-error.ts';
import { type Metric, metricLine } from './embedded-metrics.ts';
import type { Measured } from './meter.ts';
import { METRICS } from './names.ts';

/** What a log may know of a request: nothing of its query, its headers and its body, user agent aside. */
interface RequestRecord extends Measured {
  /** API Gateway's, which clients see as `apigw-requestid`. */
  readonly requestId: string;
  /** Lambda's own, which its REPORT lines carry. */
  readonly invocationId: string;
  readonly method: string;
  /** The route's name; absent where there is none. */
  readonly operation: string | undefined;
  /** As the path names it, which need not be a name at all. */
  readonly repository: string | undefined;
  /** Who sent it: `user:alice`. */
  readonly caller: string;
  readonly userAgent: string;
  readonly status: number;
  /** What went wrong where it is not the client's doing. */
  readonly error?: unknown;
}

interface JobRecord extends Measured {
  readonly invocationId: string;
  readonly job: string;
}

const count = (name: string, value: number): Metric => ({ name, unit: 'Count', value });

/** The line of one request, log and metrics in one. */
export function requestLine(record: RequestRecord): string {
  const { time, milliseconds, operation, repository, userAgent, error, ...fields } = record;
  const { latency, clientErrors, serverErrors } = METRICS.api;
  const metrics: Metric[] = [{ name: latency, unit: 'Milliseconds', value: milliseconds }];
  if (record.status >= 400) metrics.push(count(record.status < 500 ? clientErrors : serverErrors, 1));
  return metricLine({
    time,
    // Without one for each operation: CloudWatch bills every combination as a metric of its own.
    dimensions: [[]],
    metrics,
    fields: {
      time: new Date(time).toISOString(),
      level: record.status < 500 ? 'info' : 'error',
      ...fields,
      operation: operation ?? 'none',
      repository: repository?.slice(0, 256),
      userAgent: userAgent.slice(0, 256),
      error: error === undefined ? undefined : describeError(error),
    },
  });
}

/** The line of a run of a job that went well; `result` is the name of a metric of jobs. */
export function jobLine(record: JobRecord, result: string, value: number): string {
  return lineOf(record, 'info', [count(METRICS.jobs.failures, 0), count(result, value)]);
}

/** The line of a run that failed, which may have done a part of its work. */
export function jobFailureLine(record: JobRecord, error: unknown): string {
  return lineOf(record, 'error', [count(METRICS.jobs.failures, 1)], { error: describeError(error) });
}

/** What policies have done in a repository, or wait for; no metric: what is deleted on purpose is no fault. */
export function upkeepLine(time: number, { is, ...fields }: { readonly is: string }): string {
  return JSON.stringify({ time: new Date(time).toISOString(), level: 'info', told: is, ...fields });
}

function lineOf(record: JobRecord, level: string, metrics: readonly Metric[], more: object = {}): string {
  const { time } = record;
  const fields = { ...record, time: new Date(time).toISOString(), level, ...more };
  return metricLine({ time, dimensions: [['job']], metrics, fields });
}
