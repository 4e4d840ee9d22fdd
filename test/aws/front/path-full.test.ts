import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ANSWER_HEADERS } from '../../../functions/environment.ts';
import { type AwsPath, startAwsPath } from '../aws-path.ts';
import { send } from './fixture.ts';
import { digestOf, RegistryClient } from './registry-client.ts';

// The stack with a stream host, and with downloads through CloudFront.

const MIB = 1024 * 1024;
const NAME = 'front/app';

vi.spyOn(process.stdout, 'write').mockReturnValue(true); // the log of its functions
const path = await startAwsPath({ streamHost: 'instance', downloads: 'cdn' });
if (!path && process.env['STOWAGE_REQUIRE_CLIENTS']) throw new Error('no DynamoDB server is installed');
if (!path) console.warn('skipped: the front door; no DynamoDB server is installed');
afterAll(async () => {
  await path?.stop();
  vi.restoreAllMocks();
});

describe.runIf(path)('the front door of the stack with every option', () => {
  const { counters, url, streamHost } = path ?? ({} as AwsPath);
  let client: RegistryClient;

  beforeAll(async () => {
    client = await RegistryClient.logIn(path as AwsPath, NAME);
  });
  beforeEach(() => counters.reset());

  async function push(bytes: Uint8Array): Promise<string> {
    const call = `PUT ${await client.open(NAME)}&digest=${digestOf(bytes)}`;
    expect(await client.send(call, { body: bytes })).toMatchObject({ status: 201 });
    return digestOf(bytes);
  }

  it('sends layers of unknown length to the stream host, none of them through the API', async () => {
    const bytes = randomBytes(9 * MIB);
    const headers = { 'transfer-encoding': 'chunked', 'user-agent': 'docker/28.0.0 go/go1.24' };
    const chunk = await client.send(`PATCH ${await client.open(NAME)}`, { headers, body: bytes });
    expect(chunk).toMatchObject({ status: 202, headers: { range: `0-${bytes.length - 1}` } });
    const call = `PUT ${chunk.headers.location}&digest=${digestOf(bytes)}`;
    expect(await client.send(call, { body: '' })).toMatchObject({ status: 201 });
    expect(counters.counts).toMatchObject({
      api: { uploadBytes: 0 },
      blobs: { requests: 0 },
      stream: { requests: 1, uploadBytes: bytes.length },
    });
  });

  it('is the only way to the stream host', async () => {
    const answer = await send(`http://127.0.0.1:${streamHost?.port}`, 'GET /v2/');
    expect(answer).toMatchObject({ status: 403 });
  });

  it('gives downloads by a signed URL of its own, with the digest, whole and in parts', async () => {
    const bytes = randomBytes(5 * MIB);
    const digest = await push(bytes);
    const { status, headers } = await client.send(`GET /v2/${NAME}/blobs/${digest}`);
    expect(status).toBe(307);
    const location = headers.location ?? '';
    expect(location).toMatch(/^\/blobs\/[^/]+\?/);
    const whole = await client.send(`GET ${location}`); // Authorization goes along: it is the same host
    expect(whole).toMatchObject({ status: 200, headers: { 'docker-content-digest': digest } });
    expect(digestOf(whole.body)).toBe(digest);
    const part = await send(url, `GET ${location}`, { headers: { range: 'bytes=5-9' } });
    expect(part).toMatchObject({ status: 206, headers: { 'content-range': `bytes 5-9/${bytes.length}` } });
    expect(part.body).toEqual(bytes.subarray(5, 10));
    expect(await send(url, `HEAD ${location}`)).toMatchObject({
      status: 200,
      headers: { 'content-length': `${bytes.length}` },
    });
    expect(counters.counts.api.bytesOut).toBeLessThan(10_000);
  });

  it('tells browsers with every answer, whoever makes it, to load, run and show nothing of it', async () => {
    const digest = await push(randomBytes(5 * MIB));
    const [blob, upload] = [`/v2/${NAME}/blobs/${digest}`, await client.open(NAME)];
    const { location = '' } = (await client.send(`GET ${blob}`)).headers;
    const answers = await Promise.all([
      send(url, 'GET /v2/'), // the function at the edge
      send(url, 'PUT /elsewhere', { body: randomBytes(5 * MIB) }),
      client.send(`PUT ${upload}&digest=x`, { body: randomBytes(5 * MIB) }),
      client.send('GET /elsewhere'),
      client.send('GET /token'),
      client.send('GET /api/v1/me'),
      client.send(`GET ${blob}`),
      client.send(`GET ${location}`), // S3
      client.send(`PUT ${upload}&digest=${digest}`, { body: randomBytes(5 * MIB) }),
    ]);
    for (const { status, headers } of answers)
      expect({ status, ...headers }).toMatchObject({
        'x-content-type-options': 'nosniff',
        'content-security-policy': ANSWER_HEADERS['Content-Security-Policy'],
      });
    expect(answers.map(({ status }) => status)).toEqual([401, 413, 400, 404, 401, 401, 307, 200, 400]);
  });

  it('lets no client have a download pass for an upload', async () => {
    const digest = await push(randomBytes(5 * MIB));
    const { location = '' } = (await client.send(`GET /v2/${NAME}/blobs/${digest}`)).headers;
    const headers = { 'x-stowage-created': '/v2/a/blobs/sha256:b' };
    const answer = await send(url, `GET ${location}`, { headers });
    expect(answer).toMatchObject({ status: 200, headers: { 'docker-content-digest': digest } });
    expect(answer.headers).not.toHaveProperty('last-modified');
  });

  it('gives nothing else from the bucket, and to nobody else', async () => {
    const digest = await push(randomBytes(5 * MIB));
    const { headers } = await client.send(`GET /v2/${NAME}/blobs/${digest}`);
    const location = headers.location ?? '';
    const unsigned = await client.send(`GET ${location.split('?')[0]}`);
    expect(unsigned).toMatchObject({ status: 403, headers: { 'content-type': 'text/xml' } });
    expect(`${unsigned.body}`).toContain('<Code>MissingKey</Code>');
    const elsewhere = await send(url, `GET ${location.replace('/blobs/', '/blobs/../keys/')}`);
    expect(elsewhere.status).toBe(403);
    expect((await send(url, `PUT ${location}`, { body: 'x' })).status).toBe(403);
  });
});
