import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../../functions/oci/digest.ts';
import type { ObjectKey } from '../../../functions/storage/blob-store.ts';
import type { SignedRequest } from '../../../functions/storage/direct-writes.ts';
import { S3BlobStore } from '../../../functions/storage/s3/s3-blob-store.ts';
import { signed } from '../../aws/front/oac.ts';
import { refusal, send } from '../../aws/s3/fixture.ts';
import { startS3Server } from '../../aws/s3/server.ts';
import { blobStoreContract } from '../../contract/blob-store.contract.ts';
import { blobPut, openDoor, passedOn, uploadToken, VIEWER } from '../../edge/door.ts';
import { startVersitygw } from './versitygw.ts';

// What the blob store counts on in S3, asked of the stand-in and of somebody else's S3. versitygw 1.8.0 differs in this: an upload that is
// completed twice is answered as the first time (S3 is seen to do so too; what it documents is NoSuchUpload), and no bucket
// policy binds its root user, nor knows `s3:if-none-match`, so that policies are seen on the stand-in only.

const region = 'us-east-1';
const bucket = 'stowage-test';
const credentials = { accessKeyId: 'AKIATEST', secretAccessKey: 'secret-of-a-test' };

interface Server {
  readonly endpoint: string;
  stop(): Promise<void>;
}

