import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { type Mismatch, scanObjects } from '../../functions/upkeep/orphans.ts';
import { openEmbedded } from '../../local/embedded.ts';
import { objectFiles } from '../object-files.ts';
import { RegistryProcess } from '../registry-process.ts';
import { pullBlob, pushBlob } from './client.ts';
import { canMount, LoopDisk } from './loop-disk.ts';

/** A registry on a disk that has lost the inode of its first blob. */
async function withLostInode() {
  const disk = await LoopDisk.make(64);
  onTestFinished(() => disk.remove());
  const data = join(disk.path, 'data');
  const before = await RegistryProcess.start(data);
  const [bytes, others] = [randomBytes(5000), randomBytes(5000)];
  const { digest } = await pushBlob(before.url, 'a', bytes);
  const { digest: other } = await pushBlob(before.url, 'a', others);
  await before.stop('SIGTERM');
  const name = objectFiles(data).find((each) => bytes.equals(readFileSync(join(data, 'blobs', each)))) ?? '';
  await disk.loseInode(join(data, 'blobs', name));
  return { data, bytes, digest, others, other, objectKey: `blobs/${name}` };
}

it.runIf(canMount)(
  'is damage like any other, which a push heals (needs root on Linux, to mount it)',
  async () => {
    const { data, bytes, digest, others, other } = await withLostInode();
    const registry = await RegistryProcess.start(data);
    onTestFinished(() => registry.stop('SIGKILL'));
    const { url } = registry;
    const answer = await fetch(`${url}/v2/a/blobs/${digest}`);
    expect([answer.status, await answer.text()]).toEqual([500, expect.stringContaining('lost or damaged')]);
    expect((await fetch(`${url}/v2/a/blobs/${digest}`, { method: 'HEAD' })).status).toBe(404);
    expect(await pullBlob(url, 'a', other)).toEqual(others);
    expect(await pushBlob(url, 'a', bytes)).toMatchObject({ status: 201 });
    expect(await pullBlob(url, 'a', digest)).toEqual(bytes);
  },
);

it.runIf(canMount)('is told by a scan, which goes on (needs root on Linux, to mount it)', async () => {
  const { data, digest, objectKey } = await withLostInode();
  const { registry, close } = await openEmbedded({ data });
  onTestFinished(close);
  for (const deep of [undefined, {}]) {
    const found: Mismatch[] = [];
    const options = { report: (mismatch: Mismatch) => void found.push(mismatch), ...(deep && { deep }) };
    expect(await scanObjects(registry, options)).toMatchObject({ objects: 2 });
    expect(found).toEqual([expect.objectContaining({ is: 'damaged', objectKey, digest })]);
  }
});
