import {
  BatchGetItemCommand,
  DeleteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  InternalServerError,
  ProvisionedThroughputExceededException,
  PutItemCommand,
  QueryCommand,
  RequestLimitExceeded,
  ResourceNotFoundException,
  ThrottlingException,
  TransactionCanceledException,
  TransactionConflictException,
  TransactionInProgressException,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { mockClient } from 'aws-sdk-client-mock';
import { beforeEach, describe, expect, it } from 'vitest';
import { DynamoDbTable } from '../../../functions/storage/dynamodb/dynamodb-table.ts';
import { longestPauseMs } from '../../../functions/storage/pause.ts';
import { absent, type Key, type Operation, present, type Table } from '../../../functions/storage/table.ts';

// What a server on this machine never does: it is never busy, and its answers always arrive.

const client = new DynamoDBClient({ region: 'us-east-1' });
const mock = mockClient(client);
let pauses: number[] = [];
const table = new DynamoDbTable({
  client,
  tableName: 'T',
  pause: async (attempt) => void pauses.push(attempt),
});

beforeEach(() => {
  mock.reset();
  pauses = [];
});

const key = (sort: string): Key => ({ partition: 'P', sort });
const twoChanges: readonly Operation[] = [
  { put: key('a'), attributes: {}, when: [absent] },
  { check: key('nothing asked'), when: [] },
  { remove: key('b'), when: [present] },
];

const said = { message: 'said the mock', $metadata: {} };
const throttled = new ThrottlingException(said);
const lostAnswer = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
const cancelled = (...codes: string[]) =>
  new TransactionCanceledException({
    ...said,
    CancellationReasons: codes.map((Code) => ({ Code, Message: `${Code}, in words` })),
  });

const tokens = () =>
  mock.commandCalls(TransactWriteItemsCommand).map(({ args }) => args[0].input.ClientRequestToken);

describe('a transaction', () => {
  it.each([
    ['throttling', throttled],
    ['a throttled action', cancelled('None', 'ThrottlingError')],
    ['an action beyond the throughput', cancelled('ProvisionedThroughputExceeded', 'None')],
    ['a conflict', cancelled('TransactionConflict', 'None')],
    ['an attempt still under way', new TransactionInProgressException(said)],
    ['a limit of the account', new RequestLimitExceeded(said)],
    ['an error of the service', new InternalServerError(said)],
    ['a service unavailable', Object.assign(new Error('down'), { $metadata: { httpStatusCode: 503 } })],
    ['a lost answer', lostAnswer],
    ['no answer in time', Object.assign(new Error('late'), { name: 'TimeoutError' })],
  ])('is sent again under its first token after %s', async (_, failure) => {
    mock.on(TransactWriteItemsCommand).rejectsOnce(failure).rejectsOnce(failure).resolves({});
    expect(await table.write(twoChanges)).toEqual({ committed: true });
    expect(tokens()).toHaveLength(3);
    expect(new Set(tokens()).size).toBe(1);
    expect(pauses).toEqual([1, 2]);
  });

  it('has a token of its own, of a length that DynamoDB takes', async () => {
    mock.on(TransactWriteItemsCommand).resolves({});
    await table.write(twoChanges);
    await table.write(twoChanges);
    expect(new Set(tokens()).size).toBe(2);
    for (const token of tokens()) expect(token).toMatch(/^.{1,36}$/);
  });

  it('names what failed by the position in the write, not in the request', async () => {
    mock.on(TransactWriteItemsCommand).rejects(cancelled('None', 'ConditionalCheckFailed'));
    expect(await table.write(twoChanges)).toEqual({ committed: false, failed: [2] });
    expect(pauses).toEqual([]);
  });

  it('does not take a condition that failed beside a conflict for the whole answer', async () => {
    mock
      .on(TransactWriteItemsCommand)
      .rejectsOnce(cancelled('ConditionalCheckFailed', 'TransactionConflict'))
      .rejects(cancelled('ConditionalCheckFailed', 'ConditionalCheckFailed'));
    expect(await table.write(twoChanges)).toEqual({ committed: false, failed: [0, 2] });
    expect(new Set(tokens()).size).toBe(1);
  });

  it('is refused at once where others are at its items, and the table is hasty', async () => {
    mock
      .on(TransactWriteItemsCommand)
      .rejectsOnce(throttled)
      .rejects(cancelled('ConditionalCheckFailed', 'TransactionConflict'));
    await expect(table.hasty().write(twoChanges)).rejects.toMatchObject({ code: 'TOOMANYREQUESTS' });
    expect(tokens()).toHaveLength(2);
  });

  it('is a lost race, whatever else is wrong with it', async () => {
    mock.on(TransactWriteItemsCommand).rejects(cancelled('ConditionalCheckFailed', 'ValidationError'));
    expect(await table.write(twoChanges)).toEqual({ committed: false, failed: [0] });
  });

  it('throws what is no race, with the item and the reason', async () => {
    const failure = cancelled('None', 'ValidationError');
    mock.on(TransactWriteItemsCommand).rejects(failure);
    await expect(table.write(twoChanges)).rejects.toMatchObject({
      message: 'DynamoDB refuses P b: ValidationError, in words',
      cause: failure,
    });
    expect(tokens()).toHaveLength(1);
  });

  it('throws as it is what has nothing to do with its items', async () => {
    const failure = new ResourceNotFoundException(said);
    mock.on(TransactWriteItemsCommand).rejects(failure);
    await expect(table.write(twoChanges)).rejects.toBe(failure);
    expect(tokens()).toHaveLength(1);
  });

  it('throws after ten lost answers what it last met: nobody was busy', async () => {
    mock.on(TransactWriteItemsCommand).rejects(lostAnswer);
    await expect(table.write(twoChanges)).rejects.toBe(lostAnswer);
    expect(tokens()).toHaveLength(10);
  });
});

describe('a call that stays busy', () => {
  const conflict = cancelled('ConditionalCheckFailed', 'TransactionConflict');
  const tooBusy = (cause: unknown) => ({
    code: 'TOOMANYREQUESTS',
    status: 429,
    headers: { 'Retry-After': '1' },
    cause,
  });

  it.each([
    ['write', conflict, () => table.write(twoChanges)],
    ['put', new TransactionConflictException(said), () => table.write([{ put: key('a'), attributes: {} }])],
    ['remove', throttled, () => table.write([{ remove: key('a') }])],
    ['get', throttled, () => table.get(key('a'))],
    ['getMany', throttled, () => table.getMany([key('a')])],
    [
      'query',
      new ProvisionedThroughputExceededException(said),
      () => table.query({ partition: 'P', limit: 1 }),
    ],
  ])('is given up after ten attempts: %s', async (_, failure, call) => {
    mock.onAnyCommand().rejects(failure);
    await expect(call()).rejects.toMatchObject(tooBusy(failure));
    expect(mock.calls()).toHaveLength(10);
    expect(pauses).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('is given up where a batch makes no progress', async () => {
    mock.on(BatchGetItemCommand).callsFake(({ RequestItems }) => ({ UnprocessedKeys: RequestItems }));
    await expect(table.getMany([key('a')])).rejects.toMatchObject({ code: 'TOOMANYREQUESTS' });
    expect(mock.calls()).toHaveLength(10);
  });

  it('has waited 5.2 s at most by then', () => {
    const pausesMs = Array.from({ length: 9 }, (_, index) => longestPauseMs(index + 1));
    expect(pausesMs.reduce((sum, pause) => sum + pause)).toBeLessThanOrEqual(5240);
  });
});

describe('a call of a table until a signal', () => {
  const reason = new Error('the request has ended');
  const calls: readonly [string, (table: Table) => Promise<unknown>][] = [
    ['write', (ended) => ended.write(twoChanges)],
    ['put', (ended) => ended.write([{ put: key('a'), attributes: {} }])],
    ['remove', (ended) => ended.write([{ remove: key('a') }])],
    ['get', (ended) => ended.get(key('a'))],
    ['getMany', (ended) => ended.getMany([key('a')])],
    ['query', (ended) => ended.query({ partition: 'P', limit: 1 })],
  ];

  it.each(calls)('does not begin after it: %s', async (_, call) => {
    mock.onAnyCommand().resolves({});
    await expect(call(table.until(AbortSignal.abort(reason)))).rejects.toBe(reason);
    expect(mock.calls()).toEqual([]);
  });

  it.each(calls)('is not repeated after it: %s', async (_, call) => {
    const end = new AbortController();
    mock.onAnyCommand().callsFake(() => {
      end.abort(reason);
      throw lostAnswer;
    });
    await expect(call(table.until(end.signal))).rejects.toBe(reason);
    expect(mock.calls()).toHaveLength(1);
  });

  it.each(calls)('is given the signal, to be cut by it: %s', async (_, call) => {
    const { signal } = new AbortController();
    mock.onAnyCommand().resolves({});
    await call(table.until(signal));
    expect(mock.calls().map(({ args }) => (args as unknown[])[1])).toEqual([{ abortSignal: signal }]);
  });
});

describe('a read', () => {
  const stored = (sort: string) => ({ pk: { S: 'P' }, sk: { S: sort }, sort: { S: sort } });

  it('asks again for the keys that a batch left out, and for each key once', async () => {
    const left = { T: { Keys: [{ pk: { S: 'P' }, sk: { S: 'b' } }] } };
    mock
      .on(BatchGetItemCommand)
      .resolvesOnce({ Responses: { T: [stored('c'), stored('a')] }, UnprocessedKeys: left })
      .resolvesOnce({ UnprocessedKeys: left })
      .resolves({ Responses: { T: [stored('b')] } });
    const items = await table.getMany(['a', 'b', 'c', 'a'].map(key));
    expect(items.map((item) => item?.['sort'])).toEqual(['a', 'b', 'c', 'a']);
    const asked = mock
      .commandCalls(BatchGetItemCommand)
      .map(({ args }) => args[0].input.RequestItems?.['T']?.Keys?.map(({ sk }) => sk?.S));
    expect(asked).toEqual([['a', 'b', 'c'], ['b'], ['b']]);
    expect(pauses).toEqual([1, 2]);
  });

  it('is strongly consistent', async () => {
    mock.on(GetItemCommand).resolves({});
    mock.on(QueryCommand).resolves({});
    mock.on(BatchGetItemCommand).resolves({});
    await table.get(key('a'));
    await table.query({ partition: 'P', limit: 1 });
    await table.getMany([key('a')]);
    expect(mock.calls().map(({ args }) => args[0].input)).toMatchObject([
      { ConsistentRead: true },
      { ConsistentRead: true },
      { RequestItems: { T: { ConsistentRead: true } } },
    ]);
  });

  it('goes on to the next page, and asks only for what is missing', async () => {
    const last = { pk: { S: 'P' }, sk: { S: 'a' } };
    mock
      .on(QueryCommand)
      .resolvesOnce({ Items: [stored('a')], LastEvaluatedKey: last })
      .rejectsOnce(throttled)
      .resolves({ Items: [stored('b')] });
    const items = await table.query({ partition: 'P', limit: 3 });
    expect(items.map((item) => item.key.sort)).toEqual(['a', 'b']);
    expect(mock.calls().map(({ args }) => args[0].input)).toMatchObject([
      { Limit: 3 },
      { Limit: 2, ExclusiveStartKey: last },
      { Limit: 2, ExclusiveStartKey: last },
    ]);
  });

  it('asks nothing where there can be nothing', async () => {
    expect(await table.getMany([])).toEqual([]);
    expect(await table.query({ partition: 'P', limit: 0 })).toEqual([]);
    expect(await table.query({ partition: 'P', prefix: 'b', after: 'c', limit: 1 })).toEqual([]);
    expect(await table.write([{ check: key('a'), when: [] }])).toEqual({ committed: true });
    expect(mock.calls()).toEqual([]);
  });
});

describe('one item without a condition', () => {
  it('is written without a transaction', async () => {
    mock.onAnyCommand().resolves({});
    await table.write([{ put: key('a'), attributes: {} }]);
    await table.write([{ check: key('b'), when: [] }, { remove: key('a') }]);
    expect(mock.commandCalls(PutItemCommand)).toHaveLength(1);
    expect(mock.commandCalls(DeleteItemCommand)).toHaveLength(1);
    expect(tokens()).toHaveLength(0);
  });
});