async function startStandIn(): Promise<Server> {
  const directory = await mkdtemp(join(tmpdir(), 'stowage-s3-'));
  const server = await startS3Server({ directory, credentials, region, bucket });
  return {
    endpoint: server.url,
    async stop() {
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const program = process.env['STOWAGE_TEST_VERSITYGW'];
const versitygw = program ? await startVersitygw(program, credentials) : undefined;

suite('the stand-in', await startStandIn());
suite(
  versitygw ? 'versitygw' : 'versitygw: skipped, STOWAGE_TEST_VERSITYGW is neither 1 nor its path',
  versitygw,
);

function suite(name: string, server: Server | undefined): void {
  describe.runIf(server)(name, () => {
    const s3 = clientOf(server?.endpoint ?? '');
    beforeAll(async () => {
      if (server === versitygw) await s3.send(new CreateBucketCommand({ Bucket: bucket }));
    });
    afterAll(async () => {
      s3.destroy();
      await server?.stop();
    });
    if (server === versitygw) {
      const pause = async () => undefined;
      const open = async () => new S3BlobStore({ client: s3, bucket, newId: randomUUID, pause });
      blobStoreContract('S3BlobStore', open);
    }
    writesOnce(s3, server?.endpoint ?? '');
    completesOnce(s3);
    takesDirectPuts(s3, server?.endpoint ?? '');
    holdsSendersToWhatIsSigned(s3);
  });
}

/** What a client is told to send to S3 itself. */
function holdsSendersToWhatIsSigned(s3: S3Client): void {
  const store = () =>
    new S3BlobStore({ client: s3, bucket, newId: randomUUID, pause: async () => undefined });
  const bytes = randomBytes(5 * 1024 * 1024);
  const announced = { digest: digestOf('sha256', bytes), size: bytes.length };
  const put = ({ url, headers }: SignedRequest, body: Uint8Array) =>
    answered(() => send(url, { method: 'PUT', body, headers }));

  it('takes the bytes that a PUT was signed for, once, and no others', async () => {
    const { direct } = store();
    const upload = await store().start(`blobs/${randomUUID()}` as ObjectKey, 'sha256');
    const request = await direct.whole(upload, announced);
    const other = randomBytes(bytes.length);
    const checksum = createHash('sha256').update(other).digest('base64');
    expect(await put(request, other)).toBe(400);
    const forged = { ...request.headers, 'x-amz-checksum-sha256': checksum };
    expect(await put({ ...request, headers: forged }, other)).toBe(403);
    expect(await put(request, bytes)).toBe(200);
    expect(await put(request, bytes)).toBe(412);
    expect(await store().received(upload.objectKey)).toEqual({
      objectKey: upload.objectKey,
      size: bytes.length,
      digest: announced.digest,
    });
  });

  it('takes the parts that were signed, lists them, and makes one object of them', async () => {
    const { direct } = store();
    const upload = await direct.startParts(`blobs/${randomUUID()}` as ObjectKey, announced);
    const sha256 = createHash('sha256').update(bytes).digest('base64');
    const request = await direct.part(upload, { number: 1, sha256 });
    if (!request) throw new Error('an upload has a first part');
    expect(await put(request, randomBytes(bytes.length))).toBe(400);
    expect((await direct.cutOf(upload))?.there).toEqual([]);
    expect(await put(request, bytes)).toBe(200);
    expect((await direct.cutOf(upload))?.there).toEqual([1]);
    const linked: number[] = [];
    const link = async ({ size }: { readonly size: number }) => linked.push(size) > 0;
    const options = { digest: announced.digest, isCurrent: async () => true, seal: async () => true, link };
    expect(await store().close(upload, ReadableStream.from([]), options)).toEqual({ is: 'closed' });
    expect(await store().close(upload, ReadableStream.from([]), options)).toEqual({ is: 'closed' });
    expect(linked).toEqual([bytes.length, bytes.length]);
  });
}

function clientOf(endpoint: string): S3Client {
  const requestChecksumCalculation = 'WHEN_REQUIRED' as const;
  return new S3Client({ endpoint, forcePathStyle: true, region, credentials, requestChecksumCalculation });
}

const once = { IfNoneMatch: '*' };
const at = (Key: string) => ({ Bucket: bucket, Key });
const fresh = () => `blobs/${randomUUID()}`;

async function read(s3: S3Client, key: string): Promise<string | undefined> {
  return (await s3.send(new GetObjectCommand(at(key)))).Body?.transformToString();
}

const put = (
  s3: S3Client,
  key: string,
  Body: string,
  condition: { IfNoneMatch?: string; IfMatch?: string },
) => s3.send(new PutObjectCommand({ ...at(key), Body, ...condition }));

/** How many of these attempts succeed, where every other is refused with a condition that does not hold. */
async function successes(attempts: readonly Promise<unknown>[]): Promise<number> {
  const outcomes = await Promise.allSettled(attempts);
  const reasons = outcomes.flatMap((outcome) =>
    outcome.status === 'rejected' ? [(outcome.reason as Error).name] : [],
  );
  expect(new Set(reasons)).toEqual(new Set(['PreconditionFailed']));
  return outcomes.length - reasons.length;
}

function writesOnce(s3: S3Client, endpoint: string): void {
  it('puts an object once', async () => {
    const key = fresh();
    await put(s3, key, 'first', once);
    expect(await refusal(put(s3, key, 'second', once))).toBe('412 PreconditionFailed');
    expect(await read(s3, key)).toBe('first');
  });

  it('lets one of several puts at once win', async () => {
    const key = fresh();
    expect(await successes(Array.from({ length: 8 }, (_, n) => put(s3, key, `${n}`, once)))).toBe(1);
  });

  it('replaces only what If-Match names', async () => {
    const key = fresh();
    expect(await refusal(put(s3, key, 'x', { IfMatch: '"0123456789abcdef"' }))).toBe('404 NoSuchKey');
    const { ETag = '' } = await put(s3, key, 'first', once);
    await put(s3, key, 'second', { IfMatch: ETag });
    expect(await refusal(put(s3, key, 'third', { IfMatch: ETag }))).toBe('412 PreconditionFailed');
  });

  it('stores no other bytes than their checksum says', async () => {
    await refusesOtherBytes(s3);
  });

  it('is found out where it ignores a checksum', async () => {
    const deaf = clientOf(endpoint);
    deaf.middlewareStack.add(
      (next) => (given) => {
        delete (given.request as { headers: Record<string, string> }).headers['x-amz-checksum-sha256'];
        return next(given);
      },
      { step: 'build', priority: 'low' },
    );
    await expect(refusesOtherBytes(deaf)).rejects.toThrow('it was not refused');
  });
}

async function refusesOtherBytes(s3: S3Client): Promise<void> {
  const key = fresh();
  const wrong = { ...at(key), Body: 'x', ChecksumSHA256: checksum(Buffer.from('y')) };
  expect(await refusal(s3.send(new PutObjectCommand(wrong)))).toBe('400 BadDigest');
  expect(await refusal(read(s3, key))).toBe('404 NoSuchKey');
}

/** What S3 answers to a layer in one PUT, which the front door's function sends there and CloudFront signs. */
async function directPut(endpoint: string, key: string, sent: Buffer, without: readonly string[] = []) {
  const token = await uploadToken({ object: key.slice('blobs/'.length) });
  const query = `token=${token}&digest=sha256:${createHash('sha256').update(LAYER).digest('hex')}`;
  const request = await blobPut({ size: LAYER.length, token, query });
  const { method, uri, headers } = passedOn(await (await openDoor()).viewerRequest(request, VIEWER));
  const path = `/${bucket}${uri}`;
  const kept = Object.entries(headers).filter(([name]) => !without.includes(name));
  const onward = { ...Object.fromEntries(kept), host: { value: new URL(endpoint).host } };
  const proven = signed({ method, path, headers: onward, at: new Date() }, { ...credentials, region });
  const plain = Object.entries(proven).map(([name, { value }]): [string, string] => [name, value]);
  return answered(() => fetch(`${endpoint}${path}`, { method, headers: plain, body: sent }));
}

/** Who refuses by the head may close before the body is sent, and then the answer may be lost; whoever asks again gets it. */
async function answered(ask: () => Promise<{ readonly status: number }>): Promise<number> {
  for (let tries = 1; ; tries += 1) {
    try {
      return (await ask()).status;
    } catch (error) {
      if (tries === 10) throw error;
    }
  }
}

const LAYER = randomBytes(5 * 1024 * 1024);
const OTHER = randomBytes(LAYER.length);
const CHECKSUMS = ['x-amz-checksum-sha256', 'x-amz-content-sha256'];

function takesDirectPuts(s3: S3Client, endpoint: string): void {
  it('takes a layer that comes past the registry, once', async () => {
    const key = fresh();
    expect(await directPut(endpoint, key, LAYER)).toBe(200);
    expect(await directPut(endpoint, key, LAYER)).toBe(412);
    expect((await s3.send(new HeadObjectCommand(at(key)))).ContentLength).toBe(LAYER.length);
  });

  it.each(CHECKSUMS)('takes no other bytes, by %s alone, too', async (name) => {
    const others = CHECKSUMS.filter((each) => each !== name);
    expect(await directPut(endpoint, fresh(), OTHER)).toBe(400);
    expect(await directPut(endpoint, fresh(), OTHER, others)).toBe(400);
  });

  it('is found out where both checksums are ignored', async () => {
    expect(await directPut(endpoint, fresh(), OTHER, CHECKSUMS)).toBe(200);
  });
}

const checksum = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('base64');

async function begin(s3: S3Client, key: string) {
  const { UploadId } = await s3.send(
    new CreateMultipartUploadCommand({ ...at(key), ChecksumAlgorithm: 'SHA256' }),
  );
  const part = async (bytes: Uint8Array) => {
    const ChecksumSHA256 = checksum(bytes);
    const upload = { ...at(key), UploadId, PartNumber: 1, Body: bytes, ChecksumSHA256 };
    const { ETag } = await s3.send(new UploadPartCommand(upload));
    return { PartNumber: 1, ETag, ChecksumSHA256 };
  };
  const complete = (only: Awaited<ReturnType<typeof part>>) =>
    s3.send(
      new CompleteMultipartUploadCommand({
        ...at(key),
        UploadId,
        MultipartUpload: { Parts: [only] },
        ...once,
      }),
    );
  return { part, complete };
}

function completesOnce(s3: S3Client): void {
  it('completes no upload onto a key that is taken; it can be completed where the key is free again', async () => {
    const key = fresh();
    const { part, complete } = await begin(s3, key);
    const only = await part(Buffer.from('part'));
    await put(s3, key, 'first', once);
    expect(await refusal(complete(only))).toBe('412 PreconditionFailed');
    expect(await read(s3, key)).toBe('first');
    await s3.send(new DeleteObjectCommand(at(key)));
    await complete(only);
    expect(await read(s3, key)).toBe('part');
  });

  it('completes one of several uploads at once', async () => {
    const key = fresh();
    const uploads = await Promise.all(Array.from({ length: 8 }, () => begin(s3, key)));
    const parts = await Promise.all(uploads.map(({ part }) => part(randomBytes(100_000))));
    const attempts = uploads.map(({ complete }, n) => complete(parts[n] as (typeof parts)[number]));
    expect(await successes(attempts)).toBe(1);
  });

  it('completes no upload with a part that was replaced', async () => {
    const { part, complete } = await begin(s3, fresh());
    const [first, second] = [await part(Buffer.from('first')), await part(Buffer.from('second'))];
    expect(await refusal(complete(first))).toBe('400 InvalidPart');
    expect(await refusal(complete({ ...first, ETag: second.ETag }))).toBe('400 InvalidPart');
    await complete(second);
  });
}
