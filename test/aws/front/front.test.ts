import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { EdgeFunctionError } from './edge-error.ts';
import type { EdgeRequest } from './edge-event.ts';
import { openScene, send, TRANSPARENT } from './fixture.ts';

// The emulation of CloudFront by itself: what it does around the functions, with an origin that is no registry.

vi.spyOn(process.stderr, 'write').mockReturnValue(true); // its log

describe('a function', () => {
  it('is shown path and query as they were sent, repetitions by themselves, and names in lower case', async () => {
    const shown: EdgeRequest[] = [];
    const viewerRequest: typeof TRANSPARENT.viewerRequest = async (request, viewer) => {
      shown.push(structuredClone(request));
      return TRANSPARENT.viewerRequest(request, viewer);
    };
    const { front, seen } = await openScene({ edge: { ...TRANSPARENT, viewerRequest } });
    const headers = { 'X-Twice': ['a', 'b'], Cookie: 'one=1; two=2' };
    await send(front.url, 'GET /v2/a%2Fb/./x?digest=sha256%3Aff&n=1&n=%20&empty', { headers });
    expect(shown).toMatchObject([
      {
        method: 'GET',
        uri: '/v2/a%2Fb/./x',
        querystring: {
          digest: { value: 'sha256%3Aff' },
          n: { value: '1', multiValue: [{ value: '1' }, { value: '%20' }] },
          empty: { value: '' },
        },
        headers: { 'x-twice': { value: 'a', multiValue: [{ value: 'a' }, { value: 'b' }] } },
        cookies: { one: { value: '1' }, two: { value: '2' } },
      },
    ]);
    expect(shown[0]?.headers).not.toHaveProperty('cookie');
    expect(seen[0]?.target).toBe('/v2/a%2Fb/./x?digest=sha256%3Aff&n=1&n=%20&empty=');
    expect(seen[0]?.headers).toMatchObject({ 'x-twice': 'a, b', cookie: 'one=1; two=2' });
  });

  it('may answer itself, at once, while the client is still sending', async () => {
    const headers = { 'content-type': { value: 'application/json' } };
    const response = { statusCode: 413, headers, body: { encoding: 'text', data: '{}' } } as const;
    const edge = { ...TRANSPARENT, viewerRequest: async () => ({ is: 'response', response }) as const };
    const { front, counters } = await openScene({ edge });
    const sending = connect(Number(new URL(front.url).port), '127.0.0.1');
    sending.write('PATCH /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n');
    const [first] = (await new Promise((resolve) => sending.once('data', (data) => resolve([data])))) as [
      Buffer,
    ];
    expect(`${first}`).toMatch(/^HTTP\/1.1 413 [\s\S]*x-cache: FunctionGeneratedResponse from cloudfront/);
    // What is left is read and lost, and the connection is good for another request.
    sending.write(Buffer.alloc(3_000_000));
    sending.write('GET /y HTTP/1.1\r\nHost: a\r\n\r\n');
    await new Promise((resolve) => sending.once('data', resolve));
    sending.destroy();
    expect(counters.counts.api.requests).toBe(0);
  });

  it.each([502, 503] as const)('that fails makes it %d, with a page of CloudFront', async (status) => {
    const viewerRequest = async () => {
      throw new EdgeFunctionError(status, 'for a test');
    };
    const { front } = await openScene({ edge: { ...TRANSPARENT, viewerRequest } });
    const answer = await send(front.url, 'PUT /x', { body: 'abc' });
    expect(answer).toMatchObject({
      status,
      headers: { 'x-cache': 'Error from cloudfront', server: 'CloudFront' },
    });
    expect(`${answer.body}`).toContain('The CloudFront function');
  });

  it('sees answers below 400 and may change them, and no others', async () => {
    const viewerResponse: typeof TRANSPARENT.viewerResponse = async (_, response) => ({
      ...response,
      statusCode: 201,
    });
    const statuses = [200, 307, 400, 404, 500];
    const answers = statuses.map(async (status) => {
      const { front } = await openScene({
        edge: { ...TRANSPARENT, viewerResponse },
        answer: (_, outgoing) => void outgoing.writeHead(status).end('x'),
      });
      return (await send(front.url, 'GET /')).status;
    });
    expect(await Promise.all(answers)).toEqual([201, 201, 400, 404, 500]);
  });
});

