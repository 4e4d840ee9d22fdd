import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { deleteBlob } from '../../functions/registry/blobs.ts';
import { digestKey, signingKeysKey, uploadKey } from '../../functions/registry/keys.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { startUpload } from '../../functions/registry/uploads.ts';
import { DEFAULT_LEASE } from '../../functions/upkeep/lease.ts';
import { halting } from '../../local/sqlite-table.ts';
import { openStores } from '../../local/stores.ts';
import { objectFiles } from '../object-files.ts';
import { pushBlob, REPOSITORY } from '../registry/fixture.ts';
import { scratch } from '../scratch.ts';
import { canMount } from './loop-disk.ts';
import { mount } from './mounts.ts';

const DAY = 24 * 60 * 60_000;

/** A registry with objects that are due, and the test's own clock. */
async function openWithGarbage(data: string) {
  const real = Date.now;
  const clock = { offset: 0 };
  vi.spyOn(Date, 'now').mockImplementation(() => real() + clock.offset);
  onTestFinished(() => void vi.restoreAllMocks());
  const stores = await openStores({ STOWAGE_DATA: data, STOWAGE_TRUST_CLOCK: '1' }, () => undefined, halting);
  onTestFinished(() => stores.close());
  await stores.keys.keys();
  const { registry } = stores;
  const paths: string[] = [];
  for (let n = 0; n < 30; n += 1) paths.push(await deletedBlob(registry, data));
  const { id } = await startUpload(registry, REPOSITORY);
  return { ...stores, clock, paths, upload: uploadKey(id) };
}

/** The path of a file that is due in a day. */
async function deletedBlob(registry: Registry, data: string): Promise<string> {
  const { digest } = await pushBlob(registry);
  const { objectKey } = (await registry.table.get(digestKey(digest))) ?? {};
  await deleteBlob(registry, REPOSITORY, digest);
  return join(data, `${objectKey}`);
}

/** Days go by, each in steps that no clock is doubted for, and each with its tidying; answers what those failed with. */
async function days({ tidy, clock }: Awaited<ReturnType<typeof openWithGarbage>>, count: number) {
  const failures: string[] = [];
  for (let half = 0; half < 2 * count; half += 1) {
    clock.offset += DAY / 2;
    await tidy(DEFAULT_LEASE).catch((error: Error) => failures.push(error.message));
  }
  return failures;
}

it('deletes all others where one thing cannot be deleted, names it each time, and takes it once it can', async () => {
  const data = await scratch();
  const world = await openWithGarbage(data);
  const [stuck = ''] = world.paths.toSorted(
    (a, b) => Number.parseInt(a.at(-1) ?? '', 16) - Number.parseInt(b.at(-1) ?? '', 16),
  );
  rmSync(stuck);
  mkdirSync(stuck); // which no unlink removes
  const ring = await world.registry.table.get(signingKeysKey);
  const failures = await days(world, 31);
  expect(objectFiles(data)).toEqual([stuck.split('/').at(-1)]);
  expect(failures.length).toBeGreaterThan(50);
  const name = stuck.split('/').at(-1) ?? '';
  for (const failure of failures) expect(failure).toContain(`could not delete blobs/${name}: `);
  expect(await world.registry.table.get(world.upload)).toBeUndefined();
  expect(await world.registry.table.get(signingKeysKey)).not.toEqual(ring);
  rmdirSync(stuck);
  expect(await days(world, 1)).toEqual([]);
});

it.runIf(canMount)('so too a file that the system keeps (needs root on Linux, for chattr +i)', async () => {
  const data = join(await mount('ext4', 64), 'data');
  const world = await openWithGarbage(data);
  const [stuck = ''] = world.paths;
  spawnSync('chattr', ['+i', stuck]);
  const failures = await days(world, 2);
  expect(failures.join()).toContain(`could not delete blobs/${stuck.split('/').at(-1)}: `);
  expect(world.paths.filter((path) => existsSync(path))).toEqual([stuck]);
  spawnSync('chattr', ['-i', stuck]);
  expect(await days(world, 1)).toEqual([]);
  expect(existsSync(stuck)).toBe(false);
});
