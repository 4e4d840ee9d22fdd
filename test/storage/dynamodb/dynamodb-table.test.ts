import { setTimeout } from 'node:timers/promises';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, describe, expect, it } from 'vitest';
import { DynamoDbTable } from '../../../functions/storage/dynamodb/dynamodb-table.ts';
import { fullJitter } from '../../../functions/storage/pause.ts';
import { absent, atMost, equals, type Key } from '../../../functions/storage/table.ts';
import { startDynamoDbLocal } from '../../aws/dynamodb/local.ts';
import { type DynamoDbServer, startDynamoDb } from '../../aws/dynamodb/server.ts';
import { clientOf, createTable } from '../../aws/dynamodb/table.ts';
import { tableContract } from '../../contract/table.contract.ts';

const pause = fullJitter(Math.random, setTimeout);
const server = await startDynamoDb();
const missing = 'no DynamoDB: @dynoxide/linux-x64 is not installed, STOWAGE_TEST_DYNAMODB names no endpoint';
if (!server && process.env['STOWAGE_REQUIRE_CLIENTS']) throw new Error(missing);
if (!server) console.warn(`skipped: DynamoDbTable; ${missing}`);
suite('DynamoDbTable', server);

const askLocal = process.env['STOWAGE_TEST_DYNAMODB_LOCAL'] === '1';
suite('DynamoDbTable on DynamoDB Local', askLocal ? await startDynamoDbLocal() : undefined);

function suite(name: string, on: DynamoDbServer | undefined): void {
  describe.runIf(on)(`${name}:`, () => {
    const client = clientOf(on?.endpoint ?? '');
    const open = async () => new DynamoDbTable({ client, tableName: await createTable(client), pause });
    afterAll(async () => {
      client.destroy();
      await on?.stop();
    });
    tableContract(name, open);
    sizes(open);
    namesAndValues(open);
    it('writes once where the answer is lost, and takes its own write for no lost race', async () => {
      const deaf = clientOf(on?.endpoint ?? '');
      const heard = loseFirstAnswer(deaf);
      const tableName = await createTable(client);
      const table = new DynamoDbTable({ client: deaf, tableName, pause });
      const count = { update: key('a'), add: { n: 1 } };
      expect(await table.write([{ ...count, when: [absent] }])).toEqual({ committed: true });
      expect(heard()).toBe(2);
      expect(await table.get(key('a'))).toEqual({ n: 1 });
      deaf.destroy();
    });
  });
}

/** Breaks the first connection after its request was carried out; answers how many requests were made. */
function loseFirstAnswer({ config: { requestHandler } }: DynamoDBClient): () => number {
  const handle = requestHandler.handle.bind(requestHandler);
  let requests = 0;
  requestHandler.handle = async (...args) => {
    const answer = await handle(...args);
    requests += 1;
    if (requests === 1) throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
    return answer;
  };
  return () => requests;
}

const key = (sort: string): Key => ({ partition: 'P', sort });
const kilobytes = (count: number) => 'x'.repeat(count * 1024);

function sizes(open: () => Promise<DynamoDbTable>): void {
  it('lists more than a page of 1 MB, in both directions', async () => {
    const table = await open();
    const sorts = ['1', '2', '3', '4', '5', '6', '7', '8'];
    const put = async (sort: string) =>
      table.write([{ put: key(sort), attributes: { big: kilobytes(300) } }]);
    await Promise.all(sorts.map(put));
    for (const direction of ['ascending', 'descending'] as const) {
      const items = await table.query({ partition: 'P', limit: 7, direction });
      const expected = direction === 'ascending' ? sorts : sorts.toReversed();
      expect(items.map((item) => item.key.sort)).toEqual(expected.slice(0, 7));
    }
  });

  it('reads more than the 16 MB of a batch, in the order asked', async () => {
    const table = await open();
    const sorts = Array.from({ length: 50 }, (_, n) => `${n}`);
    const put = async (sort: string) =>
      table.write([{ put: key(sort), attributes: { sort, big: kilobytes(390) } }]);
    for (const sort of sorts) await put(sort);
    const items = await table.getMany(sorts.map(key));
    expect(items.map((item) => item?.['sort'])).toEqual(sorts);
    expect(await table.getMany([])).toEqual([]);
  });

  it('says which item is over 400 KB', async () => {
    const table = await open();
    await table.write([{ put: key('a'), attributes: { half: kilobytes(300) } }]);
    const tooLarge = /DynamoDB refuses P a: Item size .* \(400 KB\)/;
    await expect(table.write([{ put: key('a'), attributes: { big: kilobytes(410) } }])).rejects.toThrow(
      tooLarge,
    );
    await expect(
      table.write([
        { put: key('b'), attributes: {} },
        { update: key('a'), set: { more: kilobytes(200) } },
      ]),
    ).rejects.toThrow(tooLarge);
    expect(await table.get(key('b'))).toBeUndefined();
  });

  it('goes on after a key that is longer than any can be', async () => {
    const table = await open();
    await table.write([
      { put: key('T#a'), attributes: {} },
      { put: key('T#é'), attributes: {} },
    ]);
    const after = `T#a${'é'.repeat(5000)}`;
    const query = { partition: 'P', prefix: 'T#', after, limit: 5, keysOnly: true };
    expect(await table.query(query)).toEqual([{ key: key('T#é'), attributes: {} }]);
    expect(await table.query({ ...query, direction: 'descending' })).toEqual([
      { key: key('T#a'), attributes: {} },
    ]);
    expect(await table.query({ ...query, prefix: '', after: '', direction: 'descending' })).toEqual([]);
  });
}

function namesAndValues(open: () => Promise<DynamoDbTable>): void {
  it('takes names that are reserved words, or no words at all', async () => {
    const table = await open();
    const names = ['size', 'Name', 'TTL', 'a.b', '#n0', ':v0', 'two words', 'ü', '0'];
    const set = Object.fromEntries(names.map((name) => [name, 'x']));
    await table.write([{ update: key('a'), set, add: { count: 2, items: 1 } }]);
    const outcome = await table.write([
      { update: key('a'), set: { and: true }, when: names.map((name) => equals(name, 'x')) },
      { check: key('a '), when: [atMost('count', 2)] },
    ]);
    expect(outcome).toEqual({ committed: false, failed: [1] });
    expect(await table.get(key('a'))).toEqual({ ...set, count: 2, items: 1 });
  });

  it('keeps numbers exact, and what is empty', async () => {
    const table = await open();
    const attributes = {
      numbers: [0, 0.1, -1.5, 1e21, 1e-7, 2 ** 53 - 1, -(2 ** 53) + 1, 123456.789012345],
      text: '',
      list: [],
      map: {},
      nested: { list: [[], {}, ''] },
    };
    await table.write([{ put: key('a'), attributes: { ...attributes, bytes: new Uint8Array(0), zero: -0 } }]);
    const { bytes, zero, ...rest } = (await table.get(key('a'))) ?? {};
    expect(rest).toEqual(attributes);
    expect(bytes).toHaveLength(0);
    expect(zero).toBe(0);
  });

  it('refuses a name that is part of the key, and a number that is none', async () => {
    const table = await open();
    for (const name of ['pk', 'sk', 'emptyUpdate']) {
      await expect(table.write([{ put: key('a'), attributes: { [name]: 'x' } }])).rejects.toThrow(RangeError);
      await expect(table.write([{ update: key('a'), set: { [name]: 'x' } }])).rejects.toThrow(RangeError);
    }
    await expect(table.write([{ put: key('a'), attributes: { n: Number.NaN } }])).rejects.toThrow(RangeError);
  });
}