describe('an origin', () => {
  it('is told whom CloudFront speaks for, by its own host name and with its own headers', async () => {
    const { front, seen } = await openScene({ origin: { customHeaders: { 'x-stowage-front': 'secret' } } });
    const headers = {
      Host: 'registry.example.com',
      'X-Forwarded-For': '203.0.113.9',
      'X-Stowage-Front': 'guessed',
      Expect: '100-continue',
      TE: 'trailers',
      Via: '1.1 proxy',
    };
    await send(front.url, 'PUT /x', { headers, body: 'abc' });
    const [request] = seen;
    expect(request?.headers).toMatchObject({
      host: expect.stringMatching(/^127\.0\.0\.1:/),
      'x-stowage-front': 'secret',
      'x-forwarded-for': '203.0.113.9, 127.0.0.1',
      via: expect.stringMatching(/^1\.1 proxy, 1\.1 \w+\.cloudfront\.net \(CloudFront\)$/),
      'x-amz-cf-id': expect.stringMatching(/.{40,}/),
      'content-length': '3',
    });
    expect(request?.headers).not.toHaveProperty('expect');
    expect(request?.headers).not.toHaveProperty('te');
    expect(`${request?.body}`).toBe('abc');
  });

  it('gets a body of unknown length as one', async () => {
    const { front, seen } = await openScene();
    await send(front.url, 'PATCH /x', { headers: { 'transfer-encoding': 'chunked' }, body: 'abc' });
    expect(seen[0]?.headers).toMatchObject({ 'transfer-encoding': 'chunked' });
    expect(`${seen[0]?.body}`).toBe('abc');
  });

  it('that hangs up makes it 502, one that says nothing 504', async () => {
    const gone = await openScene({ answer: (incoming) => void incoming.socket.destroy() });
    expect(await send(gone.front.url, 'GET /')).toMatchObject({ status: 502 });
    const silent = await openScene({ origin: { answerMs: 50 }, answer: () => undefined });
    expect(await send(silent.front.url, 'GET /')).toMatchObject({ status: 504 });
    const nobody = await openScene({ origin: { url: 'http://127.0.0.1:1' } });
    const refused = await send(nobody.front.url, 'PUT /', { body: Buffer.alloc(1_000_000) });
    expect(refused).toMatchObject({ status: 502, headers: { 'x-cache': 'Error from cloudfront' } });
  });

  it('may answer before it has the whole body, and the client gets that answer', async () => {
    const answer = (incoming: IncomingMessage, outgoing: ServerResponse) => {
      outgoing.writeHead(403).end('no');
      incoming.resume();
    };
    const { front } = await openScene({ answer });
    const refused = await send(front.url, 'PUT /', { body: Buffer.alloc(5_000_000) });
    expect(refused).toMatchObject({ status: 403 });
    expect(`${refused.body}`).toBe('no');
  });

  it('is sent no more than it reads, and learns when the client goes away', async () => {
    const { promise: arrived, resolve: onArrival } = Promise.withResolvers<IncomingMessage>();
    const { front, counters } = await openScene({ answer: onArrival }); // reads nothing
    const sending = connect(Number(new URL(front.url).port), '127.0.0.1');
    sending.on('error', () => undefined);
    sending.write('PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 200000000\r\n\r\n');
    for (let megabyte = 0; megabyte < 100; megabyte += 1) sending.write(Buffer.alloc(1_000_000));
    let bytesIn = 0;
    const hasStopped = () => {
      const before = bytesIn;
      bytesIn = counters.counts.api.bytesIn;
      return bytesIn > 0 && bytesIn === before;
    };
    await expect.poll(hasStopped, { interval: 100 }).toBe(true);
    expect(bytesIn).toBeLessThan(20_000_000);
    sending.destroy();
    const incoming = (await arrived).resume();
    await expect(once(incoming, 'close')).rejects.toThrow('aborted');
    expect(incoming.complete).toBe(false);
  });
});

describe('CloudFront itself', () => {
  it('refuses a URL or headers that are too long, a GET with a body, and methods it does not know', async () => {
    const { front, seen } = await openScene();
    const long = (bytes: number) => ({ headers: { 'x-long': 'x'.repeat(bytes) } });
    expect(await send(front.url, 'GET /', long(21_000))).toMatchObject({ status: 413 });
    expect(await send(front.url, `GET /${'x'.repeat(8192)}`)).toMatchObject({ status: 413 });
    expect(await send(front.url, 'GET /', { body: 'x' })).toMatchObject({ status: 403 });
    expect(await send(front.url, 'PROPFIND /')).toMatchObject({ status: 403 });
    expect(seen).toHaveLength(0);
    expect(await send(front.url, 'GET /', long(19_000))).toMatchObject({ status: 200 });
    expect(await send(front.url, `GET /${'x'.repeat(8000)}`)).toMatchObject({ status: 200 });
  });

  it('says that it was there, and that nothing came from a cache', async () => {
    const { front } = await openScene();
    const { headers, body } = await send(front.url, 'GET /');
    expect(headers).toMatchObject({
      'x-from': 'origin',
      'x-cache': 'Miss from cloudfront',
      via: expect.stringContaining('cloudfront.net'),
    });
    expect(headers).not.toHaveProperty('age');
    expect(`${body}`).toBe('content');
  });

  it('counts by origin, and knows the content of blobs from the rest', async () => {
    const { front, counters } = await openScene();
    const body = Buffer.alloc(1000);
    await send(front.url, 'PUT /v2/a/b/blobs/uploads/1?digest=x', { body });
    await send(front.url, 'PATCH /v2/a/b/blobs/uploads/1', { body });
    await send(front.url, 'PUT /v2/a/b/manifests/v1', { body });
    expect(counters.counts.api).toEqual({ requests: 3, bytesIn: 3000, bytesOut: 21, uploadBytes: 2000 });
    counters.reset();
    expect(counters.counts.api.requests).toBe(0);
  });

  it('hands bodies of any bytes through unharmed, both ways', async () => {
    const { front } = await openScene({ answer: (incoming, outgoing) => void incoming.pipe(outgoing) });
    const body = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 7919) % 256));
    const answer = await send(front.url, 'POST /', { body });
    const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    expect(hash(answer.body)).toBe(hash(body));
  });
});
