import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type AwsPath, startAwsPath } from '../aws-path.ts';
import { send } from './fixture.ts';
import { digestOf, errorOf, RegistryClient } from './registry-client.ts';

// The stack with its defaults: no stream host, downloads from S3.

const MIB = 1024 * 1024;
const NAME = 'front/app';

vi.spyOn(process.stdout, 'write').mockReturnValue(true); // the log of its functions
const path = await startAwsPath({ eventDelayMs: 300 });
if (!path && process.env['STOWAGE_REQUIRE_CLIENTS']) throw new Error('no DynamoDB server is installed');
if (!path) console.warn('skipped: the front door; no DynamoDB server is installed');
afterAll(async () => {
  await path?.stop();
  vi.restoreAllMocks();
});

describe.runIf(path)('the front door of the stack with its defaults', () => {
  const { counters, faults, url, gatewayUrl } = path ?? ({} as AwsPath);
  let client: RegistryClient;

  beforeAll(async () => {
    client = await RegistryClient.logIn(path as AwsPath, NAME);
  });
  beforeEach(() => counters.reset());

  const put = (location: string, bytes: Uint8Array, digest = digestOf(bytes)) =>
    client.send(`PUT ${location}&digest=${encodeURIComponent(digest)}`, { body: bytes });
  const head = (bytes: Uint8Array) => client.send(`HEAD /v2/${NAME}/blobs/${digestOf(bytes)}`);

  it('sends a large blob to S3 itself, and nothing of it through the API', async () => {
    const bytes = randomBytes(6 * MIB);
    const answer = await put(await client.open(NAME), bytes);
    expect(answer).toMatchObject({
      status: 201,
      headers: {
        location: `/v2/${NAME}/blobs/${digestOf(bytes)}`,
        'docker-content-digest': digestOf(bytes),
        'content-length': '0',
      },
    });
    expect(Object.keys(answer.headers).filter((name) => /^x-amz-(?!cf-)/.test(name))).toEqual([]);
    expect(counters.counts).toMatchObject({
      api: { uploadBytes: 0 },
      blobs: { requests: 1, uploadBytes: bytes.length },
    });
    expect(await head(bytes)).toMatchObject({
      status: 200,
      headers: { 'content-length': `${bytes.length}` },
    });
  });

  it('hears of the blob from S3, if nobody asks for it before', async () => {
    const bytes = randomBytes(5 * MIB);
    const location = await client.open(NAME);
    await put(location, bytes);
    const session = async () => (await client.send(`GET ${location}`)).status;
    expect(await session()).toBe(204);
    await vi.waitFor(async () => expect(await session()).toBe(404), { timeout: 10_000 }); // it is finished
    expect((await head(bytes)).status).toBe(200);
  });

  it('lets S3 refuse other bytes than were promised, and the same upload be tried again', async () => {
    const bytes = randomBytes(5 * MIB);
    const location = await client.open(NAME);
    const wrong = await put(location, randomBytes(5 * MIB), digestOf(bytes));
    expect(wrong.status).toBe(400);
    expect((await head(bytes)).status).toBe(404);
    expect((await put(location, bytes)).status).toBe(201);
    // What is there cannot be replaced by whoever has the token.
    expect((await put(location, randomBytes(5 * MIB))).status).toBe(412);
    expect((await head(bytes)).status).toBe(200);
  });

  it('takes nothing of a client that S3 would take for an order', async () => {
    const bytes = randomBytes(5 * MIB);
    const headers = {
      'x-amz-copy-source': '/stowage/keys/signing-keys',
      'x-amz-acl': 'public-read',
      'x-amz-storage-class': 'GLACIER',
      'content-encoding': 'aws-chunked',
      'content-md5': 'AAAAAAAAAAAAAAAAAAAAAA==',
    };
    const location = await client.open(NAME);
    const call = `PUT ${location}&digest=${digestOf(bytes)}`;
    expect(await client.send(call, { headers, body: bytes })).toMatchObject({ status: 201 });
  });

  it('tells clients at once that it takes no layer of unknown length, and what to do', async () => {
    const location = await client.open(NAME);
    const headers = { 'transfer-encoding': 'chunked', 'user-agent': 'docker/28.0.0 go/go1.24' };
    const answer = await client.send(`PATCH ${location}`, { headers, body: randomBytes(20 * MIB) });
    expect(answer.status).toBe(413);
    expect(errorOf(answer)).toMatchObject({
      code: 'DENIED',
      message: expect.stringContaining('stowage push'),
    });
    expect(counters.counts.api).toMatchObject({ requests: 1, uploadBytes: 0 });
  });

  it('sends small blobs and small chunks of unknown length through the API', async () => {
    const bytes = randomBytes(MIB);
    expect((await put(await client.open(NAME), bytes)).status).toBe(201);
    const headers = { 'transfer-encoding': 'chunked' };
    const chunk = await client.send(`PATCH ${await client.open(NAME)}`, { headers, body: bytes });
    expect(chunk).toMatchObject({ status: 202, headers: { range: `0-${bytes.length - 1}` } });
    expect(counters.counts).toMatchObject({ api: { uploadBytes: 2 * MIB }, blobs: { requests: 0 } });
  });

  it('redirects downloads to S3, which knows of ranges', async () => {
    const bytes = randomBytes(5 * MIB);
    await put(await client.open(NAME), bytes);
    const { status, headers } = await client.send(`GET /v2/${NAME}/blobs/${digestOf(bytes)}`);
    expect(status).toBe(307);
    const part = await fetch(headers.location ?? '', { headers: { range: 'bytes=5-9' } });
    expect(Buffer.from(await part.arrayBuffer())).toEqual(bytes.subarray(5, 10));
    faults.set({ 'redirect-without-range': true });
    const whole = await fetch(headers.location ?? '', { headers: { range: 'bytes=5-9' } });
    faults.set({ 'redirect-without-range': false });
    expect(whole).toMatchObject({ status: 200 });
    await whole.arrayBuffer();
  });

  it('is the only way to the API', async () => {
    const headers = { 'x-stowage-front': 'guessed', 'x-stowage-address': '10.0.0.1' };
    expect(await send(gatewayUrl, 'GET /v2/', { headers })).toMatchObject({ status: 403 });
    expect(await send(url, 'GET /v2/', { headers })).toMatchObject({
      status: 401,
      headers: { 'www-authenticate': `Bearer realm="${url}/token",service="stowage"` },
    });
  });

  it('has no way to read the bucket', async () => {
    const answer = await client.send('GET /keys/signing-keys');
    expect(answer).toMatchObject({ status: 404 });
    expect(counters.counts.blobs.requests).toBe(0);
  });
});
