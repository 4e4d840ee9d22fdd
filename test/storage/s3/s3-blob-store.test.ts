import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../../functions/oci/digest.ts';
import type {
  CloseOptions,
  CloseOutcome,
  ObjectKey,
  StoredObject,
  Upload,
} from '../../../functions/storage/blob-store.ts';
import { CdnUrls } from '../../../functions/storage/s3/cdn-urls.ts';
import { S3BlobStore } from '../../../functions/storage/s3/s3-blob-store.ts';
import { denyOverwrites } from '../../../lib/blob-policy.ts';
import { type S3ServerOptions, startS3Server } from '../../aws/s3/server.ts';
import { blobStoreContract } from '../../contract/blob-store.contract.ts';

const MEBIBYTE = 1024 * 1024;
const bucket = 'stowage-test';
const region = 'eu-central-1';
const credentials = { accessKeyId: 'AKIATEST', secretAccessKey: 'secret' };
const policy = () => [denyOverwrites(`arn:aws:s3:::${bucket}`)];
const directory = mkdtempSync(join(tmpdir(), 'stowage-s3-'));

let server: Awaited<ReturnType<typeof startS3Server>>;
let client: S3Client;
let firstCall = 0;

beforeAll(async () => {
  server = await startS3Server({ directory, credentials, region, bucket, policy });
  const requestChecksumCalculation = 'WHEN_REQUIRED' as const;
  client = new S3Client({
    endpoint: server.url,
    forcePathStyle: true,
    region,
    credentials,
    requestChecksumCalculation,
  });
});
afterAll(async () => {
  client.destroy();
  await server.close();
  rmSync(directory, { recursive: true, force: true });
});

const open = async () => new S3BlobStore({ client, bucket, newId: randomUUID, pause: async () => undefined });

blobStoreContract('S3BlobStore', open);

