import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { expect, it, vi } from 'vitest';
import { scratch } from '../../scratch.ts';
import { at, BUCKET, openFixture, refusal } from './fixture.ts';

const MIB = 1024 * 1024;
const BYTES = randomBytes(11 * MIB);

const from = (key: string) => ({ CopySource: `${BUCKET}/${key}` });
const bytesOf = async (s3: S3Client, key: string) => {
  const { Body } = await s3.send(new GetObjectCommand(at(key)));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
};

it('copies an object, which outlives its source', async () => {
  const directory = await scratch();
  const { s3 } = await openFixture({ directory });
  await s3.send(
    new PutObjectCommand({ ...at('a'), Body: BYTES, ContentType: 'text/x', Metadata: { by: 'me' } }),
  );
  await s3.send(new CopyObjectCommand({ ...at('b'), ...from('a') }));
  await s3.send(new CopyObjectCommand({ ...at('c'), ...from('a'), MetadataDirective: 'REPLACE' }));
  await s3.send(new DeleteObjectCommand(at('a')));
  expect((await bytesOf(s3, 'b')).equals(BYTES)).toBe(true);
  expect(await s3.send(new HeadObjectCommand(at('b')))).toMatchObject({
    ContentType: 'text/x',
    Metadata: { by: 'me' },
  });
  expect((await s3.send(new HeadObjectCommand(at('c')))).Metadata).toEqual({});
  for (const key of ['b', 'c']) await s3.send(new DeleteObjectCommand(at(key)));
  await vi.waitFor(async () => expect(await readdir(join(directory, 'files'))).toEqual([]));
});

it('makes an object of ranges of another', async () => {
  const { s3 } = await openFixture();
  await s3.send(new PutObjectCommand({ ...at('a'), Body: BYTES }));
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand(at('b')));
  const copy = async (PartNumber: number, range: string) => {
    const upload = { ...at('b'), ...from('a'), UploadId, PartNumber, CopySourceRange: `bytes=${range}` };
    return { PartNumber, ETag: (await s3.send(new UploadPartCopyCommand(upload))).CopyPartResult?.ETag };
  };
  const Parts = [await copy(1, `1-${6 * MIB}`), await copy(2, `0-${MIB - 1}`)];
  await s3.send(new CompleteMultipartUploadCommand({ ...at('b'), UploadId, MultipartUpload: { Parts } }));
  const expected = Buffer.concat([BYTES.subarray(1, 6 * MIB + 1), BYTES.subarray(0, MIB)]);
  expect((await bytesOf(s3, 'b')).equals(expected)).toBe(true);
});

it('copies nothing that is not there', async () => {
  const { s3 } = await openFixture();
  expect(await refusal(s3.send(new CopyObjectCommand({ ...at('b'), ...from('a') })))).toBe('404 NoSuchKey');
  await s3.send(new PutObjectCommand({ ...at('a'), Body: 'short' }));
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand(at('b')));
  const beyond = { ...at('b'), ...from('a'), UploadId, PartNumber: 1, CopySourceRange: 'bytes=0-5' };
  expect(await refusal(s3.send(new UploadPartCopyCommand(beyond)))).toBe('400 InvalidArgument');
});
