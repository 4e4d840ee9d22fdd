import { TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { tooBusy } from '../../oci/host-errors.ts';
import type { Pause } from '../pause.ts';

/** With the pauses between them they take 5.2 s at most, half of that on average. */
export const MAX_ATTEMPTS = 10;

/** DynamoDB could do it, only not now: another transaction has the item, or too much is asked of the table. */
const BUSY: ReadonlySet<string> = new Set([
  'TransactionConflictException',
  'TransactionInProgressException',
  'ThrottlingException',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'InternalServerError',
]);

/** The same, said of one action of a cancelled transaction. */
const BUSY_REASON: ReadonlySet<string> = new Set([
  'TransactionConflict',
  'ThrottlingError',
  'ProvisionedThroughputExceeded',
]);

/** Node's codes for a connection that ended, or never began. */
const DISCONNECTED: ReadonlySet<string> = new Set(['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'ETIMEDOUT']);

interface Patience {
  readonly pause: Pause;
  /** Ends it: whatever the last attempt met, its reason is thrown. */
  readonly signal: AbortSignal | undefined;
  /** Not with others' transactions. */
  readonly isHasty: boolean;
}

/** Repeats `call` while only time is in its way, up to 10 times. What stays busy becomes TOOMANYREQUESTS; every
 *  other error is thrown as it is. */
export async function patiently<T>({ pause, signal, isHasty }: Patience, call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      signal?.throwIfAborted();
      const isLast = attempt === MAX_ATTEMPTS || (isHasty && isConflict(error));
      const end = endOf(error, isLast);
      if (end !== undefined) throw end;
    }
    await pause(attempt);
  }
}

/** What to throw; nothing where it is to be tried again. */
function endOf(error: unknown, isLast: boolean): unknown {
  if (isBusy(error)) return isLast ? Object.assign(tooBusy(), { cause: error }) : undefined;
  return isLast || !isUnanswered(error) ? error : undefined;
}

function isConflict(error: unknown): boolean {
  if (!(error instanceof TransactionCanceledException)) return false;
  return (error.CancellationReasons ?? []).some(({ Code }) => Code === 'TransactionConflict');
}

/** A condition that failed beside a conflict is no answer yet: the other action's condition was not looked at, and
 *  the caller would take it to hold. Nothing was written, so asking again is safe, and then all are named. */
function isBusy(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (!(error instanceof TransactionCanceledException)) return BUSY.has(error.name);
  return (error.CancellationReasons ?? []).some(({ Code = '' }) => BUSY_REASON.has(Code));
}

/** Whether it is unknown what became of the request. */
function isUnanswered(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { name, code = '', $metadata } = error as Unanswered;
  return name === 'TimeoutError' || DISCONNECTED.has(code) || ($metadata?.httpStatusCode ?? 0) >= 500;
}

interface Unanswered extends Error {
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}
