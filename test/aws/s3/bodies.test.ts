import { createHash, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { describe, expect, it, vi } from 'vitest';
import { scratch } from '../../scratch.ts';
import { at, clientOf, type Fixture, openFixture, type RawRequest, refusal, sendSigned } from './fixture.ts';

const base64Crc32 = (text: string) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(text));
  return bytes.toString('base64');
};
const hash = (algorithm: string, text: string, encoding: 'base64' | 'hex' = 'base64') =>
  createHash(algorithm).update(text).digest(encoding);

const put = async (fixture: Fixture, given: RawRequest, later?: RawRequest) => {
  const { status, code } = await sendSigned(fixture, 'key', { method: 'PUT', ...given }, later);
  return `${status} ${code}`;
};

describe('a body', () => {
  it.each([
    ['CRC32', 'ChecksumCRC32', 'AAAAAA=='],
    ['CRC32C', 'ChecksumCRC32C', 'AAAAAA=='],
    ['SHA1', 'ChecksumSHA1', hash('sha1', 'other')],
    ['SHA256', 'ChecksumSHA256', hash('sha256', 'other')],
  ] as const)('is held to its %s', async (ChecksumAlgorithm, member, wrong) => {
    const { s3 } = await openFixture();
    const store = (more: object) => s3.send(new PutObjectCommand({ ...at('key'), Body: 'content', ...more }));
    const stored = await store({ ChecksumAlgorithm });
    expect(stored[member]).toBeDefined();
    expect(await refusal(store({ [member]: wrong }))).toBe('400 BadDigest');
    expect(await refusal(store({ [member]: 'AAAA' }))).toBe('400 InvalidRequest');
    const head = await s3.send(new HeadObjectCommand({ ...at('key'), ChecksumMode: 'ENABLED' }));
    expect(head[member]).toBe(stored[member]);
  });

  it('is held to its Content-MD5 and to its signed hash', async () => {
    const fixture = await openFixture();
    const md5 = (value: string) => ({ 'content-md5': value });
    expect(await put(fixture, { body: 'x', headers: md5(hash('md5', 'x')) })).toBe('200 undefined');
    expect(await put(fixture, { body: 'x', headers: md5(hash('md5', 'y')) })).toBe('400 BadDigest');
    expect(await put(fixture, { body: 'x', headers: md5('AAAA') })).toBe('400 InvalidDigest');
    expect(await put(fixture, { body: 'x' }, { body: 'y' })).toBe('400 XAmzContentSHA256Mismatch');
    const unsigned = { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
    expect(await put(fixture, { body: 'x', headers: unsigned }, { body: 'y' })).toBe('200 undefined');
    const unknown = { 'x-amz-content-sha256': 'UNSIGNED' };
    expect(await put(fixture, { body: 'x', headers: unknown })).toBe('400 InvalidArgument');
  });

  it('has one checksum at most, and one that is known', async () => {
    const fixture = await openFixture();
    const two = { 'x-amz-checksum-crc32': base64Crc32('x'), 'x-amz-checksum-sha256': hash('sha256', 'x') };
    expect(await put(fixture, { body: 'x', headers: two })).toBe('400 InvalidRequest');
    expect(await put(fixture, { body: 'x', headers: { 'x-amz-checksum-sha512': 'x' } })).toBe(
      '501 NotImplemented',
    );
  });

  it('leaves nothing behind when it is refused, and the connection usable', async () => {
    const directory = await scratch();
    const fixture = await openFixture({ directory });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const body = randomBytes(3_000_000);
    const wrong = { 'x-amz-checksum-sha256': hash('sha256', 'other') };
    expect(await put(fixture, { body, agent, headers: wrong })).toBe('400 BadDigest');
    expect(await put(fixture, { body, agent }, { headers: { 'x-amz-meta-late': '1' } })).toBe(
      '403 AccessDenied',
    );
    const socket = Object.values(agent.freeSockets)[0]?.[0];
    expect(await put(fixture, { body: 'x', agent })).toBe('200 undefined');
    expect(Object.values(agent.freeSockets)[0]).toEqual([socket]);
    expect(await readdir(join(directory, 'files'))).toHaveLength(1);
    agent.destroy();
  });
});

it('leaves nothing behind when its sender goes away', async () => {
  const directory = await scratch();
  const { s3, server } = await openFixture({ directory });
  const files = () => readdir(join(directory, 'files'));
  const url = new URL(await getSignedUrl(s3, new PutObjectCommand({ ...at('key'), ContentLength: 1000 })));
  const outgoing = request(url, { method: 'PUT', headers: { 'content-length': 1000 } });
  outgoing.on('error', () => undefined);
  outgoing.write('some');
  await vi.waitFor(async () => expect(await files()).toHaveLength(1));
  outgoing.destroy();
  await vi.waitFor(async () => expect(await files()).toHaveLength(0));
  expect(server.calls).toHaveLength(1);
});

describe('an aws-chunked body', () => {
  const PAYLOAD = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';
  const headers = {
    'content-encoding': 'gzip,aws-chunked',
    'x-amz-content-sha256': PAYLOAD,
    'x-amz-decoded-content-length': '7',
    'x-amz-trailer': 'x-amz-checksum-crc32',
  };
  const framed = (trailer: string) => `7\r\ncontent\r\n0\r\n${trailer}\r\n\r\n`;
  const RIGHT = framed(`x-amz-checksum-crc32:${base64Crc32('content')}`);

  it('is what the SDK sends for a stream, and is stored without its frame', async () => {
    const { s3 } = await openFixture();
    const bytes = randomBytes(700_001);
    const chunks = [bytes.subarray(0, 300_000), bytes.subarray(300_000)];
    const stored = await s3.send(
      new PutObjectCommand({ ...at('key'), Body: Readable.from(chunks), ContentLength: bytes.length }),
    );
    expect(stored.ChecksumCRC32).toBeDefined();
    const { Body, ContentEncoding } = await s3.send(new GetObjectCommand(at('key')));
    expect(Buffer.from((await Body?.transformToByteArray()) ?? []).equals(bytes)).toBe(true);
    expect(ContentEncoding).toBeUndefined();
  });

  it('is refused in chunks smaller than S3 takes', async () => {
    const { server } = await openFixture();
    const s3 = clientOf(server, { maxAttempts: 1 });
    const Body = Readable.from([Buffer.alloc(8000), Buffer.alloc(8000)]);
    const store = new PutObjectCommand({ ...at('key'), Body, ContentLength: 16_000 });
    expect(await refusal(s3.send(store))).toBe('403 InvalidChunkSizeError');
  });

  it('keeps the other encodings of its content', async () => {
    const fixture = await openFixture();
    expect(await put(fixture, { body: RIGHT, headers })).toBe('200 undefined');
    const head = await fixture.s3.send(new HeadObjectCommand(at('key')));
    expect(head).toMatchObject({ ContentEncoding: 'gzip', ContentLength: 7 });
  });

  it('is held to its trailer, to its length, and to its frame', async () => {
    const fixture = await openFixture();
    const store = (body: string, more: Record<string, string> = {}) =>
      put(fixture, { body, headers: { ...headers, ...more } });
    const length = (value: string) => ({ 'x-amz-decoded-content-length': value });
    expect(await store(framed('x-amz-checksum-crc32:AAAAAA=='))).toBe('400 BadDigest');
    expect(await store(framed('x-amz-checksum-sha1:AAAAAA=='))).toBe('400 MalformedTrailerError');
    expect(await store('7\r\ncontent\r\n0\r\n\r\n')).toBe('400 MalformedTrailerError');
    expect(await store(RIGHT, length('8'))).toBe('400 IncompleteBody');
    expect(await store(RIGHT.slice(0, -30))).toBe('400 IncompleteBody');
    expect(await store(`${RIGHT}more`)).toBe('400 IncompleteBody');
    expect(await store(RIGHT.replace('7', '6'))).toBe('400 IncompleteBody');
    expect(await store('content')).toBe('400 IncompleteBody');
    const { 'x-amz-decoded-content-length': _, ...lengthless } = headers;
    expect(await put(fixture, { body: RIGHT, headers: lengthless })).toBe('411 MissingContentLength');
  });
});
