import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { RegistryProcess } from '../registry-process.ts';
import { deleteBlob, openUpload, pullBlob, pushBlob } from './client.ts';
import { canMount } from './loop-disk.ts';
import { mount } from './mounts.ts';

const run = promisify(execFile);

/** As ext4 does by itself with `errors=remount-ro` when it finds something wrong. */
async function shutDown(place: string): Promise<void> {
  const { stdout } = await run('findmnt', ['-no', 'SOURCE', place]);
  const device = stdout.trim().split('/').at(-1);
  await run('mount', ['-o', 'remount,errors=remount-ro', place]);
  await run('sh', ['-c', `echo 1 > /sys/fs/ext4/${device}/trigger_fs_error`]);
}

describe.runIf(canMount)('a disk that becomes read-only meanwhile (needs root on Linux, to mount it)', () => {
  it('is told of once, refuses what writes and says why, and serves pulls', async () => {
    const place = await mount('ext4', 128);
    const data = join(place, 'data');
    const registry = await RegistryProcess.start(data);
    onTestFinished(() => registry.stop('SIGKILL'));
    const { url } = registry;
    const { digest } = await pushBlob(url, 'a');
    const upload = (await openUpload(url, 'a')).headers.get('location');
    await shutDown(place);
    for (const refused of [
      await openUpload(url, 'a'),
      await fetch(url + upload, { method: 'PATCH', body: 'bytes' }),
      await deleteBlob(url, 'a', digest),
    ]) {
      // docker and podman show the line of the status, and nothing of the body.
      expect(refused).toMatchObject({ status: 503, statusText: expect.stringContaining('may only be read') });
      expect(await refused.json()).toMatchObject({
        errors: [{ message: expect.stringContaining('its operator has to look after it') }],
      });
    }
    expect(await pullBlob(url, 'a', digest)).toBeInstanceOf(Buffer);
    const told = registry.errors.split('\n').filter((line) => line.includes(`the disk of ${data} fails`));
    expect(told.length).toBeGreaterThan(0);
    expect(new Set(told).size).toBe(told.length);
    expect(told[0]).toContain('docs/runbook.md#the-disk-fails');
  });
});
