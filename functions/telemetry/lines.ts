import { describeError } from './describe-error.ts';
import type { Measured } from './meter.ts';

/** What a log may know of a request: nothing of its query, its headers and its body, user agent aside. */
interface RequestRecord extends Pick<Measured, 'time' | 'milliseconds'> {
  /** What clients see as `x-request-id`; that of API Gateway where that is in front. */
  readonly requestId: string | undefined;
  /** Lambda's own, which its REPORT lines carry. */
  readonly invocationId?: string;
  /** Requests sent to AWS. */
  readonly calls?: number;
  readonly method: string;
  /** Without the query, which may hold what nobody should read in a log. Of a Node host alone, as the next two. */
  readonly path?: string;
  readonly address?: string;
  /** As the answer says. */
  readonly bytes?: number;
  /** The route's name; absent where there is none. */
  readonly operation: string | undefined;
  /** As the path names it, which need not be a name at all. */
  readonly repository: string | undefined;
  /** Who sent it: `user:alice`. */
  readonly principal: string;
  readonly userAgent: string | undefined;
  readonly status: number;
  /** What went wrong where it is not the client's doing. */
  readonly error?: unknown;
}

interface JobRecord extends Measured {
  readonly invocationId: string;
  readonly job: string;
}

/** The line of one request. No metric is made of it: CloudWatch bills each by the month, and has those of its own that alarms need. */
export function requestLine({
  time,
  operation,
  repository,
  userAgent,
  error,
  ...fields
}: RequestRecord): string {
  return JSON.stringify({
    time: new Date(time).toISOString(),
    level: fields.status < 500 ? 'info' : 'error',
    ...fields,
    operation: operation ?? 'none',
    repository: repository?.slice(0, 256),
    userAgent: userAgent?.slice(0, 256),
    error: error === undefined ? undefined : describeError(error),
  });
}

/** The line of a run of a job that went well; `result` is what its answer is called. */
export function jobLine(record: JobRecord, result: string, value: number): string {
  return lineOf(record, 'info', { [result]: value });
}

/** The line of a run that failed, which may have done a part of its work. */
export function jobFailureLine(record: JobRecord, error: unknown): string {
  return lineOf(record, 'error', { error: describeError(error) });
}

/** What policies have done in a repository, wait for, or nearly refuse. */
export function toldLine(time: number, { is, ...fields }: { readonly is: string }): string {
  return JSON.stringify({ time: new Date(time).toISOString(), level: 'info', told: is, ...fields });
}

const lineOf = ({ time, ...fields }: JobRecord, level: string, more: object): string =>
  JSON.stringify({ time: new Date(time).toISOString(), level, ...fields, ...more });
