import type { APIGatewayProxyEventV2, APIGatewayProxyResultV2, Context } from 'aws-lambda';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CHALLENGE_HEADER } from '../../../functions/environment.ts';
import { Connection } from '../../fuzz/connection.ts';
import { startGateway } from './gateway.ts';

const MEBIBYTE = 1024 * 1024;

type Options = Partial<Parameters<typeof startGateway>[0]>;
type Result = APIGatewayProxyResultV2;

/** A gateway before a function that returns `result`, and the last event the function was given. */
async function gateway(result: Result | ((context: Context) => Promise<Result>), options: Options = {}) {
  const seen: APIGatewayProxyEventV2[] = [];
  const started = await startGateway({
    handler: async (event, context) => {
      seen.push(event);
      return typeof result === 'function' ? await result(context) : result;
    },
    ...options,
  });
  onTestFinished(() => started.close());
  return { url: started.url, seen };
}

/** The event of one request, written byte by byte as `head` says. */
async function eventOf(head: string, body: string | Uint8Array = '', options: Options = {}) {
  const { url, seen } = await gateway({ statusCode: 200 }, options);
  const connection = await Connection.open(url);
  await connection.write(`${head.replaceAll('\n', '\r\n')}\r\n\r\n`, body);
  expect((await connection.answer())?.status).toBe(200);
  connection.cut();
  return seen[0] as APIGatewayProxyEventV2;
}

async function statusAndText(response: Response): Promise<unknown> {
  return [response.status, await response.text()];
}

describe('the event', () => {
  it.each([
    ['/v2/a%2Fb/tags/list', '/v2/a/b/tags/list'],
    ['/v2/50%25/', '/v2/50%/'],
    ['/v2/%252F', '/v2/%2F'],
    ['/v2/a%20b', '/v2/a b'],
    ['/v2/gr%C3%B6%C3%9Fe/%F0%9F%90%B3', '/v2/größe/🐳'],
    ['/v2/%FF', '/v2/\ufffd'],
    ['/v2/%zz', '/v2/%zz'],
    ['/v2/a/../b/', '/v2/a/../b/'],
    ['/v2/a%3Fb/tags/list', '/v2/a'],
    ['http://host.test/v2/', '/v2/'],
  ])('has the path %s as %s', async (sent, rawPath) => {
    const event = await eventOf(`GET ${sent} HTTP/1.1\nHost: a`);
    expect([event.rawPath, event.requestContext.http.path]).toEqual([rawPath, rawPath]);
  });

  it('has the query raw, and in parameters joined', async () => {
    const event = await eventOf('GET /v2/?tag=a&tag=b%26c&x=%2F HTTP/1.1\nHost: a');
    expect(event.rawQueryString).toBe('tag=a&tag=b%26c&x=%2F');
    expect(event.queryStringParameters).toEqual({ tag: 'a,b&c', x: '/' });
  });

  it('has lower-case headers, joined without a space, cookies apart, and none of the connection', async () => {
    const event = await eventOf(
      'GET / HTTP/1.1\nHost: a\nAccept: x\nACCEPT: y\nCookie: a=1; b=2\nTE: trailers\nX-Forwarded-For: 6.6.6.6',
    );
    expect(event.headers).toEqual({
      host: 'a',
      accept: 'x,y',
      'content-type': 'text/plain',
      forwarded: expect.stringMatching(/^by=.*;for=.*;host=a;proto=https$/),
      'x-amzn-trace-id': expect.any(String),
    });
    expect(event.cookies).toEqual(['a=1', 'b=2']);
  });

  const put = (type: string, length = 3) =>
    `PUT / HTTP/1.1\nHost: a\nContent-Length: ${length}${type && `\nContent-Type: ${type}`}`;

  it.each(['text/plain', 'application/json', 'application/json; charset=utf-8', 'application/xml'])(
    'has a body of type %s as text, or as base64 if asked to',
    async (type) => {
      const asText = await eventOf(put(type), 'abc');
      expect([asText.body, asText.isBase64Encoded]).toEqual(['abc', false]);
      const asBase64 = await eventOf(put(type), 'abc', { textTypes: false });
      expect([asBase64.body, asBase64.isBase64Encoded]).toEqual(['YWJj', true]);
    },
  );

  it.each(['application/octet-stream', 'application/vnd.oci.image.manifest.v1+json', ''])(
    'has a body of type "%s" as base64',
    async (type) => {
      const event = await eventOf(put(type), new Uint8Array([0, 255, 10]));
      expect([event.body, event.isBase64Encoded]).toEqual(['AP8K', true]);
    },
  );

  it('has the length of a body that was sent with one, and of a chunked one none', async () => {
    expect((await eventOf(put(''), 'abc')).headers['content-length']).toBe('3');
    const chunked = 'PUT / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked';
    const event = await eventOf(chunked, '3\r\nabc\r\n0\r\n\r\n');
    expect([event.body, event.headers['content-length']]).toEqual(['YWJj', undefined]);
    expect(event.headers).not.toHaveProperty('transfer-encoding');
  });
});

