import {
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { expect, it } from 'vitest';
import { at, BUCKET, clientOf, openFixture, refusal } from './fixture.ts';

const GUEST = { accessKeyId: 'AKIDGUEST', secretAccessKey: 'another secret' };

async function openAsGuest() {
  const policy = () =>
    [
      { action: 's3:GetObject', prefix: 'blobs/' },
      { action: 's3:PutObject', prefix: 'blobs/', ifNoneMatch: true },
    ] as const;
  const { server, s3: owner } = await openFixture({ guests: [{ credentials: GUEST, policy }] });
  return { owner, guest: clientOf(server, { credentials: GUEST }) };
}

it('lets a guest do what the bucket policy allows, and nothing else', async () => {
  const { owner, guest } = await openAsGuest();
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

it('refuses a guest whose secret is another', async () => {
  const { server } = await openFixture({ guests: [{ credentials: GUEST, policy: () => [] }] });
  const guest = clientOf(server, { credentials: { ...GUEST, secretAccessKey: 'guessed' } });
  expect(await refusal(guest.send(new GetObjectCommand(at('blobs/1'))))).toBe('403 SignatureDoesNotMatch');
});
