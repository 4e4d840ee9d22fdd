import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import type { BlobStore, Upload } from '../../functions/storage/blob-store.ts';
import { accept, append, bodyOf, close, closed, cutBody, fresh, read, sha256 } from './blob-store-calls.ts';
import { objects } from './blob-store-objects.contract.ts';

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
      const object = await closed(store, upload, digestOf(algorithm, bytes));
      expect(object.size).toBe(bytes.length);
      expect(await read(store, object)).toEqual(bytes);
    },
  );

  it('stores an empty blob', async () => {
    const store = await open();
    const upload = await append(store, await store.start(fresh(), 'sha256'), Buffer.of());
    expect(await read(store, await closed(store, upload, sha256(Buffer.of())))).toEqual(Buffer.of());
  });

  it('finishes with the other algorithm than it was started for', async () => {
    const store = await open();
    const bytes = randomBytes(100_000);
    const upload = await append(store, await store.start(fresh(), 'sha256'), bytes);
    expect(await read(store, await closed(store, upload, digestOf('sha512', bytes)))).toEqual(bytes);
  });

  it('takes the last bytes with the request that closes it', async () => {
    const store = await open();
    const bytes = randomBytes(100_000);
    const upload = await append(store, await store.start(fresh(), 'sha256'), bytes.subarray(0, 60_000));
    const object = await closed(store, upload, sha256(bytes), { body: bytes.subarray(60_000) });
    expect(await read(store, object)).toEqual(bytes);
  });

  it('goes on in another process with what the registry remembered', async () => {
    const [first, second] = [await open(), await open()];
    const bytes = randomBytes(200_000);
    const started = await append(first, await first.start(fresh(), 'sha256'), bytes.subarray(0, 70_000));
    const remembered = structuredClone(started);
    const upload = await append(second, remembered, bytes.subarray(70_000));
    expect(await read(first, await closed(second, upload, sha256(bytes)))).toEqual(bytes);
  });

  it.each([
    ['nothing', 0],
    ['its last bytes', 40_000],
  ])('is closed by a repetition where whoever closed it with %s died before the link', async (_, rest) => {
    const store = await open();
    const bytes = randomBytes(100_000);
    const [head, body] = [bytes.subarray(0, bytes.length - rest), bytes.subarray(bytes.length - rest)];
    let upload = await append(store, await store.start(fresh(), 'sha256'), head);
    const seal = async (sealed: Upload) => {
      upload = structuredClone(sealed);
      return true;
    };
    const dies = { body, seal, link: () => Promise.reject(new Error('died')) };
    await expect(close(store, upload, sha256(bytes), dies)).rejects.toThrow('died');
    const object = await closed(await open(), upload, sha256(bytes), { body });
    expect(await read(store, object)).toEqual(bytes);
  });
}

function refusals(open: () => Promise<BlobStore>): void {
  it('tells a wrong digest, and frees what the upload held', async () => {
    const store = await open();
    const upload = await append(store, await store.start(fresh(), 'sha256'), Buffer.from('one'));
    expect(await close(store, upload, sha256(Buffer.from('two')))).toEqual({ is: 'mismatch' });
    await store.abort(upload);
    await store.abort(upload);
    expect(await store.read({ objectKey: upload.objectKey, size: 3 })).toBeUndefined();
  });

  it('adds nothing of a body that is cut, and takes the whole one afterwards', async () => {
    const store = await open();
    const upload = await append(store, await store.start(fresh(), 'sha256'), Buffer.from('head '));
    await expect(store.append(upload, cutBody(randomBytes(2_000_000)), accept)).rejects.toThrow('cut');
    const whole = await append(store, upload, Buffer.from('tail'));
    const object = await closed(store, whole, sha256(Buffer.from('head tail')));
    expect(await read(store, object)).toEqual(Buffer.from('head tail'));
  });

  it('is as before where the registry does not commit', async () => {
    const store = await open();
    const upload = await append(store, await store.start(fresh(), 'sha256'), Buffer.from('head '));
    expect(
      await store.append(upload, bodyOf(randomBytes(5000)), { ...accept, commit: async () => false }),
    ).toEqual({ is: 'lost' });
    const object = await closed(store, upload, sha256(Buffer.from('head ')));
    expect(await read(store, object)).toEqual(Buffer.from('head '));
  });

  it('is as before where the registry does not seal or link', async () => {
    const store = await open();
    const bytes = randomBytes(20_000);
    const upload = await append(store, await store.start(fresh(), 'sha256'), bytes.subarray(0, 9000));
    const refuses = { seal: async () => false, link: async () => false, body: bytes.subarray(9000) };
    expect((await close(store, upload, sha256(bytes), refuses)).is).toBe('lost');
    const object = await closed(store, upload, sha256(bytes), { body: bytes.subarray(9000) });
    expect(await read(store, object)).toEqual(bytes);
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
      store.append(started, bodyOf(bytes, 1000), { ...accept, commit: claim }),
    );
    const outcomes = await Promise.all(writers);
    const winner = outcomes.findIndex((outcome) => outcome.is === 'appended');
    expect(outcomes.filter((outcome) => outcome.is === 'appended')).toHaveLength(1);
    const { upload } = outcomes[winner] as { upload: Upload };
    const object = await closed(store, upload, sha256(bodies[winner] as Buffer));
    expect(await read(store, object)).toEqual(bodies[winner]);
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
      expect(await read(store, await closed(store, upload, hexDigest(whole)))).toEqual(whole);
    }),
    { numRuns: 50 },
  );
}

const hexDigest = (bytes: Uint8Array) =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
