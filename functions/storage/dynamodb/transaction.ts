import type { TransactWriteItem } from '@aws-sdk/client-dynamodb';
import { keyOf, type Operation } from '../table.ts';
import { EMPTY_UPDATE, toStoredItem, toStoredKey } from './attributes.ts';
import { conditionOf } from './conditions.ts';
import { Expression } from './expression.ts';

/** One action of a transaction, and the position of its operation in the write. */
export interface Action {
  readonly position: number;
  readonly item: TransactWriteItem;
}

/** What DynamoDB is asked for. Checks without conditions hold anyway; DynamoDB takes none, so they are left out. */
export function actionsOf(tableName: string, operations: readonly Operation[]): readonly Action[] {
  return operations
    .map((operation, position) => ({ position, operation }))
    .filter(({ operation }) => !('check' in operation) || operation.when.length > 0)
    .map(({ position, operation }) => ({ position, item: itemOf(tableName, operation) }));
}

function itemOf(tableName: string, operation: Operation): TransactWriteItem {
  const expression = new Expression();
  const condition = conditionOf(operation.when ?? [], expression);
  const update = 'update' in operation ? updateOf(operation, expression) : '';
  const request = { TableName: tableName, ...condition, ...expression.placeholders };
  const key = keyOf(operation);
  if ('put' in operation) return { Put: { ...request, Item: toStoredItem(key, operation.attributes) } };
  const keyed = { ...request, Key: toStoredKey(key) };
  if ('update' in operation) return { Update: { ...keyed, UpdateExpression: update } };
  if ('remove' in operation) return { Delete: keyed };
  return { ConditionCheck: { ...keyed, ConditionExpression: condition.ConditionExpression } };
}

function updateOf(
  { set = {}, add = {}, include = {}, exclude = {} }: Extract<Operation, { update: unknown }>,
  expression: Expression,
): string {
  const changesOf = <T>(values: Readonly<Record<string, T>>, phrase: (name: string, value: T) => string) =>
    Object.entries(values).map(([name, value]) => phrase(expression.name(name), value));
  const sets = changesOf(set, (name, value) => `${name} = ${expression.value(value)}`);
  const adds = [
    ...changesOf(add, (name, amount) => `${name} ${expression.value(amount)}`),
    ...changesOf(include, (name, texts) => `${name} ${expression.texts(texts)}`),
  ];
  const deletes = changesOf(exclude, (name, texts) => `${name} ${expression.texts(texts)}`);
  if (sets.length + adds.length === 0) sets.push(`${EMPTY_UPDATE} = ${expression.value(true)}`);
  return Object.entries({ SET: sets, ADD: adds, DELETE: deletes })
    .filter(([, changes]) => changes.length > 0)
    .map(([clause, changes]) => `${clause} ${changes.join(', ')}`)
    .join(' ');
}