describe('the answer', () => {
  it('is what the function said', async () => {
    const { url } = await gateway({
      statusCode: 201,
      headers: { location: '/v2/', 'content-type': 'a/b', 'docker-content-digest': 'sha256:ab' },
      cookies: ['a=1', 'b=2'],
      body: 'AP8K',
      isBase64Encoded: true,
    });
    const response = await fetch(url);
    expect(response.status).toBe(201);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      location: '/v2/',
      'content-type': 'a/b',
      'content-length': '3',
      'docker-content-digest': 'sha256:ab',
      'apigw-requestid': expect.any(String),
    });
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
    expect(await response.bytes()).toEqual(new Uint8Array([0, 255, 10]));
  });

  it('of a function that names no status is 200 and JSON', async () => {
    const { url } = await gateway({ some: 'thing' } as Result);
    expect(await statusAndText(await fetch(url))).toEqual([200, '{"some":"thing"}']);
  });

  it.each([
    ['kept', '5000'],
    ['recomputed', '2'],
  ] as const)('to HEAD has no body, and its Content-Length %s', async (contentLengthOnHead, length) => {
    const result = { statusCode: 200, headers: { 'content-length': '5000' }, body: '{}' };
    const { url } = await gateway(result, { contentLengthOnHead });
    const response = await fetch(url, { method: 'HEAD' });
    expect([response.headers.get('content-length'), await response.text()]).toEqual([length, '']);
  });

  it('leaves the connection open longer than CloudFront keeps one', async () => {
    const { url } = await gateway({ statusCode: 200 });
    const connection = await Connection.open(url);
    await connection.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n', '');
    expect((await connection.answer())?.headers.get('keep-alive')).toBe('timeout=60');
    connection.cut();
  });

  it('has the headers that AWS renames under other names', async () => {
    const headers = { 'www-authenticate': 'Bearer', server: 'x', via: 'y' };
    const { url } = await gateway({ statusCode: 401, headers });
    const response = await fetch(url);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'x-amzn-remapped-www-authenticate': 'Bearer',
      'x-amzn-remapped-server': 'x',
    });
    expect(['www-authenticate', 'via'].filter((name) => response.headers.has(name))).toEqual([]);
  });

  it('has the challenge under its name where the function has sent it under another one, too', async () => {
    const headers = { 'www-authenticate': 'Bearer', [CHALLENGE_HEADER]: 'Bearer realm="here"' };
    const challengeOf = async (statusCode: number) => {
      const { url } = await gateway({ statusCode, headers });
      return (await fetch(url)).headers.get('www-authenticate');
    };
    expect([await challengeOf(401), await challengeOf(403)]).toEqual(['Bearer realm="here"', null]);
  });

  it('has the challenge if asked to', async () => {
    const headers = { 'www-authenticate': 'Bearer' };
    const { url } = await gateway({ statusCode: 401, headers }, { challenge: 'kept' });
    expect((await fetch(url)).headers.get('www-authenticate')).toBe('Bearer');
  });
});

describe('the limits', () => {
  const tooLarge = [413, '{"message":"Request Entity Too Large"}'];
  const failed = [500, '{"message":"Internal Server Error"}'];
  const put = async (url: string, size: number) =>
    await statusAndText(await fetch(url, { method: 'PUT', body: new Uint8Array(size) }));

  it.each([
    ['over 10 MB never reaches the function', 10 * MEBIBYTE + 1],
    ['whose event is over 6 MB never reaches the function', 4.6 * MEBIBYTE],
  ])('a body %s', async (_, size) => {
    const { url, seen } = await gateway({ statusCode: 200 });
    expect(await put(url, Math.ceil(size))).toEqual(tooLarge);
    expect(seen).toEqual([]);
  });

  it('a body of 4 MiB does', async () => {
    const { url } = await gateway({ statusCode: 200, body: 'ok' });
    expect(await put(url, 4 * MEBIBYTE)).toEqual([200, 'ok']);
  });

  it('an answer over 6 MB is a 500', async () => {
    const { url } = await gateway({ statusCode: 200, body: 'x'.repeat(6 * MEBIBYTE) });
    expect(await statusAndText(await fetch(url))).toEqual(failed);
  });

  it.each([
    ['that fails', () => Promise.reject(new Error('no'))],
    ['with a status that is none', () => Promise.resolve({ statusCode: 42 })],
  ])('an answer %s is a 500', async (_, result) => {
    const { url } = await gateway(result);
    expect(await statusAndText(await fetch(url))).toEqual(failed);
  });

  it('a function that takes too long is a 503, and was told how long it had', async () => {
    let remaining = 0;
    const never = (context: Context) => {
      remaining = context.getRemainingTimeInMillis();
      return new Promise<Result>(() => undefined);
    };
    const { url } = await gateway(never, { timeoutMilliseconds: 100 });
    expect(await statusAndText(await fetch(url))).toEqual([503, '{"message":"Service Unavailable"}']);
    expect(remaining).toBeGreaterThan(50);
    expect(remaining).toBeLessThanOrEqual(100);
  });

  it('a request line and headers over 10,240 bytes are a 431', async () => {
    const { url, seen } = await gateway({ statusCode: 200 });
    expect((await fetch(url, { headers: { 'X-Filler': 'x'.repeat(9_500) } })).status).toBe(200);
    expect((await fetch(url, { headers: { 'X-Filler': 'x'.repeat(10_241) } })).status).toBe(431);
    expect(seen).toHaveLength(1);
  });
});
