import { setTimeout } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DynamoDbTable } from '../../../functions/storage/dynamodb/dynamodb-table.ts';
import { fullJitter } from '../../../functions/storage/pause.ts';
import { startProxy } from './proxy.ts';
import { startDynamoDb } from './server.ts';
import { clientOf, createTable } from './table.ts';
import { RunningTransactions } from './transactions.ts';

const key = (sk: string) => ({ pk: { S: 'P' }, sk: { S: sk } });
const at = (sk: string) => ({ TableName: 'T', Key: key(sk) });
const put = (sk: string) => ({ TableName: 'T', Item: key(sk) });
const all = (...TransactItems: object[]) => ({ TransactItems });

/** What is answered to a call while a transaction that changes `a` and checks `b` is running. */
async function whileRunning(operation: string, input: object) {
  const running = new RunningTransactions();
  const end = Promise.withResolvers<string>();
  const input1 = { ...all({ Put: put('a') }, { ConditionCheck: at('b') }), ClientRequestToken: 'first' };
  const first = running.run('TransactWriteItems', bodyOf(input1), () => end.promise);
  const second = await running.run(operation, bodyOf(input), async () => 'done');
  end.resolve('done');
  expect(await first).toBe('done');
  expect(await running.run(operation, bodyOf(input), async () => 'done')).toBe('done');
  return typeof second === 'string' ? second : JSON.parse(second.body);
}

const bodyOf = (input: object) => Buffer.from(JSON.stringify(input));

describe('while a transaction is running', () => {
  it.each([
    ['changes an item of it', all({ Update: at('c') }, { Delete: at('a') })],
    ['checks one', all({ Update: at('c') }, { ConditionCheck: at('a') })],
    ['changes one that it checks', all({ Update: at('c') }, { Put: put('b') })],
  ])('another that %s is cancelled, and told for which', async (_, input) => {
    expect(await whileRunning('TransactWriteItems', input)).toMatchObject({
      __type: 'com.amazonaws.dynamodb.v20120810#TransactionCanceledException',
      CancellationReasons: [{ Code: 'None' }, { Code: 'TransactionConflict' }],
    });
  });

  it('one that reads an item of it is cancelled', async () => {
    expect(await whileRunning('TransactGetItems', all({ Get: at('a') }))).toMatchObject({
      CancellationReasons: [{ Code: 'TransactionConflict' }],
    });
  });

  it.each([
    ['PutItem', put('a')],
    ['UpdateItem', at('a')],
    ['DeleteItem', at('b')],
  ])('%s of an item of it is refused', async (operation, input) => {
    expect(await whileRunning(operation, input)).toMatchObject({
      __type: 'com.amazonaws.dynamodb.v20120810#TransactionConflictException',
    });
  });

  it('the same, sent again, is in progress', async () => {
    expect(await whileRunning('TransactWriteItems', { ...all(), ClientRequestToken: 'first' })).toMatchObject(
      {
        __type: 'com.amazonaws.dynamodb.v20120810#TransactionInProgressException',
      },
    );
  });

  it.each([
    ['GetItem', at('a')],
    ['Query', { TableName: 'T' }],
    ['BatchGetItem', {}],
    ['PutItem', put('c')],
    ['TransactWriteItems', all({ Put: put('c') })],
  ])('%s of it, or of another item, is answered', async (operation, input) => {
    expect(await whileRunning(operation, input)).toBe('done');
  });
});

const server = await startDynamoDb();

it.runIf(server)('writers who meet at an item all come through, and nothing is counted twice', async () => {
  const { endpoint = '', stop = async () => undefined } = server ?? {};
  const proxy = await startProxy(endpoint, { transactionMs: 2 });
  const client = clientOf(proxy.url);
  onTestFinished(async () => {
    client.destroy();
    await proxy.stop();
    await stop();
  });
  const pause = fullJitter(Math.random, setTimeout);
  const table = new DynamoDbTable({ client, tableName: await createTable(client), pause });
  const [hot, check] = ['hot', 'checked'].map((sort) => ({ partition: 'P#name', sort }));
  if (!hot || !check) return;
  await table.write([{ put: check, attributes: { is: 'there' } }]);
  const writers = Array.from({ length: 10 }, () =>
    table.write([
      { update: hot, add: { n: 1 } },
      { check, when: [{ is: 'present' }] },
    ]),
  );
  for (const outcome of await Promise.all(writers)) expect(outcome).toEqual({ committed: true });
  expect(await table.get(hot)).toEqual({ n: 10 });
  expect([...proxy.conflicts.keys()]).toEqual(['P#… hot', 'P#… checked']);
});
