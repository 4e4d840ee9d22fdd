import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { commitDirectUpload } from '../../functions/registry/direct-uploads.ts';
import { drainOutbox } from '../../functions/registry/outbox.ts';
import { openScene, put, REPOSITORY, sha256 } from './scene.ts';

// What a client may do with a PUT that the registry has signed for it: send these bytes once, and nothing else.

const MIB = 1024 * 1024;
const HOUR = 60 * 60_000;
const DAY = 24 * HOUR;

/** Just too large for the API. */
const some = () => randomBytes(4 * MIB + 2);
const blobPath = (bytes: Uint8Array) => `/v2/${REPOSITORY}/blobs/${sha256(bytes)}`;

it('S3 takes the bytes, and the blob is there at once, with nothing sent through the registry', async () => {
  const scene = await openScene();
  const bytes = some();
  const { whole, status } = await scene.open(sha256(bytes), bytes.length);
  expect(status).toBe(202);
  expect(await put(whole, bytes)).toBe('200');
  const found = await scene.call(`HEAD ${blobPath(bytes)}`);
  expect([found.status, found.headers.get('content-length')]).toEqual([200, `${bytes.length}`]);
  const { headers } = await scene.call(`GET ${blobPath(bytes)}`);
  const download = await fetch(headers.get('location') ?? '');
  expect(sha256(await download.bytes())).toBe(sha256(bytes));
});

describe('S3 refuses', () => {
  it('other bytes, whatever checksum they come with', async () => {
    const scene = await openScene();
    const [bytes, other] = [some(), some()];
    const { whole } = await scene.open(sha256(bytes), bytes.length);
    const checksum = Buffer.from(sha256(other).slice(7), 'hex').toString('base64');
    expect(await put(whole, other)).toBe('400 BadDigest');
    expect(await put(whole, other, { 'x-amz-checksum-sha256': checksum })).toBe('403 SignatureDoesNotMatch');
    expect(await put(whole && { ...whole, headers: {} }, other)).toBe('403 SignatureDoesNotMatch');
    expect((await scene.call(`HEAD ${blobPath(bytes)}`)).status).toBe(404);
    expect((await scene.call(`HEAD ${blobPath(other)}`)).status).toBe(404);
  });

  it('more bytes and fewer than were announced', async () => {
    const scene = await openScene();
    const bytes = some();
    const { whole } = await scene.open(sha256(bytes), bytes.length - 1);
    const length = { 'content-length': `${bytes.length}` };
    expect(await put(whole, bytes, length)).toBe('403 SignatureDoesNotMatch');
    expect(await put(whole, bytes.subarray(1))).toBe('400 BadDigest');
  });

  it('headers that the registry has not signed', async () => {
    const scene = await openScene();
    const bytes = some();
    const { whole } = await scene.open(sha256(bytes), bytes.length);
    for (const name of ['x-amz-meta-by', 'x-amz-storage-class', 'x-amz-tagging'])
      expect(await put(whole, bytes, { [name]: 'STANDARD' }), name).toBe('403 AccessDenied');
    expect(await put(whole, bytes, { 'content-type': 'text/html' })).toBe('403 SignatureDoesNotMatch');
    expect(await put(whole, bytes, { 'if-none-match': '"x"' })).toBe('403 SignatureDoesNotMatch');
  });

  it('a second PUT, and one that comes an hour later', async () => {
    const scene = await openScene();
    const [bytes, late] = [some(), some()];
    const [first, second] = [
      await scene.open(sha256(bytes), bytes.length),
      await scene.open(sha256(late), late.length),
    ];
    expect(await put(first.whole, bytes)).toBe('200');
    expect(await put(first.whole, bytes)).toBe('412 PreconditionFailed');
    scene.ahead = HOUR + 1000;
    expect(await put(second.whole, late)).toBe('403 AccessDenied');
  });
});

