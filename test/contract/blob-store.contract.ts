import { createHash, randomBytes, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import type { BlobStore, Body, ListedObject, ObjectKey, Upload } from '../../functions/storage/blob-store.ts';

const accept = { commit: async () => true, last: false };
const fresh = () => `blobs/${randomUUID()}` as ObjectKey;
const sha256 = (bytes: Uint8Array) => digestOf('sha256', bytes);

/** A body in chunks of the sizes that sockets deliver. */
function bodyOf(bytes: Uint8Array, chunk = 65_536): Body {
  const starts = Array.from({ length: Math.ceil(bytes.length / chunk) }, (_, n) => n * chunk);
  return ReadableStream.from(starts.map((start) => bytes.subarray(start, start + chunk)));
}

/** A body whose sender goes away after `bytes`. */
function cutBody(bytes: Uint8Array): Body {
  return ReadableStream.from(
    (async function* cut() {
      yield bytes;
      throw new Error('cut');
    })(),
  );
}

async function read(store: BlobStore, key: ObjectKey, first?: number, last = 0): Promise<Buffer | undefined> {
  const body = await store.read(key, first === undefined ? undefined : { first, last });
  return body && Buffer.from(await new Response(body).bytes());
}

async function append(store: BlobStore, upload: Upload, bytes: Uint8Array): Promise<Upload> {
  const outcome = await store.append(upload, bodyOf(bytes), accept);
  if (outcome.is !== 'appended') throw new Error(outcome.is);
  return outcome.upload;
}

/** What every `BlobStore` must do. `open` gives one that may hold other objects; opened again, it stands for
 *  another process on the same bytes. */
export function blobStoreContract(name: string, open: () => Promise<BlobStore>): void {
  describe(`${name} as a BlobStore`, () => {
    uploads(open);
    refusals(open);
    objects(open);
    it('stores what was sent, however it was cut into chunks and requests', () => randomUploads(open));
  });
}

function uploads(open: () => Promise<BlobStore>): void {
  it.each(['sha256', 'sha512'] as const)(
    'stores a blob that comes in one request, by %s',
    async (algorithm) => {
      const store = await open();
      const bytes = randomBytes(3_000_000);
      const upload = await append(store, await store.start(fresh(), algorithm), bytes);
      expect(upload.offset).toBe(bytes.length);
      expect(await store.finish(upload, digestOf(algorithm, bytes))).toBe('stored');
      expect(await read(store, upload.objectKey)).toEqual(bytes);
    },
  );

  it('stores an empty blob', async () => {
    const store = await open();
    const upload = await append(store, await store.start(fresh(), 'sha256'), Buffer.of());
    expect(await store.finish(upload, sha256(Buffer.of()))).toBe('stored');
    expect(await read(store, upload.objectKey)).toEqual(Buffer.of());
  });

  it('finishes with the other algorithm than it was started for', async () => {
    const store = await open();
    const bytes = randomBytes(100_000);
    const upload = await append(store, await store.start(fresh(), 'sha256'), bytes);
    expect(await store.finish(upload, digestOf('sha512', bytes))).toBe('stored');
  });

  it('goes on in another process with what the registry remembered', async () => {
    const [first, second] = [await open(), await open()];
    const bytes = randomBytes(200_000);
    const started = await append(first, await first.start(fresh(), 'sha256'), bytes.subarray(0, 70_000));
    const remembered = structuredClone(started);
    const upload = await append(second, remembered, bytes.subarray(70_000));
    expect(await second.finish(upload, sha256(bytes))).toBe('stored');
    expect(await read(first, upload.objectKey)).toEqual(bytes);
  });

  it('finishes again as if it were the first time', async () => {
    const store = await open();
    const bytes = randomBytes(1000);
    const upload = await append(store, await store.start(fresh(), 'sha256'), bytes);
    expect(await store.finish(upload, sha256(bytes))).toBe('stored');
    expect(await store.finish(upload, sha256(bytes))).toBe('stored');
    expect(await read(store, upload.objectKey)).toEqual(bytes);
  });
}

function refusals(open: () => Promise<BlobStore>): void {
  it('tells a wrong digest, and frees what the upload held', async () => {
    const store = await open();
    const upload = await append(store, await store.start(fresh(), 'sha256'), Buffer.from('one'));
    expect(await store.finish(upload, sha256(Buffer.from('two')))).toBe('mismatch');
    await store.abort(upload);
    await store.abort(upload);
    expect(await read(store, upload.objectKey)).toBeUndefined();
  });

  it('adds nothing of a body that is cut, and takes the whole one afterwards', async () => {
    const store = await open();
    const upload = await append(store, await store.start(fresh(), 'sha256'), Buffer.from('head '));
    await expect(store.append(upload, cutBody(randomBytes(2_000_000)), accept)).rejects.toThrow('cut');
    const whole = await append(store, upload, Buffer.from('tail'));
    expect(await store.finish(whole, sha256(Buffer.from('head tail')))).toBe('stored');
    expect(await read(store, whole.objectKey)).toEqual(Buffer.from('head tail'));
  });

  it('is as before where the registry does not commit', async () => {
    const store = await open();
    const upload = await append(store, await store.start(fresh(), 'sha256'), Buffer.from('head '));
    expect(
      await store.append(upload, bodyOf(randomBytes(5000)), { ...accept, commit: async () => false }),
    ).toEqual({ is: 'lost' });
    expect(await store.finish(upload, sha256(Buffer.from('head ')))).toBe('stored');
    expect(await read(store, upload.objectKey)).toEqual(Buffer.from('head '));
  });

  it('lets one of two writers at the same offset win, and keeps its bytes whole', async () => {
    const store = await open();
    const started = await store.start(fresh(), 'sha256');
    let offset = started.offset;
    const claim = async (next: Upload) => {
      if (offset !== started.offset) return false;
      offset = next.offset;
      return true;
    };
    const bodies = [randomBytes(300_000), randomBytes(200_000)];
    const writers = bodies.map((bytes) =>
      store.append(started, bodyOf(bytes, 1000), { commit: claim, last: false }),
    );
    const outcomes = await Promise.all(writers);
    const winner = outcomes.findIndex((outcome) => outcome.is === 'appended');
    expect(outcomes.filter((outcome) => outcome.is === 'appended')).toHaveLength(1);
    const { upload } = outcomes[winner] as { upload: Upload };
    expect(await store.finish(upload, sha256(bodies[winner] as Buffer))).toBe('stored');
    expect(await read(store, upload.objectKey)).toEqual(bodies[winner]);
  });
}

function objects(open: () => Promise<BlobStore>): void {
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
      expect(await read(store, key, first, last)).toEqual(bytes.subarray(first, last + 1));
    }
  });

  it('knows no object that was never stored, or was deleted', async () => {
    const store = await open();
    const key = fresh();
    expect(await store.read(key)).toBeUndefined();
    await store.delete([key]);
    await store.put(key, Buffer.from('x'));
    await store.delete([key]);
    expect(await store.read(key)).toBeUndefined();
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
    const body = await store.read(key);
    const reader = body?.getReader();
    await reader?.read();
    await reader?.cancel();
    expect(await read(store, key, 0, 0)).toHaveLength(1);
  });
}

async function randomUploads(open: () => Promise<BlobStore>): Promise<void> {
  const requests = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
  const chunkSize = fc.integer({ min: 1, max: 50 });
  await fc.assert(
    fc.asyncProperty(requests, chunkSize, fc.nat(), async (bodies, chunk, cutAt) => {
      const store = await open();
      let upload = await store.start(fresh(), 'sha256');
      for (const [index, bytes] of bodies.entries()) {
        if (index === cutAt % 8) await store.append(upload, cutBody(bytes), accept).catch(() => undefined);
        const outcome = await store.append(upload, bodyOf(bytes, chunk), accept);
        if (outcome.is === 'appended') upload = outcome.upload;
      }
      const whole = Buffer.concat(bodies);
      expect(await store.finish(upload, hexDigest(whole))).toBe('stored');
      expect(await read(store, upload.objectKey)).toEqual(whole);
    }),
    { numRuns: 50 },
  );
}

const hexDigest = (bytes: Uint8Array) =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
