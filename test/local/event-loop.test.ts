import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Query } from '../../functions/storage/table.ts';
import { tableUntil } from '../../functions/storage/until.ts';
import { considerate } from '../../local/considerate-table.ts';
import { EventLoop, type Visit } from '../../local/event-loop.ts';
import { MemoryTable } from '../contract/memory-table.ts';
import { tableContract } from '../contract/table.contract.ts';

const KEY = { partition: 'P', sort: 'a' };

/** Turns by a clock that only calls put forward. */
function openLoop() {
  let now = 0;
  const loop = new EventLoop(() => now);
  const call = (visit: Visit, milliseconds: number) =>
    visit.take(async () => {
      now += milliseconds;
    });
  return { loop, call };
}

/** Calls without end until `signal`, and how many of them were made. */
function keepCalling(work: () => Promise<void>, signal: AbortSignal): () => number {
  let made = 0;
  const go = async () => {
    for (; !signal.aborted; made += 1) await work();
  };
  void go();
  return () => made;
}

tableContract('a considerate table', async () => considerate(new MemoryTable(), new EventLoop().visit()));

it('lets the event loop turn in a long row of calls, however quick each is', async () => {
  const { loop, call } = openLoop();
  const visit = loop.visit();
  const ended = new AbortController();
  const made = keepCalling(() => call(visit, 1), ended.signal);
  for (let turn = 1; turn <= 20; turn += 1) {
    const before = made();
    await setImmediate();
    expect(made() - before).toBeLessThanOrEqual(10);
  }
  ended.abort();
  expect(made()).toBeGreaterThan(50);
});

it('has a job give way after each millisecond, where nobody waits', async () => {
  const { loop, call } = openLoop();
  const job = loop.visit(true);
  await call(job, 100);
  const ended = new AbortController();
  const made = keepCalling(() => call(job, 0.25), ended.signal);
  for (let turn = 1; turn <= 20; turn += 1) {
    const before = made();
    await setImmediate();
    expect(made() - before).toBeLessThanOrEqual(4);
  }
  ended.abort();
  expect(made()).toBeGreaterThan(40);
});

it('has one of many long visits go on at a time', async () => {
  const { loop, call } = openLoop();
  const ended = new AbortController();
  const made = Array.from({ length: 50 }, () => {
    const visit = loop.visit();
    return keepCalling(() => call(visit, 1), ended.signal);
  });
  const all = () => made.reduce((sum, count) => sum + count(), 0);
  for (let turn = 0; turn < 100; turn += 1) await setImmediate(); // each has become a long one
  for (let turn = 0; turn < 200; turn += 1) {
    const before = all();
    await setImmediate();
    expect(all() - before).toBeLessThanOrEqual(10);
  }
  ended.abort();
  for (const count of made) expect(count()).toBeGreaterThan(5); // and each of them does
});

it('lets a brief visit by that comes beside many long ones', async () => {
  const { loop, call } = openLoop();
  const ended = new AbortController();
  for (let number = 0; number < 50; number += 1) {
    const visit = loop.visit();
    keepCalling(() => call(visit, 5), ended.signal);
  }
  for (let turn = 0; turn < 200; turn += 1) await setImmediate();
  let waited = 0;
  let isServed = false;
  const brief = call(loop.visit(), 1).then(() => {
    isServed = true;
  });
  for (; !isServed; waited += 1) await setImmediate();
  await brief;
  expect(waited).toBeLessThan(5);
  ended.abort();
});

it('lets a long visit go on though brief ones come and come', async () => {
  const { loop, call } = openLoop();
  const ended = new AbortController();
  const long = loop.visit();
  await call(long, 100);
  for (let number = 0; number < 50; number += 1) keepCalling(() => call(loop.visit(), 4), ended.signal);
  const made = keepCalling(() => call(long, 5), ended.signal);
  for (let turn = 0; turn < 100; turn += 1) await setImmediate();
  ended.abort();
  expect(made()).toBeGreaterThan(10);
});

it('does not begin a call whose signal fires while it waits for its turn', async () => {
  const { loop, call } = openLoop();
  const visit = loop.visit();
  await call(visit, 100);
  const table = new MemoryTable();
  const gone = new AbortController();
  const writing = tableUntil(considerate(table, visit), gone.signal).write([{ put: KEY, attributes: {} }]);
  gone.abort(new Error('the client has gone'));
  await expect(writing).rejects.toThrow('the client has gone');
  expect(await table.get(KEY)).toBeUndefined();
});

it('makes many calls of a large query, and the same answer', async () => {
  const table = new MemoryTable();
  const put = (sort: string) => ({ put: { partition: 'P', sort }, attributes: {} });
  for (let start = 0; start < 2500; start += 100)
    await table.write(Array.from({ length: 100 }, (_, n) => put(`${start + n}`.padStart(5, '0'))));
  const asked: number[] = [];
  const watched = Object.assign(Object.create(table) as MemoryTable, {
    query(query: Query) {
      asked.push(query.limit);
      return table.query(query);
    },
  });
  const parted = considerate(watched, new EventLoop().visit());
  for (const more of [{}, { keysOnly: true }, { direction: 'descending' }, { after: '00070' }] as const) {
    for (const limit of [1, 64, 65, 1000, 2400, 9999]) {
      const query = { partition: 'P', limit, ...more };
      expect(await parted.query(query)).toEqual(await table.query(query));
    }
  }
  expect(Math.max(...asked)).toBe(1000);
});
