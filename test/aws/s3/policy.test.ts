import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { denyOverwrites, letFrontDoorIn } from '../../../lib/blob-policy.ts';
import { at, BUCKET, clientOf, openFixture, refusal } from './fixture.ts';
import type { Statement } from './policy.ts';

// The bucket policy is the stack's own: what it lets through and refuses here, it would at S3.

const GUEST = { accessKeyId: 'AKIDGUEST', secretAccessKey: 'another secret' };
const BUCKET_ARN = `arn:aws:s3:::${BUCKET}`;
const FRONT_DOOR = 'arn:aws:cloudfront::111122223333:distribution/FRONT';
const POLICY: readonly Statement[] = [denyOverwrites(BUCKET_ARN), ...letFrontDoorIn(BUCKET_ARN, FRONT_DOOR)];

async function open({ policy = POLICY, sourceArn = FRONT_DOOR } = {}) {
  const guests = [{ credentials: GUEST, service: 'cloudfront.amazonaws.com', sourceArn }];
  const { server, s3: owner } = await openFixture({ guests, policy: () => policy });
  return { owner, guest: clientOf(server, { credentials: GUEST }) };
}

const once = { IfNoneMatch: '*' };

async function begin(s3: S3Client, key: string) {
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand(at(key)));
  const part = { ...at(key), UploadId, PartNumber: 1 };
  const { ETag } = await s3.send(new UploadPartCommand({ ...part, Body: 'part' }));
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
  const complete = (condition: { IfNoneMatch?: string; IfMatch?: string }) =>
    s3.send(new CompleteMultipartUploadCommand({ ...at(key), UploadId, MultipartUpload, ...condition }));
  return { part, complete };
}

describe('the front door', () => {
  it('may do what the bucket policy allows it, and nothing else', async () => {
    const { owner, guest } = await open();
    await owner.send(new PutObjectCommand({ ...at('keys/ring'), Body: 'secret' }));
    await guest.send(new PutObjectCommand({ ...at('blobs/1'), Body: 'x', IfNoneMatch: '*' }));
    await guest.send(new GetObjectCommand(at('blobs/1')));
    await guest.send(new HeadObjectCommand(at('blobs/1')));
    for (const refused of [
      new PutObjectCommand({ ...at('blobs/2'), Body: 'x' }),
      new PutObjectCommand({ ...at('keys/2'), Body: 'x', IfNoneMatch: '*' }),
      new GetObjectCommand(at('keys/ring')),
      new GetObjectCommand(at('blobs/missing')),
      new CreateMultipartUploadCommand(at('blobs/2')),
      new DeleteObjectCommand(at('blobs/1')),
      new ListObjectsV2Command({ Bucket: BUCKET }),
    ]) {
      expect(await refusal(guest.send(refused as GetObjectCommand))).toBe('403 AccessDenied');
    }
  });

  it('of somebody else may do nothing', async () => {
    const { guest } = await open({ sourceArn: 'arn:aws:cloudfront::999:distribution/OTHER' });
    const put = guest.send(new PutObjectCommand({ ...at('blobs/1'), Body: 'x', ...once }));
    expect(await refusal(put)).toBe('403 AccessDenied');
  });

  it('is refused with another secret', async () => {
    const { server } = await openFixture({
      guests: [{ credentials: GUEST, service: 'cloudfront.amazonaws.com', sourceArn: FRONT_DOOR }],
    });
    const guest = clientOf(server, { credentials: { ...GUEST, secretAccessKey: 'guessed' } });
    expect(await refusal(guest.send(new GetObjectCommand(at('blobs/1'))))).toBe('403 SignatureDoesNotMatch');
  });
});

describe('the owner', () => {
  it('writes the key of a blob once, whole or in parts', async () => {
    const { owner } = await open();
    await owner.send(new PutObjectCommand({ ...at('blobs/whole'), Body: 'x', ...once }));
    const upload = await begin(owner, 'blobs/parts');
    const CopySource = `${BUCKET}/blobs/whole`;
    await owner.send(new UploadPartCopyCommand({ ...upload.part, PartNumber: 2, CopySource }));
    await upload.complete(once);
    for (const Key of ['blobs/whole', 'blobs/parts']) {
      const again = owner.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: 'y', ...once }));
      expect(await refusal(again)).toBe('412 PreconditionFailed');
    }
  });

  it('is refused every other write there: without a condition, as a replacement, as a copy', async () => {
    const { owner } = await open();
    const { ETag } = await owner.send(new PutObjectCommand({ ...at('blobs/1'), Body: 'x', ...once }));
    const upload = await begin(owner, 'blobs/1');
    const CopySource = `${BUCKET}/blobs/1`;
    for (const write of [
      () => owner.send(new PutObjectCommand({ ...at('blobs/2'), Body: 'x' })),
      () => owner.send(new PutObjectCommand({ ...at('blobs/1'), Body: 'x', IfMatch: ETag })),
      () => owner.send(new CopyObjectCommand({ ...at('blobs/2'), CopySource })),
      () => upload.complete({}),
      () => upload.complete({ IfMatch: ETag ?? '' }),
    ]) {
      expect(await refusal(write())).toBe('403 AccessDenied');
    }
    const { Body } = await owner.send(new GetObjectCommand(at('blobs/1')));
    expect(await Body?.transformToString()).toBe('x');
  });

  it('writes anywhere else as before, and deletes blobs', async () => {
    const { owner } = await open();
    const { ETag } = await owner.send(new PutObjectCommand({ ...at('keys/ring'), Body: 'old', ...once }));
    await owner.send(new PutObjectCommand({ ...at('keys/ring'), Body: 'new', IfMatch: ETag }));
    await owner.send(new PutObjectCommand({ ...at('uploads/1'), Body: 'tail' }));
    await owner.send(new PutObjectCommand({ ...at('blobs/1'), Body: 'x', ...once }));
    await owner.send(new DeleteObjectCommand(at('blobs/1')));
    expect(await refusal(owner.send(new HeadObjectCommand(at('blobs/1'))))).toBe('404 NotFound');
  });
});

it('no condition that the server does not know is taken to hold', async () => {
  const unknown = { ...denyOverwrites(BUCKET_ARN), Condition: { IpAddress: { 'aws:SourceIp': '::' } } };
  const { owner } = await open({ policy: [unknown] });
  const put = owner.send(new PutObjectCommand({ ...at('blobs/1'), Body: 'x', ...once }));
  expect(await refusal(put)).toBe('500 InternalError');
});
