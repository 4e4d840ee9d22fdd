import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { expect, it, vi } from 'vitest';
import { scratch } from '../../scratch.ts';
import { at, BUCKET, openFixture, refusal } from './fixture.ts';

const put = (
  s3: S3Client,
  key: string,
  body: string,
  conditions: { IfMatch?: string; IfNoneMatch?: string } = {},
) => s3.send(new PutObjectCommand({ ...at(key), Body: body, ...conditions }));

const textOf = async (s3: S3Client, key: string, Range?: string) => {
  const { Body } = await s3.send(new GetObjectCommand({ ...at(key), ...(Range && { Range }) }));
  return Body?.transformToString();
};

it('stores, describes, returns and deletes an object', async () => {
  const { s3, server } = await openFixture();
  const bytes = randomBytes(300_000);
  const given = { Body: bytes, ContentType: 'text/x', CacheControl: 'no-store', Metadata: { by: 'me' } };
  const stored = await s3.send(new PutObjectCommand({ ...at("a/b c+d/ü'(!)*"), ...given }));
  const key = at("a/b c+d/ü'(!)*");
  const head = await s3.send(new HeadObjectCommand({ ...key, ChecksumMode: 'ENABLED' }));
  expect(head).toMatchObject({
    ETag: stored.ETag,
    ContentLength: 300_000,
    ContentType: 'text/x',
    CacheControl: 'no-store',
    Metadata: { by: 'me' },
    ServerSideEncryption: 'AES256',
    ChecksumCRC32: stored.ChecksumCRC32,
    ChecksumType: 'FULL_OBJECT',
  });
  const got = await s3.send(new GetObjectCommand(key));
  expect(Buffer.from((await got.Body?.transformToByteArray()) ?? [])).toEqual(bytes);
  await s3.send(new DeleteObjectCommand(key));
  await s3.send(new DeleteObjectCommand(key));
  expect(await refusal(s3.send(new GetObjectCommand(key)))).toBe('404 NoSuchKey');
  expect(await refusal(s3.send(new HeadObjectCommand(key)))).toBe('404 NotFound');
  expect(server.calls.slice(0, 2)).toEqual([
    { operation: 'PutObject', key: key.Key },
    { operation: 'HeadObject', key: key.Key },
  ]);
});

it('serves ranges, and refuses one that starts past the end', async () => {
  const { s3 } = await openFixture();
  await put(s3, 'digits', '0123456789');
  expect(await textOf(s3, 'digits', 'bytes=2-4')).toBe('234');
  expect(await textOf(s3, 'digits', 'bytes=7-')).toBe('789');
  expect(await textOf(s3, 'digits', 'bytes=-2')).toBe('89');
  expect(await textOf(s3, 'digits', 'bytes=8-99')).toBe('89');
  expect(await textOf(s3, 'digits', 'bytes=4-2')).toBe('0123456789');
  expect(await textOf(s3, 'digits', 'bytes=0-1,3-4')).toBe('0123456789');
  const part = await s3.send(new GetObjectCommand({ ...at('digits'), Range: 'bytes=2-4' }));
  expect(part).toMatchObject({ ContentRange: 'bytes 2-4/10', ContentLength: 3 });
  expect(part.ChecksumCRC32).toBeUndefined();
  await part.Body?.transformToString();
  expect(await refusal(textOf(s3, 'digits', 'bytes=10-'))).toBe('416 InvalidRange');
  await s3.send(new PutObjectCommand({ ...at('empty'), Body: Buffer.of() }));
  expect(await textOf(s3, 'empty')).toBe('');
  expect(await refusal(textOf(s3, 'empty', 'bytes=0-'))).toBe('416 InvalidRange');
});

it('answers reads as their conditions say', async () => {
  const { s3 } = await openFixture();
  const { ETag: eTag } = await put(s3, 'key', 'v1');
  const get = (conditions: { IfMatch?: string; IfNoneMatch?: string; IfModifiedSince?: Date }) =>
    refusal(s3.send(new GetObjectCommand({ ...at('key'), ...conditions })));
  expect(await get({ IfNoneMatch: eTag ?? '' })).toBe('304 Unknown');
  expect(await get({ IfModifiedSince: new Date(Date.now() + 1000) })).toBe('304 Unknown');
  expect(await get({ IfMatch: '"other"' })).toBe('412 PreconditionFailed');
  const read = await s3.send(new GetObjectCommand({ ...at('key'), IfMatch: eTag, IfNoneMatch: '"other"' }));
  expect(await read.Body?.transformToString()).toBe('v1');
});

it('answers writes as their conditions say', async () => {
  const { s3 } = await openFixture();
  expect(await refusal(put(s3, 'key', 'v0', { IfMatch: '"any"' }))).toBe('404 NoSuchKey');
  const { ETag: eTag = '' } = await put(s3, 'key', 'v1', { IfNoneMatch: '*' });
  expect(await refusal(put(s3, 'key', 'v2', { IfNoneMatch: '*' }))).toBe('412 PreconditionFailed');
  expect(await refusal(put(s3, 'key', 'v2', { IfNoneMatch: eTag }))).toBe('501 NotImplemented');
  await put(s3, 'key', 'v2', { IfMatch: eTag });
  expect(await refusal(put(s3, 'key', 'v3', { IfMatch: eTag }))).toBe('412 PreconditionFailed');
  const stale = s3.send(new DeleteObjectCommand({ ...at('key'), IfMatch: eTag }));
  expect(await refusal(stale)).toBe('412 PreconditionFailed');
  expect(await textOf(s3, 'key')).toBe('v2');
});

