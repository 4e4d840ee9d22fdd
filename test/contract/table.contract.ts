import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AttributeValue,
  absent,
  atLeast,
  atMost,
  equals,
  type Key,
  type Operation,
  present,
  type Query,
  type Table,
} from '../../functions/storage/table.ts';
import { MemoryTable } from './memory-table.ts';

/** What every `Table` must do. `open` gives an empty one each time. */
export function tableContract(name: string, open: () => Promise<Table>): void {
  describe(`${name} as a Table`, () => {
    readsAndWrites(open);
    conditions(open);
    queries(open);
    it('answers any sequence of operations as the model does', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
          const [table, model] = [await open(), new MemoryTable()];
          for (const run of steps) expect(await run(table)).toEqual(await run(model));
        }),
        { numRuns: 60 },
      );
    });
  });
}

const key = (sort: string, partition = 'P'): Key => ({ partition, sort });

function readsAndWrites(open: () => Promise<Table>): void {
  it('gives back every kind of value as it was put', async () => {
    const table = await open();
    const attributes = {
      text: 'snö "quoted" \u{1F4E6}',
      number: 1.5,
      large: Number.MAX_SAFE_INTEGER,
      flag: false,
      bytes: Uint8Array.of(0, 255, 10),
      list: ['a', 1, Uint8Array.of(7)],
      map: { $bytes: 'not bytes', $: 1, nested: { deep: Uint8Array.of(1, 2) } },
    };
    await table.write([{ put: key('a'), attributes }]);
    expect(normal(await table.get(key('a')))).toEqual(attributes);
  });

  it('answers undefined for what is not there, in the order asked', async () => {
    const table = await open();
    await table.write([{ put: key('b'), attributes: { n: 1 } }]);
    expect(await table.get(key('a'))).toBeUndefined();
    expect(await table.getMany([key('a'), key('b'), key('b', 'Q')])).toEqual([
      undefined,
      { n: 1 },
      undefined,
    ]);
  });

  it('replaces with put, and keeps other attributes with update', async () => {
    const table = await open();
    await table.write([{ put: key('a'), attributes: { n: 1, old: true } }]);
    await table.write([{ put: key('a'), attributes: { n: 2 } }]);
    await table.write([{ update: key('a'), set: { name: 'x' }, add: { n: 3, fresh: -1 } }]);
    expect(await table.get(key('a'))).toEqual({ n: 5, name: 'x', fresh: -1 });
  });

  it('has texts join a set and leave it; an empty one is absent', async () => {
    const table = await open();
    const include = { names: ['x', 'y'] };
    await table.write([{ update: key('a'), set: { n: 1 }, include }]);
    await table.write([
      { update: key('a'), include: { names: ['y', 'z'], others: ['o'] } },
      { update: key('b'), exclude: { names: ['x'] } },
    ]);
    await table.write([{ update: key('a'), exclude: { names: ['x', 'none'], others: ['o'] } }]);
    const [{ names = [], ...rest } = {}, b] = await table.getMany([key('a'), key('b')]);
    expect([new Set(names as string[]), rest]).toEqual([new Set(['y', 'z']), { n: 1 }]);
    expect(b).toEqual({});
  });

  it('refuses no operation, more than 100, two on one item, and two changes of one attribute', async () => {
    const table = await open();
    const put = (sort: string): Operation => ({ put: key(sort), attributes: {} });
    const write = async (operations: Operation[]) => table.write(operations);
    await expect(write([])).rejects.toThrow(RangeError);
    await expect(write(Array.from({ length: 101 }, (_, n) => put(`${n}`)))).rejects.toThrow(RangeError);
    await expect(write([put('a'), { remove: key('a') }])).rejects.toThrow(RangeError);
    await expect(write([{ update: key('a'), set: { n: 1 }, add: { n: 1 } }])).rejects.toThrow(RangeError);
    await expect(write([{ update: key('a'), include: { n: ['x'] }, exclude: { n: ['y'] } }])).rejects.toThrow(
      RangeError,
    );
    expect(await table.write(Array.from({ length: 100 }, (_, n) => put(`${n}`)))).toEqual({
      committed: true,
    });
  });
}

function conditions(open: () => Promise<Table>): void {
  it('writes nothing where one condition fails, and names each that did', async () => {
    const table = await open();
    await table.write([{ put: key('a'), attributes: { n: 1 } }]);
    const outcome = await table.write([
      { put: key('b'), attributes: {}, when: [absent] },
      { update: key('a'), set: { n: 2 }, when: [equals('n', 7)] },
      { check: key('c'), when: [present] },
    ]);
    expect(outcome).toEqual({ committed: false, failed: [1, 2] });
    expect(await table.getMany([key('a'), key('b')])).toEqual([{ n: 1 }, undefined]);
  });

  it('lets only one of many writers win that saw the same value', async () => {
    const table = await open();
    await table.write([{ put: key('a'), attributes: { n: 0 } }]);
    const writers = Array.from({ length: 20 }, (_, n) =>
      table.write([{ update: key('a'), set: { n: n + 1 }, when: [equals('n', 0)] }]),
    );
    const outcomes = await Promise.all(writers);
    expect(outcomes.filter(({ committed }) => committed)).toHaveLength(1);
  });

  it('counts every one of concurrent additions', async () => {
    const table = await open();
    await Promise.all(Array.from({ length: 50 }, () => table.write([{ update: key('a'), add: { n: 1 } }])));
    expect(await table.get(key('a'))).toEqual({ n: 50 });
  });

  it('fails equals, atMost and atLeast on an absent item, an absent attribute, and another type', async () => {
    const table = await open();
    await table.write([{ put: key('a'), attributes: { text: '1' } }]);
    const refused = ['n', 'text'].flatMap((name) => [equals(name, 1), atMost(name, 9), atLeast(name, 0)]);
    for (const condition of refused) {
      for (const sort of ['a', 'none']) {
        expect(await table.write([{ check: key(sort), when: [condition] }])).toMatchObject({
          committed: false,
        });
      }
    }
  });
}

