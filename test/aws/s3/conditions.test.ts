import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListPartsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { describe, expect, it, vi } from 'vitest';
import { at, BUCKET, type Fixture, openFixture, refusal } from './fixture.ts';
import type { Fault } from './server.ts';

// What S3 documents of writes under conditions that meet others:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html

const put = (s3: S3Client, body: string, condition: { IfMatch?: string; IfNoneMatch?: string } = {}) =>
  s3.send(new PutObjectCommand({ ...at('key'), Body: body, ...condition }));
const remove = (s3: S3Client) => s3.send(new DeleteObjectCommand(at('key')));
const stored = async (s3: S3Client) =>
  (await s3.send(new GetObjectCommand(at('key')))).Body?.transformToString();

/** Sends all of a request but the last byte of its body; what it answers sends that, and reads the answer's status. */
async function beginSlowly(
  { server }: Fixture,
  url: string,
  { method = 'PUT', headers, body }: { method?: string; headers: Record<string, string>; body: string },
): Promise<() => Promise<string>> {
  const before = server.calls.length;
  const outgoing = request(url, { method, headers: { 'content-length': body.length, ...headers } });
  const answer = new Promise<string>((resolve, reject) => {
    outgoing.once('error', reject);
    outgoing.once('response', async (response) => {
      const code = /<Code>(\w+)</.exec(await text(response))?.[1];
      resolve(`${response.statusCode}${code ? ` ${code}` : ''}`);
    });
  });
  outgoing.write(body.slice(0, -1));
  await vi.waitFor(() => expect(server.calls).toHaveLength(before + 1));
  return () => {
    outgoing.end(body.slice(-1));
    return answer;
  };
}

const putSlowly = async (fixture: Fixture, headers: Record<string, string>) =>
  beginSlowly(fixture, await getSignedUrl(fixture.s3, new PutObjectCommand(at('key'))), {
    headers,
    body: 'slow',
  });

describe('a PUT with If-None-Match that takes its time', () => {
  const condition = { 'if-none-match': '*' };

  it('loses to one that is finished first', async () => {
    const fixture = await openFixture();
    const finish = await putSlowly(fixture, condition);
    await put(fixture.s3, 'quick', { IfNoneMatch: '*' });
    expect(await finish()).toBe('412 PreconditionFailed');
    expect(await stored(fixture.s3)).toBe('quick');
  });

  it('has a conflict where an object was there and is deleted meanwhile, and succeeds when repeated', async () => {
    const fixture = await openFixture();
    await put(fixture.s3, 'first');
    const finish = await putSlowly(fixture, condition);
    await remove(fixture.s3);
    expect(await finish()).toBe('409 ConditionalRequestConflict');
    await put(fixture.s3, 'again', { IfNoneMatch: '*' });
  });

  it('is not disturbed by the deletion of nothing', async () => {
    const fixture = await openFixture();
    const finish = await putSlowly(fixture, condition);
    await remove(fixture.s3);
    expect(await finish()).toBe('200');
  });
});

describe('a PUT with If-Match that takes its time', () => {
  it.each([
    ['is deleted', remove, '404 NoSuchKey'],
    ['is replaced', (s3: S3Client) => put(s3, 'other'), '412 PreconditionFailed'],
    ['is left alone', async () => undefined, '200'],
  ])('finds out when its object %s meanwhile', async (_, act, outcome) => {
    const fixture = await openFixture();
    const { ETag = '' } = await put(fixture.s3, 'first');
    const finish = await putSlowly(fixture, { 'if-match': ETag });
    await act(fixture.s3);
    expect(await finish()).toBe(outcome);
  });
});

it('a copy keeps the conditions of any write', async () => {
  const { s3 } = await openFixture();
  await put(s3, 'first');
  const copy = { ...at('key'), CopySource: `${BUCKET}/key`, MetadataDirective: 'REPLACE' } as const;
  const refused = s3.send(new CopyObjectCommand({ ...copy, IfNoneMatch: '*' }));
  expect(await refusal(refused)).toBe('412 PreconditionFailed');
});

async function begin(s3: S3Client) {
  const { UploadId = '' } = await s3.send(new CreateMultipartUploadCommand(at('key')));
  const upload = { ...at('key'), UploadId };
  const { ETag } = await s3.send(new UploadPartCommand({ ...upload, PartNumber: 1, Body: 'part' }));
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
  const complete = (condition: { IfNoneMatch?: string; IfMatch?: string | undefined }) =>
    s3.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload, ...condition }));
  return { upload, ETag, complete };
}

describe('a multipart upload', () => {
  it('loses to a PUT that came while its parts were sent, and keeps them', async () => {
    const { s3 } = await openFixture();
    const { upload, complete } = await begin(s3);
    await put(s3, 'quick', { IfNoneMatch: '*' });
    expect(await refusal(complete({ IfNoneMatch: '*' }))).toBe('412 PreconditionFailed');
    expect(await stored(s3)).toBe('quick');
    expect((await s3.send(new ListPartsCommand(upload))).Parts).toHaveLength(1);
    await remove(s3);
    await complete({ IfNoneMatch: '*' });
    expect(await stored(s3)).toBe('part');
  });

  it('replaces the object that If-Match names, and no other', async () => {
    const { s3 } = await openFixture();
    const { complete } = await begin(s3);
    expect(await refusal(complete({ IfMatch: '"any"' }))).toBe('404 NoSuchKey');
    const { ETag } = await put(s3, 'first');
    expect(await refusal(complete({ IfMatch: '"any"' }))).toBe('412 PreconditionFailed');
    await complete({ IfMatch: ETag });
    expect(await stored(s3)).toBe('part');
  });

  it('has to begin anew when an object was deleted while it was completed', async () => {
    const fixture = await openFixture();
    const { s3 } = fixture;
    const { upload, ETag, complete } = await begin(s3);
    await put(s3, 'first');
    const finish = await beginSlowly(
      fixture,
      await getSignedUrl(s3, new CompleteMultipartUploadCommand(upload)),
      {
        method: 'POST',
        headers: { 'if-none-match': '*' },
        body: `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${ETag}</ETag></Part></CompleteMultipartUpload>`,
      },
    );
    await remove(s3);
    expect(await finish()).toBe('409 ConditionalRequestConflict');
    expect(await refusal(complete({ IfNoneMatch: '*' }))).toBe('404 NoSuchUpload');
    expect(await refusal(s3.send(new AbortMultipartUploadCommand(upload)))).toBe('404 NoSuchUpload');
  });

  it('has to begin anew when a fault makes it a conflict', async () => {
    const faults: Fault[] = [];
    const { s3 } = await openFixture({ before: async () => faults.shift() });
    const { complete } = await begin(s3);
    faults.push({ status: 409, code: 'ConditionalRequestConflict' });
    expect(await refusal(complete({ IfNoneMatch: '*' }))).toBe('409 ConditionalRequestConflict');
    expect(await refusal(complete({ IfNoneMatch: '*' }))).toBe('404 NoSuchUpload');
  });

  it('that is completed once more is not known, or answered as the first time, as the server is told', async () => {
    for (const repeatsCompletions of [false, true]) {
      const { s3 } = await openFixture({ repeatsCompletions });
      const { complete } = await begin(s3);
      const { ETag } = await complete({ IfNoneMatch: '*' });
      const again = complete({ IfNoneMatch: '*' });
      if (repeatsCompletions) expect((await again).ETag).toBe(ETag);
      else expect(await refusal(again)).toBe('404 NoSuchUpload');
      await remove(s3);
      expect(await refusal(complete({ IfNoneMatch: '*' }))).toBe('404 NoSuchUpload');
    }
  });
});