it('lets one of several first writers win', async () => {
  const { s3 } = await openFixture();
  const bodies = ['a', 'b', 'c', 'd', 'e'];
  const outcomes = await Promise.allSettled(bodies.map((body) => put(s3, 'key', body, { IfNoneMatch: '*' })));
  const won = outcomes.flatMap(({ status }, n) => (status === 'fulfilled' ? [bodies[n]] : []));
  expect(won).toEqual([await textOf(s3, 'key')]);
});

it('lets a reader finish an object that is replaced, then deletes its file', async () => {
  const directory = await scratch();
  const { s3 } = await openFixture({ directory });
  const bytes = randomBytes(20_000_000);
  await s3.send(new PutObjectCommand({ ...at('key'), Body: bytes }));
  const { Body } = await s3.send(new GetObjectCommand(at('key')));
  await put(s3, 'key', 'new');
  expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(bytes)).toBe(true);
  expect(await textOf(s3, 'key')).toBe('new');
  await vi.waitFor(async () => expect(await readdir(join(directory, 'files'))).toHaveLength(1));
});

it('lists a prefix page by page, in the order of bytes', async () => {
  const { s3 } = await openFixture();
  const keys = ['p/\u{1F600}', 'p/\uFF5E', 'p/a', 'p/b&<', 'q'];
  for (const key of keys) await put(s3, key, key);
  const list = (more: object) =>
    s3.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: 'p/', MaxKeys: 3, ...more }));
  const first = await list({});
  const second = await list({ ContinuationToken: first.NextContinuationToken });
  const listed = [first, second].flatMap((page) => page.Contents?.map(({ Key }) => Key));
  expect(listed).toEqual(['p/a', 'p/b&<', 'p/\uFF5E', 'p/\u{1F600}']);
  expect([first.IsTruncated, second.IsTruncated, second.KeyCount]).toEqual([true, false, 1]);
  expect((await list({ StartAfter: 'p/b' })).Contents?.[0]).toMatchObject({ Key: 'p/b&<', Size: 5 });
  expect(await refusal(list({ ContinuationToken: 'made up' }))).toBe('400 InvalidArgument');
});

it('lists what keys have in common up to a delimiter in their place', async () => {
  const { s3 } = await openFixture();
  for (const key of ['p/a/1', 'p/a/2', 'p/b', 'p/c/1', 'p/c\u{10ffff}/1', 'q/1']) await put(s3, key, key);
  const list = (more: object) =>
    s3.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: 'p/', Delimiter: '/', MaxKeys: 2, ...more }));
  const first = await list({});
  const second = await list({ ContinuationToken: first.NextContinuationToken });
  const prefixes = [first, second].map((page) => page.CommonPrefixes?.map(({ Prefix }) => Prefix));
  expect(prefixes).toEqual([['p/a/'], ['p/c/', 'p/c\u{10ffff}/']]);
  expect(first.Contents?.map(({ Key }) => Key)).toEqual(['p/b']);
  expect([first.KeyCount, first.IsTruncated, second.IsTruncated]).toEqual([2, true, false]);
});

it('deletes many objects at once', async () => {
  const { s3 } = await openFixture();
  for (const key of ['a&b', 'b', 'c']) await put(s3, key, key);
  const Objects = ['a&b', 'b', 'gone'].map((Key) => ({ Key }));
  const { Deleted } = await s3.send(new DeleteObjectsCommand({ Bucket: BUCKET, Delete: { Objects } }));
  expect(Deleted?.map(({ Key }) => Key)).toEqual(['a&b', 'b', 'gone']);
  const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: BUCKET }));
  expect(Contents?.map(({ Key }) => Key)).toEqual(['c']);
});

it('knows its bucket and no other', async () => {
  const { s3 } = await openFixture();
  await s3.send(new HeadBucketCommand({ Bucket: BUCKET }));
  expect(await refusal(s3.send(new HeadBucketCommand({ Bucket: 'another' })))).toBe('404 NotFound');
  expect(await refusal(s3.send(new GetObjectCommand({ Bucket: 'another', Key: 'k' })))).toBe(
    '404 NoSuchBucket',
  );
});

it('refuses what it would have to drop silently', async () => {
  const { s3 } = await openFixture();
  const store = (more: object) =>
    refusal(s3.send(new PutObjectCommand({ ...at('key'), Body: 'x', ...more })));
  expect(await store({ Tagging: 'a=b' })).toBe('501 NotImplemented');
  expect(await store({ StorageClass: 'GLACIER' })).toBe('501 NotImplemented');
  expect(await store({ ServerSideEncryption: 'rot13' })).toBe('400 InvalidArgument');
  expect(await store({ Metadata: { long: 'x'.repeat(2100) } })).toBe('400 MetadataTooLarge');
});
