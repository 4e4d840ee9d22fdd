import { expect, it, vi } from 'vitest';
import { deleteBlob } from '../../functions/registry/blobs.ts';
import { drainOutbox } from '../../functions/registry/outbox.ts';
import type { ObjectKey } from '../../functions/storage/blob-store.ts';
import { openFixture, pushBlob, REPOSITORY, through } from './fixture.ts';

const DAY = 24 * 60 * 60 * 1000;

/** Objects that are due, and a store that keeps what is in `stuck`; the others of a request may be gone when it fails, or
 *  not, as with S3. */
async function openWithStuck(count: number) {
  const fixture = await openFixture();
  const keys: ObjectKey[] = [];
  for (let n = 0; n < count; n += 1) {
    const { digest } = await pushBlob(fixture.registry);
    await deleteBlob(fixture.registry, REPOSITORY, digest);
  }
  for (const { objectKey } of await fixture.registry.blobs.list(undefined, 1000)) keys.push(objectKey);
  const stuck = new Set<ObjectKey>();
  const { blobs } = fixture.registry;
  const remove = blobs.delete.bind(blobs);
  vi.spyOn(blobs, 'delete').mockImplementation(async (asked) => {
    const [kept, others] = [asked.filter((key) => stuck.has(key)), asked.filter((key) => !stuck.has(key))];
    await remove(kept.length > 0 ? others.slice(0, others.length / 2) : others);
    if (kept.length > 0) throw new Error(`AccessDenied ${kept[0]}`);
  });
  fixture.clock += 2 * DAY;
  return { registry: fixture.registry, keys, stuck };
}

it('deletes all that can go, fails with the names of the others, and takes those the next time', async () => {
  const { registry, keys, stuck } = await openWithStuck(60);
  for (const key of keys.slice(0, 3)) stuck.add(key);
  const failure = await drainOutbox(registry).catch((error: Error) => error.message);
  for (const key of stuck) expect(failure).toContain(`${key}: AccessDenied`);
  expect(await registry.blobs.list(undefined, 1000)).toHaveLength(3);
  stuck.clear();
  expect(await drainOutbox(registry)).toBe(3);
  expect(await registry.blobs.list(undefined, 1000)).toEqual([]);
});

it('goes on with the other shards where the table fails for one', async () => {
  const { registry } = await openWithStuck(60);
  const table = through(registry.table, {
    query: (range) =>
      range.partition === 'X#3' ? Promise.reject(new Error('unreadable')) : registry.table.query(range),
  });
  await expect(drainOutbox({ ...registry, table })).rejects.toThrow('shard 3: unreadable');
  const left = await registry.blobs.list(undefined, 1000);
  expect(left.every(({ objectKey }) => objectKey.endsWith('3'))).toBe(true);
});
