import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { digestOf } from '../../functions/oci/digest.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';
import { deleteBlob, openUpload, pullBlob, pushBlob } from './client.ts';
import { canMount } from './loop-disk.ts';
import { bind, fillUp, mount } from './mounts.ts';

const MEBIBYTE = 1024 * 1024;

/** Puts `blobs/` of the data folder elsewhere; answers the disk that it is on. */
const PLACES = {
  'a disk of its own': async (blobs: string) => {
    const disk = await mount('tmpfs', 64);
    mkdirSync(blobs);
    await bind(disk, blobs);
  },
  'a bind mount of the same disk': async (blobs: string) => {
    mkdirSync(blobs);
    await bind(await scratch(), blobs);
  },
  'a symbolic link to another disk': async (blobs: string) => symlinkSync(await mount('tmpfs', 64), blobs),
};

async function start(data: string): Promise<RegistryProcess> {
  const registry = await RegistryProcess.start(data);
  onTestFinished(() => registry.stop('SIGKILL'));
  return registry;
}

describe.runIf(canMount)('blobs/ elsewhere (needs root on Linux, to mount it)', () => {
  it.each(Object.entries(PLACES))(
    'on %s, what is pushed is there, across a restart too',
    async (_, place) => {
      const data = join(await scratch(), 'data');
      mkdirSync(data);
      await place(join(data, 'blobs'));
      const before = await start(data);
      const bytes = randomBytes(1000);
      expect(await pushBlob(before.url, 'a', bytes)).toMatchObject({ status: 201 });
      const upload = (await openUpload(before.url, 'a')).headers.get('location');
      const appended = await fetch(before.url + upload, { method: 'PATCH', body: bytes });
      expect(appended.status).toBe(202);
      const query = `digest=${digestOf('sha256', Buffer.concat([bytes, bytes]))}`;
      const next = `${appended.headers.get('location')}&${query}`;
      await before.stop('SIGTERM');
      const { url } = await start(data);
      expect(await pullBlob(url, 'a', digestOf('sha256', bytes))).toEqual(bytes);
      const whole = Buffer.concat([bytes, bytes]);
      const closed = await fetch(url + next, { method: 'PUT', body: bytes });
      expect(closed.status).toBe(201);
      expect(await pullBlob(url, 'a', digestOf('sha256', whole))).toEqual(whole);
    },
  );

  it('refuses a push with 507 where the disk of blobs/ alone is full, and takes a delete', async () => {
    const data = join(await scratch(), 'data');
    const [disk, blobs] = [await mount('tmpfs', 64), join(data, 'blobs')];
    mkdirSync(blobs, { recursive: true });
    await bind(disk, blobs);
    const registry = await start(data);
    const { digest } = await pushBlob(registry.url, 'a', randomBytes(MEBIBYTE));
    const giveBack = fillUp(disk);
    expect((await openUpload(registry.url, 'a')).status).toBe(507);
    expect(registry.errors).toContain(`the disk of ${blobs} is full`);
    expect((await deleteBlob(registry.url, 'a', digest)).status).toBe(202);
    giveBack();
    expect(await pushBlob(registry.url, 'a')).toMatchObject({ status: 201 });
    await expect.poll(() => registry.errors).toContain('there is room again');
  });

  it('starts on a full disk without a folder for uploads, and makes it for the first push', async () => {
    const place = await mount('ext4', 64);
    const data = join(place, 'data');
    const before = await start(data);
    const { digest } = await pushBlob(before.url, 'a');
    await before.stop('SIGTERM');
    rmSync(join(data, 'blobs', 'uploads'), { recursive: true });
    const giveBack = fillUp(place);
    const { url } = await start(data);
    expect(readdirSync(join(data, 'blobs'))).not.toContain('uploads');
    expect(await pullBlob(url, 'a', digest)).toHaveLength(1000);
    expect((await deleteBlob(url, 'a', digest)).status).toBe(202);
    giveBack();
    expect(await pushBlob(url, 'a')).toMatchObject({ status: 201 });
    expect(readdirSync(join(data, 'blobs'))).toContain('uploads');
  });
});
