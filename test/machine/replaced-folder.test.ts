import { cpSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { FolderWatch } from '../../local/folder-watch.ts';
import { SqliteTable } from '../../local/sqlite-table.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';
import { deleteBlob, openUpload, pullBlob, pushBlob } from './client.ts';
import { canMount } from './loop-disk.ts';
import { mountOver } from './mounts.ts';

async function start(data: string): Promise<RegistryProcess> {
  const registry = await RegistryProcess.start(data);
  onTestFinished(() => registry.stop('SIGKILL'));
  return registry;
}

/** A registry with a blob, whose folder is elsewhere for a while: nothing is acknowledged meanwhile, and all is well after. */
async function refusesWhile(replace: (data: string) => Promise<() => unknown>): Promise<void> {
  const data = join(await scratch(), 'data');
  const registry = await start(data);
  const { url } = registry;
  const [first, second] = [await pushBlob(url, 'a'), await pushBlob(url, 'a')];
  const upload = (await openUpload(url, 'a')).headers.get('location');
  const putBack = await replace(data);

  const refused = await openUpload(url, 'a');
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({
    errors: [{ message: expect.stringContaining('was replaced or mounted over while it runs') }],
  });
  expect((await fetch(url + upload, { method: 'PATCH', body: 'bytes' })).status).toBe(503);
  expect((await deleteBlob(url, 'a', first.digest)).status).toBe(503);
  expect((await fetch(`${url}/readyz`)).status).toBe(503);
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect(registry.errors.match(/is not what it was when the registry started/g)).toHaveLength(1);

  await putBack();
  expect(await pullBlob(url, 'a', first.digest)).toBeInstanceOf(Buffer);
  expect((await pushBlob(url, 'b')).status).toBe(201);
  expect(registry.errors).toContain('the data folder is back: writes go on');
  await registry.stop('SIGTERM');
  const again = await start(data);
  expect(await pullBlob(again.url, 'a', second.digest)).toBeInstanceOf(Buffer);
}

it('acknowledges nothing while its folder is another one, as where a backup is put there', async () => {
  await refusesWhile(async (data) => {
    cpSync(data, `${data}-backup`, { recursive: true });
    renameSync(data, `${data}-aside`);
    renameSync(`${data}-backup`, data);
    return () => {
      rmSync(data, { recursive: true });
      renameSync(`${data}-aside`, data);
    };
  });
});

it.each(['registry.sqlite', 'blobs'])('acknowledges nothing while its %s is another one', async (name) => {
  await refusesWhile(async (data) => {
    const path = join(data, name);
    renameSync(path, `${path}-aside`);
    cpSync(`${path}-aside`, path, { recursive: true });
    return () => {
      rmSync(path, { recursive: true });
      renameSync(`${path}-aside`, path);
    };
  });
});

it.each(['removed', 'empty'])('acknowledges nothing while its blobs are %s', async (how) => {
  await refusesWhile(async (data) => {
    const path = join(data, 'blobs');
    renameSync(path, `${path}-aside`);
    if (how === 'empty') mkdirSync(path);
    return () => {
      rmSync(path, { recursive: true, force: true });
      renameSync(`${path}-aside`, path);
    };
  });
});

it.runIf(canMount)(
  'acknowledges nothing while a disk is mounted over its folder (needs root on Linux, to mount it)',
  () => refusesWhile(mountOver),
);

it('does not acknowledge a write during which the folder was replaced', async () => {
  const data = join(await scratch(), 'data');
  mkdirSync(join(data, 'blobs'), { recursive: true });
  const path = join(data, 'registry.sqlite');
  const table = new SqliteTable(path);
  const told: string[] = [];
  const watch = new FolderWatch(data, path, (what) => told.push(what));
  onTestFinished(() => {
    watch.close();
    table.close();
  });
  const put = { put: { partition: 'p', sort: 's' }, attributes: {} };
  await watch.guard(table).write([put]);
  const writing = watch.guard(table).write([put]); // it is written in a turn of its own
  renameSync(data, `${data}-aside`);
  await expect(writing).rejects.toThrow(`${data} is not what it was`);
  expect(told).toHaveLength(1);
});