describe('S3BlobStore', () => {
  beforeEach(() => {
    firstCall = server.calls.length;
  });
  const calls = () => server.calls.slice(firstCall).map(({ operation }) => operation);
  const bodyOf = (bytes: Uint8Array) => ReadableStream.from([bytes]);
  const agree = async () => true;

  async function append(store: S3BlobStore, upload: Upload, bytes: Uint8Array): Promise<Upload> {
    const outcome = await store.append(upload, bodyOf(bytes), { isCurrent: agree, commit: agree });
    if (outcome.is !== 'appended') throw new Error(outcome.is);
    return outcome.upload;
  }

  /** The object that the upload becomes, as a registry has it that agrees to everything, or what hindered it. */
  async function close(
    store: S3BlobStore,
    upload: Upload,
    whole: Uint8Array,
    { last = Buffer.of(), ...own }: Partial<CloseOptions> & { readonly last?: Uint8Array } = {},
  ): Promise<StoredObject | CloseOutcome['is']> {
    let object: StoredObject | undefined;
    const link = async (linked: StoredObject) => {
      object = linked;
      return true;
    };
    const digest = digestOf('sha256', whole);
    const options = { digest, isCurrent: agree, seal: agree, link, ...own };
    const { is } = await store.close(upload, bodyOf(last), options);
    return object ?? is;
  }

  async function readAll(store: S3BlobStore, object: StoredObject | string): Promise<Buffer | string> {
    if (typeof object === 'string') return object;
    return Buffer.from(await new Response(await store.read(object)).bytes());
  }

  const start = (store: S3BlobStore) => store.start(`blobs/${randomUUID()}` as ObjectKey, 'sha256');

  it.each([
    ['PATCH and an empty PUT', false],
    ['one PUT', true],
  ])('stores a blob that comes by %s with one call', async (_, isLast) => {
    const store = await open();
    const bytes = randomBytes(MEBIBYTE);
    const started = await start(store);
    const object = isLast
      ? await close(store, started, bytes, { last: bytes })
      : await close(store, await append(store, started, bytes), bytes);
    expect(calls()).toEqual(['PutObject']);
    expect(object).toEqual({ objectKey: started.objectKey, size: bytes.length });
  });

  it('stores 30 MiB that come in one request as parts, without a copy or a tail', async () => {
    const store = await open();
    const bytes = randomBytes(30 * MEBIBYTE);
    const object = await close(store, await start(store), bytes, { last: bytes });
    const parts = Array.from({ length: 6 }, () => 'UploadPart');
    expect(calls()).toEqual(['CreateMultipartUpload', ...parts, 'CompleteMultipartUpload']);
    expect(bytes.equals((await readAll(store, object)) as Buffer)).toBe(true);
  });

  it('carries chunks of 4 MiB, which are too small for parts, from one request to the next', async () => {
    const chunks = Array.from({ length: 5 }, () => randomBytes(4 * MEBIBYTE));
    let upload = await start(await open());
    for (const chunk of chunks) {
      const remembered = structuredClone(upload);
      upload = await append(await open(), remembered, chunk);
    }
    const whole = Buffer.concat(chunks);
    const store = await open();
    expect(whole.equals((await readAll(store, await close(store, upload, whole))) as Buffer)).toBe(true);
  });

  it('closes a layer that came in one PATCH with one call, and removes its tail', async () => {
    const store = await open();
    const bytes = randomBytes(12 * MEBIBYTE);
    const upload = await append(store, await start(store), bytes);
    expect(calls()).toContain('PutObject'); // the tail
    firstCall = server.calls.length;
    const object = await close(store, upload, bytes);
    expect(calls()).toEqual(['CompleteMultipartUpload', 'DeleteObjects']);
    expect(bytes.equals((await readAll(store, object)) as Buffer)).toBe(true);
  });

  it('closes it too where a further chunk was begun and failed', async () => {
    const store = await open();
    const bytes = randomBytes(12 * MEBIBYTE);
    const upload = await append(store, await start(store), bytes);
    const further = bodyOf(randomBytes(9 * MEBIBYTE));
    const lost = { isCurrent: agree, commit: async () => false };
    expect(await store.append(upload, further, lost)).toEqual({ is: 'lost' });
    expect(bytes.equals((await readAll(store, await close(store, upload, bytes))) as Buffer)).toBe(true);
  });

  it('seals what is more than one object under a key that nobody has written to', async () => {
    const store = await open();
    const [first, more] = [randomBytes(300), randomBytes(50)];
    const upload = await append(store, await start(store), first);
    const sealed: Upload[] = [];
    const seal = async (next: Upload) => {
      expect(await store.received(next.objectKey)).toBeUndefined();
      sealed.push(next);
      return true;
    };
    const whole = Buffer.concat([first, more]);
    const object = await close(store, upload, whole, { last: more, seal });
    expect(sealed).toMatchObject([{ offset: 350, sealed: digestOf('sha256', whole) }]);
    expect(object).toEqual({ objectKey: sealed[0]?.objectKey, size: 350 });
    expect(sealed[0]?.objectKey).not.toBe(upload.objectKey);
    expect(await readAll(store, object)).toEqual(whole);
  });

  it('replaces nothing at the key of an upload that is taken: the bytes become another object', async () => {
    const store = await open();
    const [others, ours] = [randomBytes(200), randomBytes(300)];
    const started = await start(store);
    await store.put(started.objectKey, others);
    const object = await close(store, await append(store, started, ours), ours);
    expect(await readAll(store, object)).toEqual(ours);
    expect(await readAll(store, { objectKey: started.objectKey, size: 200 })).toEqual(others);
  });

  it.each([
    ['in one PATCH', 0],
    ['in a PATCH and the closing PUT', 9 * MEBIBYTE],
  ])('closes an upload that came %s again, where whoever put it together died', async (_, size) => {
    const [head, last] = [randomBytes(12 * MEBIBYTE), randomBytes(size)];
    const bytes = Buffer.concat([head, last]);
    const store = await open();
    let upload = await append(store, await start(store), head);
    const seal = async (sealed: Upload) => {
      upload = structuredClone(sealed);
      return true;
    };
    const dies = { last, seal, link: () => Promise.reject(new Error('died')) };
    await expect(close(store, upload, bytes, dies)).rejects.toThrow('died');
    const object = await close(await open(), upload, bytes, { last });
    expect(bytes.equals((await readAll(store, object)) as Buffer)).toBe(true);
  });

  it.each([
    ['small', 300],
    ['large', 12 * MEBIBYTE],
  ])('is gone where the bytes of a %s upload were removed before it was closed', async (_, size) => {
    const store = await open();
    const bytes = randomBytes(size);
    const upload = await append(store, await start(store), bytes);
    await store.abort(upload);
    const more = randomBytes(10);
    expect(await close(store, upload, Buffer.concat([bytes, more]), { last: more })).toBe('gone');
  });

  it('puts its bytes where a late request has put its own in the place of the last part', async () => {
    const store = await open();
    const bytes = randomBytes(12 * MEBIBYTE);
    const upload = await append(store, await start(store), bytes);
    const seal = async (sealed: Upload) => {
      const late = { isCurrent: agree, commit: async () => false };
      await store.append(upload, bodyOf(randomBytes(9 * MEBIBYTE)), late);
      return sealed.sealed !== undefined;
    };
    const object = await close(store, upload, bytes, { seal });
    expect(bytes.equals((await readAll(store, object)) as Buffer)).toBe(true);
  });

  it('refuses to hash a large upload anew by an algorithm that it was not begun for, before anything is sealed', async () => {
    const store = await open();
    const bytes = randomBytes(12 * MEBIBYTE);
    const upload = { ...(await append(store, await start(store), bytes)), offset: 600 * MEBIBYTE };
    const digest = digestOf('sha512', bytes);
    const seal = () => Promise.reject(new Error('sealed'));
    await expect(close(store, upload, bytes, { digest, seal })).rejects.toMatchObject({
      code: 'DIGEST_INVALID',
      message: expect.stringContaining('?digest-algorithm=sha512'),
    });
  });

  it('repeats a write that S3 could not decide', async () => {
    const { store, end } = await openWith(conflicting(2));
    const bytes = randomBytes(500);
    const object = await close(store, await start(store), bytes, { last: bytes });
    expect(await readAll(store, object)).toEqual(bytes);
    await end();
  });

  it('refuses as too busy where S3 never decides, and has stored nothing', async () => {
    const { store, end } = await openWith(conflicting(100));
    const bytes = randomBytes(500);
    await expect(close(store, await start(store), bytes, { last: bytes })).rejects.toMatchObject({
      code: 'TOOMANYREQUESTS',
    });
    await end();
  });

  /** As many writes as that are answered with 409. */
  function conflicting(times: number): NonNullable<S3ServerOptions['before']> {
    let left = times;
    return async ({ operation }) => {
      if (operation !== 'PutObject' || left === 0) return undefined;
      left -= 1;
      return { status: 409, code: 'ConditionalRequestConflict' };
    };
  }

  async function openWith(before: NonNullable<S3ServerOptions['before']>) {
    const own = mkdtempSync(join(directory, 'own-'));
    const s3 = await startS3Server({ directory: own, credentials, region, bucket, policy, before });
    const requestChecksumCalculation = 'WHEN_REQUIRED' as const;
    const to = { endpoint: s3.url, forcePathStyle: true, region, credentials, requestChecksumCalculation };
    const ours = new S3Client(to);
    const pause = async () => undefined;
    const end = async () => {
      ours.destroy();
      await s3.close();
    };
    return { store: new S3BlobStore({ client: ours, bucket, newId: randomUUID, pause }), end };
  }

  it('sends parts side by side, no more than 20 MiB at once', async () => {
    let [now, most] = [0, 0];
    const { store, end } = await openWith(async ({ operation }) => {
      if (operation !== 'UploadPart') return undefined;
      now += 1;
      most = Math.max(most, now);
      setTimeout(() => {
        now -= 1;
      }, 100);
      return { delayMs: 100 };
    });
    const bytes = randomBytes(60 * MEBIBYTE);
    expect(await close(store, await start(store), bytes, { last: bytes })).toMatchObject({
      size: bytes.length,
    });
    await end();
    expect(most).toBe(4);
  });

  it('sends a client to S3 for what is larger than 64 KiB, by a URL that names the content type', async () => {
    const store = await open();
    const bytes = randomBytes(100_000);
    const upload = await append(store, await start(store), bytes);
    const digest = digestOf('sha256', bytes);
    const url = await store.downloadUrl(
      { objectKey: upload.objectKey, size: bytes.length },
      digest,
      'registry.test',
    );
    const response = await fetch(url ?? '');
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    expect(Buffer.from(await response.bytes()).equals(bytes)).toBe(true);
    expect(
      await store.downloadUrl({ objectKey: upload.objectKey, size: 64 * 1024 }, digest, 'registry.test'),
    ).toBeUndefined();
  });

  it('gives whoever asks by HEAD a way that is good for HEAD alone, also where downloads come from CloudFront', async () => {
    const pem = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    const readKey = async () => pem.export({ type: 'pkcs8', format: 'pem' }).toString();
    const cdn = new CdnUrls({ keyId: 'K1', readKey, now: Date.now });
    const store = new S3BlobStore({ client, bucket, newId: randomUUID, pause: async () => undefined, cdn });
    const bytes = randomBytes(100_000);
    const { objectKey } = await append(store, await start(store), bytes);
    const [object, digest] = [{ objectKey, size: bytes.length }, digestOf('sha256', bytes)];
    expect(await store.downloadUrl(object, digest, 'registry.test')).toContain('Key-Pair-Id=K1');
    const url = (await store.downloadUrl(object, digest, 'registry.test', 'HEAD')) ?? '';
    expect(url).not.toContain('Key-Pair-Id');
    expect((await fetch(url, { method: 'HEAD' })).headers.get('content-length')).toBe('100000');
    expect((await fetch(url)).status).toBe(403);
  });
});
