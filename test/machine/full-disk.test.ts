import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { deleteBlob as deleteFrom } from '../../functions/registry/blobs.ts';
import { DEFAULT_LEASE } from '../../functions/upkeep/lease.ts';
import { openEmbedded } from '../../local/embedded.ts';
import { objectFiles } from '../object-files.ts';
import * as fixture from '../registry/fixture.ts';
import { RegistryProcess } from '../registry-process.ts';
import { deleteBlob, openUpload, pullBlob, pushBlob, pushImage } from './client.ts';
import { canMount } from './loop-disk.ts';
import { FILE_SYSTEMS, fillUp, freeBytes, mount } from './mounts.ts';
import { removePartition } from './partition.ts';

const MEBIBYTE = 1024 * 1024;
const HOUR = 60 * 60_000;

async function start(data: string): Promise<RegistryProcess> {
  const registry = await RegistryProcess.start(data);
  onTestFinished(() => registry.stop('SIGKILL'));
  return registry;
}

const reserveBytes = (data: string) => statSync(join(data, 'reserve')).size;

describe.runIf(canMount).each(FILE_SYSTEMS)(
  'a full disk (%s; needs root on Linux, to mount it)',
  (system) => {
    it('refuses a push with 507 and says why, and still serves, deletes, and starts', async () => {
      const place = await mount(system, 64);
      const data = join(place, 'data');
      const registry = await start(data);
      await expect.poll(() => reserveBytes(data)).toBe(16 * MEBIBYTE);
      const { url } = registry;
      const [kept, other] = [randomBytes(MEBIBYTE), randomBytes(MEBIBYTE)];
      const [first, second] = [await pushBlob(url, 'a', kept), await pushBlob(url, 'a', other)];
      const upload = (await openUpload(url, 'a')).headers.get('location');
      const giveBack = fillUp(place);

      const refused = await openUpload(url, 'a');
      expect(refused).toMatchObject({ status: 507, statusText: expect.stringContaining('disk is full') });
      expect(await refused.json()).toMatchObject({
        errors: [{ message: expect.stringContaining('make room') }],
      });
      expect((await fetch(url + upload, { method: 'PATCH', body: kept })).status).toBe(507);
      expect((await pushImage(url, 'a', 'tag')).status).toBe(507);
      expect(registry.errors).toContain(`the disk of ${data} is full`);
      expect(await pullBlob(url, 'a', first.digest)).toEqual(kept);
      expect((await deleteBlob(url, 'a', first.digest)).status).toBe(202);
      expect(await pullBlob(url, 'a', first.digest)).toBe(404);
      await registry.stop('SIGTERM');

      const again = await start(data);
      expect(again.banner).toContain(`the disk of ${data} is full`);
      expect(await pullBlob(again.url, 'a', second.digest)).toEqual(other);
      expect((await deleteBlob(again.url, 'a', second.digest)).status).toBe(202);
      expect((await openUpload(again.url, 'a')).status).toBe(507);
      giveBack();
      expect((await fetch(again.url + upload, { method: 'PATCH', body: kept })).status).toBe(202);
      expect((await pushImage(again.url, 'a', 'tag')).status).toBe(201);
      await expect.poll(() => reserveBytes(data)).toBe(16 * MEBIBYTE);
    });

    it('starts where the disk was full before there was a reserve, or a mark', async () => {
      const place = await mount(system, 64);
      const data = join(place, 'data');
      const before = await start(data);
      const bytes = randomBytes(MEBIBYTE);
      const { digest } = await pushBlob(before.url, 'a', bytes);
      await expect.poll(() => reserveBytes(data)).toBe(16 * MEBIBYTE);
      await before.stop('SIGTERM');
      for (const name of ['reserve', 'blobs/registry-id']) rmSync(join(data, name));
      removePartition(data, 'REGISTRY');
      const giveBack = fillUp(place);
      const full = await start(data);
      expect(await pullBlob(full.url, 'a', digest)).toEqual(bytes);
      expect((await openUpload(full.url, 'a')).status).toBe(507);
      await full.stop('SIGTERM');
      giveBack();
      const after = await start(data);
      expect((await pushImage(after.url, 'a', 'tag')).status).toBe(201);
      expect(readFileSync(join(data, 'blobs/registry-id'), 'utf8')).toMatch(/^[0-9a-f-]{36}\n$/);
    });

    it('takes hundreds of deletes, and keeps them when the process is killed', async () => {
      const place = await mount(system, 64);
      const data = join(place, 'data');
      const registry = await start(data);
      await expect.poll(() => reserveBytes(data)).toBe(16 * MEBIBYTE);
      const pushed = await Promise.all(Array.from({ length: 300 }, () => pushBlob(registry.url, 'a')));
      const giveBack = fillUp(place);
      const statuses = new Set<number>();
      for (const { digest } of pushed) statuses.add((await deleteBlob(registry.url, 'a', digest)).status);
      expect([...statuses]).toEqual([202]);
      await registry.stop('SIGKILL');
      const again = await start(data);
      const found = await Promise.all(pushed.map(({ digest }) => pullBlob(again.url, 'a', digest)));
      expect(new Set(found)).toEqual(new Set([404]));
      giveBack();
    });

    it('answers a chunk that does not fit with 507', async () => {
      const place = await mount(system, 64);
      const data = join(place, 'data');
      const registry = await start(data);
      await expect.poll(() => reserveBytes(data)).toBe(16 * MEBIBYTE);
      const upload = (await openUpload(registry.url, 'a')).headers.get('location');
      const body = randomBytes(60 * MEBIBYTE);
      const answer = await fetch(registry.url + upload, { method: 'PATCH', body });
      expect(answer.status).toBe(507);
      expect(await answer.json()).toMatchObject({
        errors: [{ message: expect.stringContaining('disk is full') }],
      });
      expect((await fetch(registry.url + upload)).status).toBe(404); // its client starts anew
    });

    it('is emptied by what its owner deletes, day by day, while it is full', async () => {
      const real = Date.now;
      let offset = 0;
      vi.spyOn(Date, 'now').mockImplementation(() => real() + offset);
      onTestFinished(() => void vi.restoreAllMocks());
      const place = await mount(system, 64);
      const data = join(place, 'data');
      const { registry, room, tidy, close } = await openEmbedded({ data });
      onTestFinished(close);
      await expect.poll(() => reserveBytes(data)).toBe(16 * MEBIBYTE);
      const { digest } = await fixture.pushBlob(registry, fixture.REPOSITORY, randomBytes(MEBIBYTE));
      const { digest: kept } = await fixture.pushBlob(registry, fixture.OTHER, randomBytes(MEBIBYTE));
      fillUp(place);
      expect(() => room.require()).toThrow();
      await deleteFrom(registry, fixture.REPOSITORY, digest);
      for (let hour = 1; hour <= 30; hour += 1) {
        offset = hour * HOUR;
        await tidy(DEFAULT_LEASE);
      }
      expect(freeBytes(place)).toBeGreaterThan(MEBIBYTE / 2);
      expect(objectFiles(data)).toHaveLength(1);
      expect(await fixture.refusal(deleteFrom(registry, fixture.OTHER, kept))).toBeUndefined();
    });
  },
);
