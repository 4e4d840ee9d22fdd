import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import type { Attributes } from '../../functions/storage/table.ts';
import { openEmbedded } from '../../local/embedded.ts';
import { SqliteTable } from '../../local/sqlite-table.ts';
import { MemoryTable } from '../contract/memory-table.ts';
import { tableContract } from '../contract/table.contract.ts';
import { scratch } from '../scratch.ts';

const key = { partition: 'P', sort: 'a' };

tableContract('MemoryTable', async () => new MemoryTable());
tableContract('SqliteTable', async () => {
  const table = new SqliteTable(':memory:');
  onTestFinished(() => table.close());
  return table;
});

it('finds again after reopening what it acknowledged, and writes what is pending before it closes', async () => {
  const path = join(await scratch(), 'table.sqlite');
  const first = new SqliteTable(path);
  const pending = first.write([{ put: key, attributes: { n: 1 } }]);
  first.close();
  expect(await pending).toEqual({ committed: true });
  const second = new SqliteTable(path);
  expect(await second.get(key)).toEqual({ n: 1 });
  second.close();
});

it('removes expired items and leaves the others', async () => {
  const table = new SqliteTable(':memory:');
  const later = { ...key, sort: 'b' };
  const never = { ...key, sort: 'c' };
  await table.write([
    { put: key, attributes: { expiresAt: 10 } },
    { put: later, attributes: { expiresAt: 12 } },
    { put: never, attributes: {} },
  ]);
  await table.removeExpired(11_500);
  expect(await table.getMany([key, later, never])).toEqual([undefined, { expiresAt: 12 }, {}]);
  table.close();
});

/** How often the event loop turns until the work is done. */
async function turnsOf(work: Promise<unknown>): Promise<number> {
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  let turns = 0;
  for (; !isDone; turns += 1) await setImmediate();
  await done;
  return turns;
}

const hundred = (first: number, attributes: Attributes) =>
  Array.from({ length: 100 }, (_, n) => ({ put: { ...key, sort: `${first + n}` }, attributes }));

it('removes many expired items a few in each turn of the event loop', async () => {
  const table = new SqliteTable(':memory:');
  for (let first = 0; first < 3000; first += 100) await table.write(hundred(first, { expiresAt: 10 }));
  expect(await turnsOf(table.removeExpired(11_500))).toBeGreaterThanOrEqual(6);
  expect(await table.query({ partition: 'P', limit: 1 })).toEqual([]);
  table.close();
});

it('gives room that nothing uses any more back to the disk, a little in each turn', async () => {
  const path = join(await scratch(), 'table.sqlite');
  const table = new SqliteTable(path);
  for (let first = 0; first < 3000; first += 100)
    await table.write(hundred(first, { text: 'x'.repeat(8000), ...(first >= 100 && { expiresAt: 10 }) }));
  table.settle();
  const full = statSync(path).size;
  await table.shrink();
  table.settle();
  expect(statSync(path).size).toBe(full); // there is nothing to spare
  await table.removeExpired(11_500);
  expect(await turnsOf(table.shrink())).toBeGreaterThan(6);
  table.settle();
  expect(statSync(path).size).toBeLessThan(full / 3);
  expect(await table.query({ partition: 'P', limit: 1000, keysOnly: true })).toHaveLength(100);
  expect(table.findDamage()).toBeUndefined();
  table.close();
});

it('writes what many wait for a part in each turn, in their order, and all of it before it closes', async () => {
  const path = join(await scratch(), 'table.sqlite');
  let now = 0;
  const clock = () => {
    now += 2;
    return now;
  };
  const table = new SqliteTable(path, { clock });
  const done: number[] = [];
  const write = (first: number) => table.write(hundred(first, {})).then(() => done.push(first));
  const firsts = Array.from({ length: 30 }, (_, n) => n * 100);
  expect(await turnsOf(Promise.all(firsts.map(write)))).toBeGreaterThanOrEqual(6);
  expect(done).toEqual(firsts);
  const last = Promise.all(firsts.map((first) => write(3000 + first)));
  table.close();
  await last;
  const reopened = new SqliteTable(path);
  expect(await reopened.query({ partition: 'P', limit: 10_000, keysOnly: true })).toHaveLength(6000);
  reopened.close();
});

it('is refused to a second process, which is told why', async () => {
  const data = await scratch();
  const embedded = await openEmbedded({ data });
  const main = join(import.meta.dirname, '../../local/main.ts');
  const env = { ...process.env, STOWAGE_DATA: data, STOWAGE_PORT: '1' };
  const { status, stderr } = spawnSync(process.execPath, [main], { env, encoding: 'utf8' });
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: expect.stringContaining('in use by another registry'),
  });
  await embedded.close();
});

// At a quota SQLite tells of an I/O error, as it does where a file may not grow any more.
it.runIf(existsSync('/usr/bin/prlimit'))(
  'makes room at a limit that is not the disk’s own (needs prlimit)',
  async () => {
    const path = join(await scratch(), 'table.sqlite');
    const limit = (bytes: number | string) =>
      execFileSync('/usr/bin/prlimit', ['--pid', `${process.pid}`, `--fsize=${bytes}:`]);
    onTestFinished(() => void limit('unlimited'));
    let room = 1;
    const makeRoom = () => {
      limit('unlimited');
      room -= 1;
      return room >= 0;
    };
    const table = new SqliteTable(path, { makeRoom });
    onTestFinished(() => table.close());
    const attributes = { text: 'x'.repeat(10_000) };
    limit(statSync(`${path}-wal`).size);
    expect(await table.write([{ put: key, attributes }])).toEqual({ committed: true });
    limit(statSync(`${path}-wal`).size);
    await expect(table.write([{ put: { ...key, sort: 'b' }, attributes }])).rejects.toThrow('disk I/O error');
    expect(await table.write([{ put: { ...key, sort: 'c' }, attributes }])).toEqual({ committed: true });
    expect(await table.get(key)).toEqual(attributes);
  },
);
