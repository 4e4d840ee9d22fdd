import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { RegistryProcess } from '../registry-process.ts';
import { deleteBlob, openUpload, pushBlob } from './client.ts';
import { canMount } from './loop-disk.ts';
import { fillUp, mount } from './mounts.ts';

const RESERVE_BYTES = 16 * 1024 * 1024;

/** What somebody may do to the file. */
const LOSSES = {
  'is deleted': (reserve: string) => rmSync(reserve),
  'cannot be written': (reserve: string) => {
    rmSync(reserve);
    mkdirSync(reserve);
  },
};

describe.runIf(canMount)('a reserve that is lost (needs root on Linux, to mount a disk)', () => {
  it.each(Object.entries(LOSSES))(
    '%s: deletes on a full disk are refused as such, and it is made anew',
    async (_, lose) => {
      const data = join(await mount('tmpfs', 64), 'data');
      const reserve = join(data, 'reserve');
      const registry = await RegistryProcess.start(data);
      onTestFinished(() => registry.stop('SIGKILL'));
      const { url } = registry;
      const pushed = await Promise.all(Array.from({ length: 5 }, () => pushBlob(url, 'a')));
      await expect.poll(() => statSync(reserve).size).toBe(RESERVE_BYTES);
      lose(reserve);
      const giveBack = fillUp(join(data, '..'));
      expect((await openUpload(url, 'a')).status).toBe(507);
      const statuses: number[] = [];
      for (const { digest } of pushed) statuses.push((await deleteBlob(url, 'a', digest)).status);
      expect(statuses).toContain(507);
      expect(statuses.filter((status) => status !== 202 && status !== 507)).toEqual([]);
      expect(registry.errors.split('the reserve cannot be used').length).toBe(2); // told once
      giveBack();
      rmSync(reserve, { recursive: true, force: true });
      expect((await pushBlob(url, 'a')).status).toBe(201);
      await expect.poll(() => statSync(reserve, { throwIfNoEntry: false })?.size).toBe(RESERVE_BYTES);
    },
  );

  it('is deleted while there is room: it is made anew with the next push', async () => {
    const data = join(await mount('tmpfs', 64), 'data');
    const reserve = join(data, 'reserve');
    const registry = await RegistryProcess.start(data);
    onTestFinished(() => registry.stop('SIGKILL'));
    await expect.poll(() => statSync(reserve).size).toBe(RESERVE_BYTES);
    rmSync(reserve);
    expect((await pushBlob(registry.url, 'a')).status).toBe(201);
    await expect.poll(() => statSync(reserve, { throwIfNoEntry: false })?.size).toBe(RESERVE_BYTES);
  });
});
