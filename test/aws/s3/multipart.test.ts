import { createHash, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  type CompleteMultipartUploadCommandInput,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { describe, expect, it, vi } from 'vitest';
import { scratch } from '../../scratch.ts';
import { at, BUCKET, clientOf, openFixture, refusal } from './fixture.ts';

const MIB = 1024 * 1024;
const FIVE_MIB = randomBytes(5 * MIB);
const TAIL = randomBytes(1000);

/** An upload whose parts carry SHA-256 checksums. */
async function begin(s3: S3Client, key = 'key') {
  const { UploadId = '' } = await s3.send(
    new CreateMultipartUploadCommand({ ...at(key), ChecksumAlgorithm: 'SHA256', Metadata: { by: 'me' } }),
  );
  const upload = { ...at(key), UploadId };
  const part = async (PartNumber: number, Body: Uint8Array): Promise<CompletedPart> => {
    const { ETag, ChecksumSHA256 } = await s3.send(
      new UploadPartCommand({ ...upload, PartNumber, Body, ChecksumAlgorithm: 'SHA256' }),
    );
    return { PartNumber, ETag, ChecksumSHA256 };
  };
  const complete = (Parts: CompletedPart[], more: Partial<CompleteMultipartUploadCommandInput> = {}) =>
    s3.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts }, ...more }));
  return { upload, part, complete };
}

const base64Digest = (...parts: Uint8Array[]) =>
  createHash('sha256').update(Buffer.concat(parts)).digest('base64');

const hash = (Body: Uint8Array) => ({ Body, ChecksumSHA256: base64Digest(Body) });

