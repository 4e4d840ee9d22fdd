import type { QueryCommandInput } from '@aws-sdk/client-dynamodb';
import type { Query } from '../table.ts';
import { toStoredKey } from './attributes.ts';

/** DynamoDB's; a longer key is refused, also where a query only starts behind it. */
const MAX_SORT_KEY_BYTES = 1024;

/** The part of a request that says which keys are asked for, and in which order; `undefined` where there are none. */
export function rangeOf({
  partition,
  prefix = '',
  after,
  direction,
}: Query): Omit<QueryCommandInput, 'TableName'> | undefined {
  const descending = direction === 'descending';
  // DynamoDB starts behind any key, there or not, but only behind one that has the prefix.
  const start = after?.startsWith(prefix) ? cut(after) : '';
  if (after !== undefined && start === '' && precedes(after, prefix) === descending) return undefined;
  return {
    KeyConditionExpression: prefix ? 'pk = :partition AND begins_with(sk, :prefix)' : 'pk = :partition',
    ExpressionAttributeValues: {
      ':partition': { S: partition },
      ...(prefix && { ':prefix': { S: prefix } }),
    },
    ScanIndexForward: !descending,
    ...(start && { ExclusiveStartKey: toStoredKey({ partition, sort: start }) }),
  };
}

/** Whether every key with the prefix lies past this one, which lacks it. */
function precedes(sort: string, prefix: string): boolean {
  return Buffer.compare(Buffer.from(sort), Buffer.from(prefix)) <= 0;
}

/** Clients choose where a list goes on. No key is longer than the limit, so what is past the cut is past the whole. */
function cut(sort: string): string {
  const bytes = Buffer.from(sort);
  if (bytes.length <= MAX_SORT_KEY_BYTES) return sort;
  return new TextDecoder().decode(bytes.subarray(0, MAX_SORT_KEY_BYTES), { stream: true });
}
