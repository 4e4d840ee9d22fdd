import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { appendFile, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { digestOf } from '../../functions/oci/digest.ts';
import type { ObjectKey } from '../../functions/storage/blob-store.ts';
import { DirectoryBlobStore } from '../../local/directory-blob-store.ts';
import { blobStoreContract } from '../contract/blob-store.contract.ts';
import { scratch } from '../scratch.ts';

const shared = mkdtempSync(join(tmpdir(), 'stowage-'));
afterAll(() => rmSync(shared, { recursive: true, force: true }));

blobStoreContract('DirectoryBlobStore', () => DirectoryBlobStore.open(shared));

it.each(['../x', 'blobs/../../etc/passwd', 'blobs/', '/etc/passwd', 'blobs/a\0b', `other/${randomUUID()}`])(
  'refuses the object key %j before it meets the disk',
  async (key) => {
    const root = await scratch();
    const store = await DirectoryBlobStore.open(root);
    await expect(store.put(key as ObjectKey, Buffer.of(1))).rejects.toThrow(RangeError);
    await expect(store.read(key as ObjectKey)).rejects.toThrow(RangeError);
    await expect(store.delete([key as ObjectKey])).rejects.toThrow(RangeError);
    expect(await readdir(root, { recursive: true })).toEqual(['blobs']);
  },
);

it('drops what a killed process wrote past the acknowledged offset', async () => {
  const root = await scratch();
  const store = await DirectoryBlobStore.open(root);
  const started = await store.start(`blobs/${randomUUID()}` as ObjectKey, 'sha256');
  const outcome = await store.append(started, ReadableStream.from([Buffer.from('kept')]), {
    commit: async () => true,
    last: false,
  });
  if (outcome.is !== 'appended') throw new Error(outcome.is);
  await appendFile(join(root, started.objectKey), 'not acknowledged');
  const reopened = await DirectoryBlobStore.open(root);
  expect(await reopened.finish(outcome.upload, digestOf('sha256', Buffer.from('kept')))).toBe('stored');
  const body = await reopened.read(started.objectKey);
  expect(await new Response(body).text()).toBe('kept');
});
