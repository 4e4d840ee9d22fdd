import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { blobKey } from '../../functions/registry/keys.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { copyRegistry } from '../../local/copy-registry.ts';
import { openEmbedded } from '../../local/embedded.ts';
import { TABLE_COPY } from '../../local/table-copy.ts';
import { OTHER, pushBlob, REPOSITORY } from '../registry/fixture.ts';
import { scratch } from '../scratch.ts';

async function open(data: string) {
  const told: string[] = [];
  const embedded = await openEmbedded({ data, tell: (what) => void told.push(what) });
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= embedded.close();
    return closed;
  };
  onTestFinished(close);
  return { ...embedded, close, told };
}

const objectOf = async ({ table }: Registry, repository: typeof REPOSITORY, digest: string) =>
  (await table.get(blobKey(repository, digest as never)))?.['objectKey'] as string;

/** A folder that has a copy of its table with one blob, and a table with another one as well. */
async function twoBlobs() {
  const data = await scratch();
  const { registry, copyTable, close } = await open(data);
  const early = await pushBlob(registry);
  await copyTable();
  const late = await pushBlob(registry, OTHER);
  const files = [
    await objectOf(registry, REPOSITORY, early.digest),
    await objectOf(registry, OTHER, late.digest),
  ] as const;
  await close();
  const moved = join(await scratch(), 'moved');
  cpSync(data, moved, { recursive: true });
  return { data, moved, late, files };
}

it('goes back to no copy of the table for a blob that both name and that is lost', async () => {
  const { moved, late, files } = await twoBlobs();
  rmSync(join(moved, files[0]));
  const { registry, told } = await open(moved);
  expect(await objectOf(registry, OTHER, late.digest)).toBe(files[1]);
  expect(told).toEqual([]);
});

it('leaves the database where it is when the copy of the table cannot be put there', async () => {
  const { moved, files } = await twoBlobs();
  rmSync(join(moved, files[1]));
  mkdirSync(join(moved, 'registry.sqlite.new'));
  await expect(open(moved)).rejects.toThrow();
  expect(existsSync(join(moved, 'registry.sqlite'))).toBe(true);
  rmSync(join(moved, 'registry.sqlite.new'), { recursive: true });
  expect((await open(moved)).told.join()).toContain('the copy of the table among its blobs is used');
});

it('has no copy of an older table in a backup, and heals a blob of it that was cut', async () => {
  const { data, files } = await twoBlobs();
  const to = await scratch();
  await copyRegistry(data, to);
  const { copyTable, close } = await open(to);
  await copyTable(); // a program that had it open for minutes
  await close();
  truncateSync(join(to, files[0]), 1);
  expect(await copyRegistry(data, to)).toEqual({ added: 1, removed: 0 });
  expect(existsSync(join(to, TABLE_COPY))).toBe(false);
});

it('backs up into what a backup has left that died, and leaves nothing of it', async () => {
  const { data } = await twoBlobs();
  const to = await scratch();
  const table = join(data, TABLE_COPY);
  renameSync(table, `${table}.away`);
  await expect(copyRegistry(data, to)).rejects.toThrow('ENOENT'); // as if it had died there
  renameSync(`${table}.away`, table);
  writeFileSync(join(to, 'registry.sqlite.new.part'), '');
  writeFileSync(join(to, 'blobs', '00000000-0000-4000-8000-000000000000.part'), 'half');
  expect(await copyRegistry(data, to)).toEqual({ added: 2, removed: 0 });
  expect(readdirSync(join(to, 'blobs')).filter((name) => name.endsWith('.part'))).toEqual([]);
});
