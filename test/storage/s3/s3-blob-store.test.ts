import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../../functions/oci/digest.ts';
import type { ObjectKey, Upload } from '../../../functions/storage/blob-store.ts';
import { S3BlobStore } from '../../../functions/storage/s3/s3-blob-store.ts';
import { startS3Server } from '../../aws/s3/server.ts';
import { blobStoreContract } from '../../contract/blob-store.contract.ts';

const MEBIBYTE = 1024 * 1024;
const bucket = 'stowage-test';
const region = 'eu-central-1';
const credentials = { accessKeyId: 'AKIATEST', secretAccessKey: 'secret' };
const directory = mkdtempSync(join(tmpdir(), 'stowage-s3-'));

let server: Awaited<ReturnType<typeof startS3Server>>;
let client: S3Client;
let firstCall = 0;

beforeAll(async () => {
  server = await startS3Server({ directory, credentials, region, bucket });
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

const open = async () => new S3BlobStore({ client, bucket, newId: randomUUID });

blobStoreContract('S3BlobStore', open);

describe('S3BlobStore', () => {
  beforeEach(() => {
    firstCall = server.calls.length;
  });
  const calls = () => server.calls.slice(firstCall).map(({ operation }) => operation);
  const bodyOf = (bytes: Uint8Array) => ReadableStream.from([bytes]);
  const commit = async () => true;

  async function append(
    store: S3BlobStore,
    upload: Upload,
    bytes: Uint8Array,
    last = false,
  ): Promise<Upload> {
    const outcome = await store.append(upload, bodyOf(bytes), { commit, last });
    if (outcome.is !== 'appended') throw new Error(outcome.is);
    return outcome.upload;
  }

  const start = (store: S3BlobStore) => store.start(`blobs/${randomUUID()}` as ObjectKey, 'sha256');

  it.each([
    ['PATCH and an empty PUT', false],
    ['one PUT', true],
  ])('stores a blob that comes by %s with one call', async (_, last) => {
    const store = await open();
    const bytes = randomBytes(MEBIBYTE);
    let upload = await append(store, await start(store), bytes, last);
    if (!last) upload = await append(store, upload, Buffer.of(), true);
    expect(await store.finish(upload, digestOf('sha256', bytes))).toBe('stored');
    expect(calls()).toEqual(['PutObject']);
  });

  it('stores 30 MiB that come in one request as parts, without a copy or a tail', async () => {
    const store = await open();
    const bytes = randomBytes(30 * MEBIBYTE);
    const upload = await append(store, await start(store), bytes, true);
    expect(await store.finish(upload, digestOf('sha256', bytes))).toBe('stored');
    const parts = Array.from({ length: 6 }, () => 'UploadPart');
    expect(calls()).toEqual(['CreateMultipartUpload', ...parts, 'CompleteMultipartUpload']);
    expect(Buffer.from(await new Response(await store.read(upload.objectKey)).bytes()).equals(bytes)).toBe(
      true,
    );
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
    expect(await store.finish(upload, digestOf('sha256', whole))).toBe('stored');
    expect(Buffer.from(await new Response(await store.read(upload.objectKey)).bytes()).equals(whole)).toBe(
      true,
    );
  });

  it('finishes again as if for the first time, also an upload of several parts', async () => {
    const store = await open();
    const bytes = randomBytes(12 * MEBIBYTE);
    const upload = await append(store, await start(store), bytes);
    const digest = digestOf('sha256', bytes);
    expect(calls()).toContain('PutObject'); // the tail
    expect([await store.finish(upload, digest), await store.finish(upload, digest)]).toEqual([
      'stored',
      'stored',
    ]);
  });

  it('finishes a layer that came in one PATCH with one call', async () => {
    const store = await open();
    const bytes = randomBytes(12 * MEBIBYTE);
    const upload = await append(store, await start(store), bytes);
    firstCall = server.calls.length;
    expect(await store.finish(upload, digestOf('sha256', bytes))).toBe('stored');
    expect(calls()).toEqual(['CompleteMultipartUpload']);
    expect(Buffer.from(await new Response(await store.read(upload.objectKey)).bytes()).equals(bytes)).toBe(
      true,
    );
  });

  it('finishes it too where a further chunk was begun and failed', async () => {
    const store = await open();
    const bytes = randomBytes(12 * MEBIBYTE);
    const upload = await append(store, await start(store), bytes);
    const lost = { commit: async () => false, last: false };
    expect(await store.append(upload, bodyOf(randomBytes(9 * MEBIBYTE)), lost)).toEqual({ is: 'lost' });
    expect(await store.finish(upload, digestOf('sha256', bytes))).toBe('stored');
    expect(Buffer.from(await new Response(await store.read(upload.objectKey)).bytes()).equals(bytes)).toBe(
      true,
    );
  });

  it('sends parts side by side, no more than 20 MiB at once', async () => {
    let [now, most] = [0, 0];
    const slow = await startS3Server({
      directory: mkdtempSync(join(directory, 'slow-')),
      credentials,
      region,
      bucket,
      before: async ({ operation }) => {
        if (operation !== 'UploadPart') return undefined;
        now += 1;
        most = Math.max(most, now);
        setTimeout(() => {
          now -= 1;
        }, 100);
        return { delayMs: 100 };
      },
    });
    const s3 = new S3Client({ endpoint: slow.url, forcePathStyle: true, region, credentials });
    const store = new S3BlobStore({ client: s3, bucket, newId: randomUUID });
    const bytes = randomBytes(60 * MEBIBYTE);
    const upload = await append(store, await start(store), bytes, true);
    expect(await store.finish(upload, digestOf('sha256', bytes))).toBe('stored');
    s3.destroy();
    await slow.close();
    expect(most).toBe(4);
  });

  it('sends a client to S3 for what is larger than 64 KiB, by a URL that names the content type', async () => {
    const store = await open();
    const bytes = randomBytes(100_000);
    const upload = await append(store, await start(store), bytes, true);
    const digest = digestOf('sha256', bytes);
    const url = await store.downloadUrl({ objectKey: upload.objectKey, size: bytes.length }, digest);
    const response = await fetch(url ?? '');
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    expect(Buffer.from(await response.bytes()).equals(bytes)).toBe(true);
    expect(await store.downloadUrl({ objectKey: upload.objectKey, size: 64 * 1024 }, digest)).toBeUndefined();
  });
});