it.each(['content-encoding', 'content-disposition', 'cache-control'])(
  'an object with a %s of its client is nobody’s blob: others would be served by it',
  async (name) => {
    const scene = await openScene();
    const bytes = some();
    const { whole, location } = await scene.open(sha256(bytes), bytes.length);
    expect(await put(whole, bytes, { [name]: name === 'content-encoding' ? 'gzip' : 'private' })).toBe('200');
    const id = /uploads\/([^?]+)/.exec(location)?.[1] ?? '';
    expect(await commitDirectUpload(scene.registry, id)).toBe(false);
    expect((await scene.call(`HEAD ${blobPath(bytes)}`)).status).toBe(404);
  },
);

it('what is sent once more after the blob was deleted is gone a day later, and is no blob', async () => {
  const scene = await openScene();
  const bytes = some();
  const { whole, location } = await scene.open(sha256(bytes), bytes.length);
  expect(await put(whole, bytes)).toBe('200');
  expect((await scene.call(`HEAD ${blobPath(bytes)}`)).status).toBe(200);
  expect((await scene.call(`DELETE ${blobPath(bytes)}`)).status).toBe(202);
  // The object is there for a day yet: nothing can be written over it. And then no URL is good any more.
  expect(await put(whole, bytes)).toBe('412 PreconditionFailed');
  expect((await scene.call(`HEAD ${blobPath(bytes)}`)).status).toBe(404);
  scene.ahead = DAY + HOUR;
  expect(await drainOutbox(scene.registry)).toBeGreaterThan(0);
  expect(await put(whole, bytes)).toBe('403 AccessDenied');
  expect((await scene.call(`GET ${location}`)).status).toBe(404);
});

it('an upload that was cancelled leaves nothing of what is sent after it', async () => {
  const scene = await openScene();
  const bytes = some();
  const { whole, location } = await scene.open(sha256(bytes), bytes.length);
  expect((await scene.call(`DELETE ${location}`)).status).toBe(204);
  expect(await put(whole, bytes)).toBe('200');
  expect((await scene.call(`HEAD ${blobPath(bytes)}`)).status).toBe(404);
  scene.ahead = DAY + HOUR;
  await drainOutbox(scene.registry);
  expect(await scene.registry.blobs.list(undefined, 10)).toEqual([]);
});

describe('under a quota', () => {
  it('what was announced is held to the byte before it comes, and what does not fit is not signed', async () => {
    const scene = await openScene();
    await scene.setQuota(10 * MIB);
    const [one, two, three] = [some(), some(), some()];
    const opened = await scene.open(sha256(one), one.length);
    expect((await scene.open(sha256(two), two.length)).whole).toBeDefined();
    const refused = await scene.open(sha256(three), three.length);
    expect([refused.status, refused.whole]).toEqual([202, undefined]);
    expect(await put(opened.whole, one)).toBe('200');
    expect((await scene.call(`HEAD ${blobPath(one)}`)).status).toBe(200);
  });

  it('a key is closed when its upload is cancelled, and its room is free', async () => {
    const scene = await openScene();
    await scene.setQuota(6 * MIB);
    const [one, two] = [some(), some()];
    const opened = await scene.open(sha256(one), one.length);
    expect((await scene.call(`DELETE ${opened.location}`)).status).toBe(204);
    expect(await put(opened.whole, one)).toBe('412 PreconditionFailed');
    expect((await scene.open(sha256(two), two.length)).whole).toBeDefined();
  });
});

it.each([
  ['a small blob', (bytes: Uint8Array) => [sha256(bytes), 1000]],
  ['a size that is none', (bytes: Uint8Array) => [sha256(bytes), Number.NaN]],
  ['another algorithm', () => [`sha512:${'a'.repeat(128)}`, 5 * MIB]],
])('nothing is signed for %s: it comes by way of the registry', async (_, announced) => {
  const scene = await openScene();
  const [digest, size] = announced(some()) as [never, number];
  expect(await scene.open(digest, size)).toMatchObject({ status: 202, whole: undefined });
});
