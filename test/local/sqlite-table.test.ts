import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
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
