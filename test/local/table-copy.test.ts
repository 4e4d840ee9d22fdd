import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { openEmbedded } from '../../local/embedded.ts';
import { freshTableCopy } from '../../local/fresh-table-copy.ts';
import { SqliteTable } from '../../local/sqlite-table.ts';
import { TABLE_COPY, TableCopies, WANTED } from '../../local/table-copy.ts';
import { scratch } from '../scratch.ts';

const DAY = 24 * 60 * 60_000;

async function copiesOf(copyTo: (path: string) => Promise<void>) {
  const folder = await scratch();
  mkdirSync(join(folder, 'blobs'));
  const database = join(folder, 'registry.sqlite');
  writeFileSync(database, 'a table');
  const copies = new TableCopies({ copyTo }, { folder, database }, () => undefined);
  onTestFinished(() => copies.close());
  return { copies, path: join(folder, TABLE_COPY) };
}

it('makes one copy of the table at a time, whoever asks', async () => {
  let made = 0;
  const { copies, path } = await copiesOf(async (to) => {
    made += 1;
    writeFileSync(to, 'half');
    await sleep(5);
    expect(existsSync(to)).toBe(true);
    writeFileSync(to, `whole ${made}`);
  });
  const asked = [1, 2, 3, 4].map(async (count) => {
    await copies.make();
    expect(readFileSync(path, 'utf8')).toBe(`whole ${count}`);
  });
  await Promise.all(asked);
});

it('makes a copy although one fails', async () => {
  let made = 0;
  const { copies, path } = await copiesOf(async (to) => {
    made += 1;
    if (made === 1) throw new Error('no');
    writeFileSync(to, 'whole');
  });
  await expect(copies.make()).rejects.toThrow('no');
  await copies.make();
  expect(readFileSync(path, 'utf8')).toBe('whole');
});

it('does not wait for ever for a registry that dies while it copies its table', async () => {
  const data = await scratch();
  await (await openEmbedded({ data })).close();
  const table = new SqliteTable(join(data, 'registry.sqlite'));
  onTestFinished(() => table.close());
  const copied = freshTableCopy(data, () => undefined, { stuckMs: 200 });
  const wanted = () => readdirSync(data).filter((name) => name.startsWith(WANTED));
  await expect.poll(wanted).toHaveLength(1);
  for (const name of wanted()) rmSync(join(data, name));
  await expect(copied).rejects.toThrow('the registry has ended');
});

it('renews a copy that was made while the clock was ahead', async () => {
  const { copies, path } = await copiesOf(async (to) => writeFileSync(to, 'whole'));
  await copies.renew();
  const ahead = new Date(Date.now() + 30 * DAY);
  utimesSync(path, ahead, ahead);
  await copies.renew();
  expect(statSync(path).mtimeMs).toBeLessThan(Date.now() + DAY);
});