function queries(open: () => Promise<Table>): void {
  it('orders by the bytes of UTF-8, both ways, within prefix and after', async () => {
    const table = await open();
    const sorts = ['T#1', 'T#10', 'T#2', 'T#A', 'T#_', 'T#a', 'T#\u{E000}', 'T#\u{1F4E6}', 'U#1'];
    await table.write(sorts.toReversed().map((sort) => ({ put: key(sort), attributes: { sort } })));
    const list = async (query: Partial<Query>) =>
      (await table.query({ partition: 'P', limit: 100, ...query })).map((item) => item.key.sort);
    expect(await list({})).toEqual(sorts);
    expect(await list({ prefix: 'T#', direction: 'descending' })).toEqual(sorts.slice(0, -1).toReversed());
    expect(await list({ prefix: 'T#', after: 'T#2', limit: 2 })).toEqual(['T#A', 'T#_']);
    expect(await list({ prefix: 'T#', after: 'T#11', limit: 1 })).toEqual(['T#2']);
    expect(await list({ prefix: 'T#1' })).toEqual(['T#1', 'T#10']);
    expect(await list({ partition: 'Q' })).toEqual([]);
  });

  it('leaves attributes out of keys', async () => {
    const table = await open();
    await table.write([{ put: key('a'), attributes: { n: 1 } }]);
    const query = { partition: 'P', limit: 1 };
    expect(await table.query(query)).toEqual([{ key: key('a'), attributes: { n: 1 } }]);
    expect(await table.query({ ...query, keysOnly: true })).toEqual([{ key: key('a'), attributes: {} }]);
  });
}

// Few keys, names and values: sequences must meet each other to say anything.
const sort = fc.constantFrom('a', 'ab', 'b', 'b#', '\u{FFFF}', '\u{1F4E6}');
const anyKey = fc.record({ partition: fc.constantFrom('P', 'Q'), sort });
const number = fc.integer({ min: 0, max: 3 });
const value: fc.Arbitrary<AttributeValue> = fc.oneof(number, fc.constantFrom('x', '$'), fc.boolean());
const attributes = fc.dictionary(fc.constantFrom('n', 'm'), value, { noNullPrototype: true });
const condition = fc.oneof(
  fc.constant(absent),
  fc.constant(present),
  fc.tuple(fc.constantFrom('n', 'm'), number).map(([name, n]) => equals(name, n)),
  fc.tuple(fc.constantFrom('n', 'm'), number).map(([name, n]) => atMost(name, n)),
  fc.tuple(fc.constantFrom('n', 'm'), number).map(([name, n]) => atLeast(name, n)),
);
const when = fc.array(condition, { maxLength: 2 });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ put: anyKey, attributes, when }),
  fc.record({ update: anyKey, set: attributes, when }),
  fc.record({
    update: fc.record({ partition: fc.constant('N'), sort }),
    add: fc.record({ n: number }),
    when,
  }),
  fc.record({ remove: anyKey, when }),
  fc.record({ check: anyKey, when }),
);
const operations = fc.uniqueArray(operation, {
  minLength: 1,
  maxLength: 5,
  selector: (entry) => JSON.stringify(Object.values(entry)[0]),
});
const query = fc.record(
  {
    partition: fc.constantFrom('P', 'Q', 'N'),
    limit: fc.integer({ min: 1, max: 4 }),
    prefix: fc.constantFrom('', 'a', 'b', '\u{1F4E6}'),
    after: sort,
    direction: fc.constantFrom('ascending' as const, 'descending' as const),
    keysOnly: fc.boolean(),
  },
  { requiredKeys: ['partition', 'limit'] },
);
const step: fc.Arbitrary<(table: Table) => Promise<unknown>> = fc.oneof(
  operations.map((entries) => (table: Table) => table.write(entries)),
  query.map((range) => (table: Table) => table.query(range)),
  anyKey.map((one) => (table: Table) => table.get(one)),
  fc.array(anyKey, { minLength: 1, maxLength: 3 }).map((keys) => (table: Table) => table.getMany(keys)),
);

/** Stores may answer bytes as a Buffer, which is a Uint8Array but not equal to one. */
function normal(value: AttributeValue | undefined): unknown {
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, normal(entry)]));
}
