import { TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { ItemTooLarge, keyOf, type Operation } from '../table.ts';
import type { Action } from './transaction.ts';

/** How many items a refusal names. */
const MAX_NAMED = 3;

/** The positions of the operations whose conditions did not hold; none where the error is no lost race. As in every
 *  table they come first: what else is wrong with the write shows once they hold. */
export function lostRaces(error: unknown, actions: readonly Action[]): readonly number[] {
  const codes = reasonsOf(error).map(({ Code }) => Code);
  return actions
    .filter((_, index) => codes[index] === 'ConditionalCheckFailed')
    .map(({ position }) => position);
}

/** What to throw for a write that cannot be: where DynamoDB finds fault with an item, its words and the item. */
export function refusal(
  error: unknown,
  operations: readonly Operation[],
  actions: readonly Action[],
): unknown {
  if (!(error instanceof Error)) return error;
  const faults = reasonsOf(error).flatMap(({ Code = 'None', Message = Code }, index) => {
    const position = actions[index]?.position ?? 0;
    return Code === 'None' ? [] : [`${namesOf(operations.slice(position, position + 1))}: ${Message}`];
  });
  if (error.name === 'ValidationException') faults.push(`${namesOf(operations)}: ${error.message}`);
  if (faults.length === 0) return error;
  const message = `DynamoDB refuses ${faults.join('; ')}`;
  return faults.some((fault) => /item size/i.test(fault))
    ? new ItemTooLarge(`${message} (400 KB)`, { cause: error })
    : new Error(message, { cause: error });
}

function reasonsOf(error: unknown) {
  return error instanceof TransactionCanceledException ? (error.CancellationReasons ?? []) : [];
}

function namesOf(operations: readonly Operation[]): string {
  const names = operations.slice(0, MAX_NAMED).map((operation) => {
    const { partition, sort } = keyOf(operation);
    return `${partition} ${sort}`;
  });
  const more = operations.length - names.length;
  return names.join(', ') + (more > 0 ? ` and ${more} more` : '');
}