describe('a multipart upload', () => {
  it('becomes one object, with the ETag and the checksum of its parts', async () => {
    const { s3 } = await openFixture();
    const { part, complete, upload } = await begin(s3);
    const parts = [await part(2, FIVE_MIB), await part(7, TAIL)];
    const { ETag, ChecksumSHA256, ChecksumType } = await complete(parts, { MpuObjectSize: 5 * MIB + 1000 });
    const digests = [FIVE_MIB, TAIL].map((bytes) => Buffer.from(base64Digest(bytes), 'base64'));
    expect({ ChecksumSHA256, ChecksumType }).toEqual({
      ChecksumSHA256: `${base64Digest(...digests)}-2`,
      ChecksumType: 'COMPOSITE',
    });
    expect(ETag).toMatch(/^"[\da-f]{32}-2"$/);
    const head = await s3.send(new HeadObjectCommand({ ...at('key'), ChecksumMode: 'ENABLED' }));
    expect(head).toMatchObject({ ETag, ChecksumSHA256, Metadata: { by: 'me' } });
    const { Body } = await s3.send(new GetObjectCommand(at('key')));
    const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
    expect(bytes.equals(Buffer.concat([FIVE_MIB, TAIL]))).toBe(true);
    const seam = await s3.send(
      new GetObjectCommand({ ...at('key'), Range: `bytes=${5 * MIB - 2}-${5 * MIB + 1}` }),
    );
    expect(await seam.Body?.transformToByteArray()).toEqual(
      new Uint8Array([...FIVE_MIB.subarray(-2), ...TAIL.subarray(0, 2)]),
    );
    expect(await refusal(complete(parts))).toBe('404 NoSuchUpload');
    expect(await refusal(s3.send(new ListPartsCommand(upload)))).toBe('404 NoSuchUpload');
  });

  it('is refused out of order, with other parts, or with small ones', async () => {
    const { s3 } = await openFixture();
    const { part, complete } = await begin(s3);
    const [small, large, tail] = [await part(1, TAIL), await part(2, FIVE_MIB), await part(3, TAIL)];
    expect(await refusal(complete([tail, large]))).toBe('400 InvalidPartOrder');
    expect(await refusal(complete([large, large]))).toBe('400 InvalidPartOrder');
    expect(await refusal(complete([large, { ...tail, PartNumber: 4 }]))).toBe('400 InvalidPart');
    expect(await refusal(complete([large, { ...tail, ETag: large.ETag }]))).toBe('400 InvalidPart');
    expect(await refusal(complete([{ ...large, ChecksumSHA256: tail.ChecksumSHA256 }]))).toBe(
      '400 InvalidPart',
    );
    expect(await refusal(complete([{ ...large, ChecksumSHA256: undefined }]))).toBe('400 InvalidRequest');
    expect(await refusal(complete([small, large]))).toBe('400 EntityTooSmall');
    expect(await refusal(complete([]))).toBe('400 MalformedXML');
    expect(await refusal(complete([large], { MpuObjectSize: 1 }))).toBe('400 InvalidRequest');
    expect(await refusal(complete([large], { ChecksumSHA256: base64Digest(FIVE_MIB) }))).toBe(
      '400 BadDigest',
    );
    await complete([large, tail]);
  });

  it('takes only the checksums that it was begun with', async () => {
    const { s3, server } = await openFixture();
    const sha256 = await begin(s3);
    const crc32 = new UploadPartCommand({ ...sha256.upload, PartNumber: 1, Body: TAIL });
    expect(await refusal(s3.send(crc32))).toBe('400 InvalidRequest');
    const none = await s3.send(new UploadPartCommand({ ...sha256.upload, PartNumber: 1, ...hash(TAIL) }));
    expect(none.ChecksumSHA256).toBe(base64Digest(TAIL));
    const plain = clientOf(server, { requestChecksumCalculation: 'WHEN_REQUIRED' });
    const unchecked = new UploadPartCommand({ ...sha256.upload, PartNumber: 1, Body: TAIL });
    expect(await refusal(plain.send(unchecked))).toBe('400 InvalidRequest');
  });

  it('checks and then forgets the checksums of parts, if it was begun without', async () => {
    const { s3 } = await openFixture();
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand(at('key')));
    const upload = { ...at('key'), UploadId };
    const wrong = { ...hash(TAIL), ChecksumSHA256: base64Digest(FIVE_MIB) };
    expect(await refusal(s3.send(new UploadPartCommand({ ...upload, PartNumber: 1, ...wrong })))).toBe(
      '400 BadDigest',
    );
    const part = await s3.send(new UploadPartCommand({ ...upload, PartNumber: 1, Body: TAIL }));
    const complete = (more: object) => {
      const Parts = [{ PartNumber: 1, ETag: part.ETag, ...more }];
      return s3.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }));
    };
    expect(await refusal(complete({ ChecksumCRC32: part.ChecksumCRC32 }))).toBe('400 InvalidPart');
    await complete({});
  });

  it('works without any checksum', async () => {
    const { server } = await openFixture();
    const s3 = clientOf(server, { requestChecksumCalculation: 'WHEN_REQUIRED' });
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand(at('key')));
    const { ETag } = await s3.send(
      new UploadPartCommand({ ...at('key'), UploadId, PartNumber: 1, Body: TAIL }),
    );
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
    await s3.send(new CompleteMultipartUploadCommand({ ...at('key'), UploadId, MultipartUpload }));
    expect((await s3.send(new HeadObjectCommand(at('key')))).ContentLength).toBe(1000);
  });

  it('completes once, and only where nothing is, if it says so', async () => {
    const { s3 } = await openFixture();
    const uploads = await Promise.all([begin(s3), begin(s3), begin(s3)]);
    const outcomes = await Promise.allSettled(
      uploads.map(async ({ part, complete }) => complete([await part(1, TAIL)], { IfNoneMatch: '*' })),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const late = await begin(s3);
    const completion = late.complete([await late.part(1, TAIL)], { IfNoneMatch: '*' });
    expect(await refusal(completion)).toBe('412 PreconditionFailed');
    const { Parts } = await s3.send(new ListPartsCommand(late.upload));
    expect(Parts).toHaveLength(1);
  });

  it('leaves no file behind when it is aborted, its parts replaced, or its object overwritten', async () => {
    const directory = await scratch();
    const { s3 } = await openFixture({ directory });
    const aborted = await begin(s3);
    await aborted.part(1, TAIL);
    await s3.send(new AbortMultipartUploadCommand(aborted.upload));
    expect(await refusal(aborted.part(2, TAIL))).toBe('404 NoSuchUpload');
    const { part, complete } = await begin(s3);
    await part(1, TAIL);
    await part(2, TAIL);
    await complete([await part(1, FIVE_MIB)]);
    await s3.send(new PutObjectCommand({ ...at('key'), Body: 'x' }));
    await vi.waitFor(async () => expect(await readdir(join(directory, 'files'))).toHaveLength(1));
  });

  it('is listed with its parts, page by page', async () => {
    const { s3 } = await openFixture();
    const [b, a] = [await begin(s3, 'p/b'), await begin(s3, 'p/a')];
    await begin(s3, 'q');
    for (const number of [3, 1, 2]) await a.part(number, TAIL);
    const list = (more: object) =>
      s3.send(new ListMultipartUploadsCommand({ Bucket: BUCKET, Prefix: 'p/', MaxUploads: 1, ...more }));
    const first = await list({});
    const second = await list({ KeyMarker: first.NextKeyMarker, UploadIdMarker: first.NextUploadIdMarker });
    const ids = [first, second].flatMap((page) => page.Uploads?.map(({ UploadId }) => UploadId));
    expect(ids).toEqual([a.upload.UploadId, b.upload.UploadId]);
    const parts = await s3.send(new ListPartsCommand({ ...a.upload, PartNumberMarker: '1', MaxParts: 1 }));
    expect(parts).toMatchObject({
      IsTruncated: true,
      NextPartNumberMarker: '2',
      ChecksumAlgorithm: 'SHA256',
    });
    expect(parts.Parts).toMatchObject([{ PartNumber: 2, Size: 1000, ChecksumSHA256: base64Digest(TAIL) }]);
  });
});
