import { createHash, randomBytes, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import {
  type BlobStore,
  type Body,
  type CloseOptions,
  type CloseOutcome,
  type ListedObject,
  ObjectDamaged,
  type ObjectKey,
  type StoredObject,
  type Upload,
} from '../../functions/storage/blob-store.ts';

const accept = { isCurrent: async () => true, commit: async () => true };
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

async function read(
  store: BlobStore,
  object: StoredObject | undefined,
  first?: number,
  last = 0,
): Promise<Buffer | undefined> {
  const body = object && (await store.read(object, first === undefined ? {} : { range: { first, last } }));
  return body && Buffer.from(await new Response(body).bytes());
}

/** What becomes of an upload that is closed, as a registry does it that agrees to everything, and the object that it would
 *  link. */
async function close(
  store: BlobStore,
  upload: Upload,
  digest: Digest,
  { body = Buffer.of(), ...options }: Partial<CloseOptions> & { readonly body?: Uint8Array } = {},
): Promise<{ readonly is: CloseOutcome['is']; readonly object?: StoredObject }> {
  let object: StoredObject | undefined;
  const link = async (linked: StoredObject) => {
    object = linked;
    return true;
  };
  const all = { isCurrent: accept.isCurrent, seal: async () => true, link, digest, ...options };
  const { is } = await store.close(upload, bodyOf(body), all);
  return { is, ...(object && { object }) };
}

/** The object of an upload whose bytes have the digest. */
async function closed(...given: Parameters<typeof close>): Promise<StoredObject> {
  const { is, object } = await close(...given);
  if (is !== 'closed' || !object) throw new Error(is);
  return object;
}

async function append(store: BlobStore, upload: Upload, bytes: Uint8Array): Promise<Upload> {
  const outcome = await store.append(upload, bodyOf(bytes), accept);
  if (outcome.is !== 'appended') throw new Error(outcome.is);
  return outcome.upload;
}

const LOOKS = ['glance', 'facts', 'bytes'] as const;

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
