import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { digestOf } from '../../functions/oci/digest.ts';
import {
  type BlobStore,
  type ListedObject,
  ObjectDamaged,
  type ObjectKey,
} from '../../functions/storage/blob-store.ts';
import { append, closed, fresh, read, sha256 } from './blob-store-calls.ts';

const LOOKS = ['glance', 'facts', 'bytes'] as const;

/** What holds of objects that are whole. */
export function objects(open: () => Promise<BlobStore>): void {
  it('reads ranges of an object, both ends included', async () => {
    const store = await open();
    const key = fresh();
    const bytes = randomBytes(1_500_000);
    await store.put(key, bytes);
    const ranges = [
      [0, 0],
      [bytes.length - 1, bytes.length - 1],
      [7, 1_200_000],
      [0, bytes.length - 1],
    ] as const;
    for (const [first, last] of ranges) {
      expect(await read(store, { objectKey: key, size: bytes.length }, first, last)).toEqual(
        bytes.subarray(first, last + 1),
      );
    }
  });

  it('answers no byte of an object that is shorter or longer than it was stored', async () => {
    const store = await open();
    const objectKey = fresh();
    await store.put(objectKey, randomBytes(1000));
    for (const size of [999, 1001]) {
      await expect(store.read({ objectKey, size })).rejects.toThrow(ObjectDamaged);
      await expect(store.read({ objectKey, size }, { range: { first: 7, last: 90 } })).rejects.toThrow(
        ObjectDamaged,
      );
    }
    await expect(
      store.read({ objectKey, size: 5000 }, { range: { first: 2000, last: 2100 } }),
    ).rejects.toThrow(ObjectDamaged);
  });

  it.each(['sha256', 'sha512'] as const)(
    'finds nothing wrong with a whole object, however it came and however hard it looks, by %s',
    async (algorithm) => {
      const store = await open();
      const [whole, first, last] = [randomBytes(1000), randomBytes(6_000_000), randomBytes(10)];
      const objectKey = fresh();
      await store.put(objectKey, whole);
      const upload = await append(store, await store.start(fresh(), algorithm), first);
      const bytes = Buffer.concat([first, last]);
      const inParts = await closed(store, upload, digestOf(algorithm, bytes), { body: last });
      for (const look of LOOKS) {
        const object = { objectKey, size: whole.length };
        expect(await store.examine(object, digestOf(algorithm, whole), look)).toBeUndefined();
        expect(await store.examine(inParts, digestOf(algorithm, bytes), look)).toBeUndefined();
      }
    },
  );

  it('finds an object that is missing, or of another size, without reading it', async () => {
    const store = await open();
    const [bytes, objectKey] = [randomBytes(1000), fresh()];
    await store.put(objectKey, bytes);
    for (const look of ['facts', 'bytes'] as const) {
      expect(await store.examine({ objectKey: fresh(), size: 1000 }, sha256(bytes), look)).toBe('missing');
      for (const size of [0, 999, 1001])
        expect(await store.examine({ objectKey, size }, sha256(bytes), look)).toBe('damaged');
    }
  });

  it.each(['sha256', 'sha512'] as const)('finds other bytes of the same size, by %s', async (algorithm) => {
    const store = await open();
    const [first, last] = [randomBytes(6_000_000), randomBytes(10)];
    const upload = await append(store, await store.start(fresh(), algorithm), first);
    const inParts = await closed(store, upload, digestOf(algorithm, Buffer.concat([first, last])), {
      body: last,
    });
    const whole = { objectKey: fresh(), size: 1000 };
    await store.put(whole.objectKey, randomBytes(whole.size));
    for (const object of [whole, inParts]) {
      const other = digestOf(algorithm, randomBytes(10));
      expect(await store.examine(object, other, 'bytes')).toBe('damaged');
    }
  });

  it('knows no object that was never stored, or was deleted', async () => {
    const store = await open();
    const key = fresh();
    expect(await store.read({ objectKey: key, size: 1 })).toBeUndefined();
    await store.delete([key]);
    await store.put(key, Buffer.from('x'));
    await store.delete([key]);
    expect(await store.read({ objectKey: key, size: 1 })).toBeUndefined();
  });

  it('lists its objects in the order of their keys, a page at a time, each once, with its size and when it was written', async () => {
    const store = await open();
    const begun = Date.now() - 2000; // S3 tells whole seconds, and a file system may round
    const keys = Array.from({ length: 25 }, fresh);
    for (const [index, key] of keys.entries()) await store.put(key, randomBytes(index));
    const listed: ListedObject[] = [];
    for (let isOver = false; !isOver; ) {
      const page = await store.list(listed.at(-1)?.objectKey, 7);
      listed.push(...page);
      isOver = page.length < 7;
    }
    const all = listed.map(({ objectKey }) => objectKey);
    expect(all).toEqual([...new Set(all)].sort());
    const ours = listed.filter(({ objectKey }) => keys.includes(objectKey));
    expect(new Map(ours.map(({ objectKey, size }) => [objectKey, size]))).toEqual(
      new Map(keys.map((key, index) => [key, index])),
    );
    for (const { writtenAt } of ours) {
      expect(writtenAt).toBeGreaterThan(begun);
      expect(writtenAt).toBeLessThan(Date.now() + 2000);
    }
  });

  it('lists no object that was deleted', async () => {
    const store = await open();
    const key = fresh();
    await store.put(key, Buffer.from('x'));
    await store.delete([key]);
    const near = await store.list(key.slice(0, -1) as ObjectKey, 1000);
    expect(near.map(({ objectKey }) => objectKey)).not.toContain(key);
  });

  it('lets go of a download that the client gives up', async () => {
    const store = await open();
    const key = fresh();
    await store.put(key, randomBytes(3_000_000));
    const object = { objectKey: key, size: 3_000_000 };
    const body = await store.read(object);
    const reader = body?.getReader();
    await reader?.read();
    await reader?.cancel();
    expect(await read(store, object, 0, 0)).toHaveLength(1);
  });
}
