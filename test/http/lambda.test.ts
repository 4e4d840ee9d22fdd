import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_BODY_BYTES, requestOf, resultOf } from '../../functions/http/lambda.ts';

interface Sent extends Partial<APIGatewayProxyEventV2> {
  readonly method?: string;
}

/** An event as far as the adapter reads it. */
function event({ method = 'GET', ...fields }: Sent = {}): APIGatewayProxyEventV2 {
  return {
    rawPath: '/v2/',
    rawQueryString: '',
    headers: {},
    requestContext: { http: { method } },
    isBase64Encoded: false,
    ...fields,
  } as APIGatewayProxyEventV2;
}

function request(sent: Sent): Request {
  const made = requestOf(event(sent));
  if (!made) throw new Error('no request');
  return made;
}

/** The path as `functions/app.ts` reads it. */
const pathSeen = (rawPath: string) => decodeURIComponent(new URL(request({ rawPath }).url).pathname);

const bytes = () => fc.uint8Array({ maxLength: 3000 });

describe('the path', () => {
  it.each([
    ['as clients send it', '/v2/team/image/blobs/sha256:0a'],
    ['with a trailing slash', '/v2/team/image/blobs/uploads/'],
    ['without one', '/v2'],
    ['with two slashes in a row', '/v2/team//image/tags/list'],
    ['with a slash that was %2F', '/v2/team/image/tags/list'],
    ['with a percent sign that was %25', '/v2/team/50%/tags/list'],
    ['with an escape that was escaped itself', '/v2/team/%2F/tags/list'],
    ['with a broken escape', '/v2/%zz'],
    ['with spaces', '/v2/a b /tags/list '],
    ['with letters outside ASCII', '/v2/größe/名前/🐳'],
    ['with what separates a query or a fragment', '/v2/a?b#c/tags/list'],
    ['with a backslash', '/v2/a\\b/tags/list'],
    ['with a tab and a line break', '/v2/a\tb\nc'],
    ['with dots that a URL would resolve', '/v2/team/../other/./tags/list'],
    ['with dots at its end', '/v2/team/..'],
    ['that looks like another host', '//evil.test/v2/'],
  ])('%s reaches the app unchanged', (_, rawPath) => {
    expect(pathSeen(rawPath)).toBe(rawPath);
  });

  it('reaches the app unchanged, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (rest) => {
        fc.pre(rest !== '.' && rest !== '..'); // no URL can have these
        expect(pathSeen(`/${rest}`)).toBe(`/${rest}`);
      }),
    );
  });

  it('with half a surrogate pair does not fail', () => {
    expect(pathSeen('/v2/\ud800')).toBe('/v2/\ufffd');
  });
});

describe('the query', () => {
  it('arrives as it was sent, repeated keys and escapes too', () => {
    const rawQueryString = 'tag=a&tag=b%26c&digest=sha256%3Aab&n=+1';
    const { search, searchParams } = new URL(request({ rawQueryString }).url);
    expect(search).toBe(`?${rawQueryString}`);
    expect(searchParams.getAll('tag')).toEqual(['a', 'b&c']);
  });

  it('is none where there is none', () => {
    expect(request({}).url).not.toContain('?');
  });
});

describe('the headers', () => {
  it('are those of the event, repeated ones joined', () => {
    const headers = {
      accept: 'application/json,text/plain',
      'content-length': '3',
      authorization: 'Basic x',
    };
    const made = request({ method: 'PUT', headers, body: 'abc' });
    expect(Object.fromEntries(made.headers)).toMatchObject(headers);
  });

  it('have no Content-Length where none was sent', () => {
    expect(request({ method: 'PATCH', body: 'abc' }).headers.has('content-length')).toBe(false);
  });

  it('have the cookies that the gateway took out', () => {
    expect(request({ cookies: ['a=1', 'b=2'] }).headers.get('cookie')).toBe('a=1; b=2');
  });

  it('may have letters outside Latin-1', () => {
    const value = request({ headers: { 'user-agent': 'größe 🐳' } }).headers.get('user-agent') ?? '';
    expect(Buffer.from(value, 'latin1').toString()).toBe('größe 🐳');
  });
});

describe('a request body', () => {
  it('has the bytes that were sent as base64', async () => {
    await fc.assert(
      fc.asyncProperty(bytes(), async (sent) => {
        const body = Buffer.from(sent).toString('base64');
        const made = request({ method: 'PUT', body, isBase64Encoded: true });
        expect(Buffer.compare(await made.bytes(), sent)).toBe(0);
      }),
    );
  });

  it('has the bytes that were sent as text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (body) => {
        const made = request({ method: 'PUT', body });
        expect(Buffer.compare(await made.bytes(), Buffer.from(body))).toBe(0);
      }),
    );
  });

  it('gives the request no Content-Type of its own', () => {
    expect(request({ method: 'PUT', body: 'abc' }).headers.has('content-type')).toBe(false);
  });

  it.each(['GET', 'HEAD'])('of %s is left out', (method) => {
    expect(request({ method, body: 'abc' }).body).toBeNull();
  });
});

it('a request of method TRACE is one, for the app to refuse', () => {
  const method = 'TRACE';
  expect(requestOf(event({ method, body: 'abc' }))).toMatchObject({ method, body: null });
});

it.each(['CONNECT', ''])('a request of method "%s" is none', (method) => {
  expect(requestOf(event({ method }))).toBeUndefined();
});

describe('a result', () => {
  it('has the bytes of the response', async () => {
    await fc.assert(
      fc.asyncProperty(bytes(), async (given) => {
        const { body = '', isBase64Encoded } = await resultOf(new Response(Uint8Array.from(given)));
        expect(Buffer.compare(Buffer.from(body, isBase64Encoded ? 'base64' : 'utf8'), given)).toBe(0);
      }),
    );
  });

  it('is base64 for text too', async () => {
    const { body, isBase64Encoded } = await resultOf(Response.json({}));
    expect([body, isBase64Encoded]).toEqual([Buffer.from('{}').toString('base64'), true]);
  });

  it('without a body is no base64, and keeps the length that HEAD told', async () => {
    const result = await resultOf(new Response(null, { headers: { 'Content-Length': '5000000000' } }));
    expect(result).toEqual({
      statusCode: 200,
      headers: { 'content-length': '5000000000' },
      body: '',
      isBase64Encoded: false,
    });
  });

  it('tells the length of a body that did not', async () => {
    expect((await resultOf(Response.json({}))).headers).toMatchObject({ 'content-length': '2' });
  });

  it('has lower-case headers, repeated ones joined, and cookies apart', async () => {
    const headers = new Headers({ 'OCI-Tag': 'a' });
    headers.append('OCI-Tag', 'b');
    headers.append('Set-Cookie', 'a=1');
    headers.append('Set-Cookie', 'b=2');
    expect(await resultOf(new Response(null, { status: 201, headers }))).toMatchObject({
      statusCode: 201,
      headers: { 'oci-tag': 'a, b' },
      cookies: ['a=1', 'b=2'],
    });
  });

  it('of the largest body fits Lambda, with all the headers that API Gateway takes', async () => {
    const headers = { 'X-Filler': '"'.repeat(10_240) };
    const result = await resultOf(new Response(new Uint8Array(MAX_BODY_BYTES), { headers }));
    expect(JSON.stringify(result).length).toBeLessThanOrEqual(6 * 1024 * 1024);
  });

  it.each([
    ['that says so', { 'Content-Length': `${MAX_BODY_BYTES + 1}` }],
    ['that does not', {}],
  ])('fails for a larger body %s, and stops reading it', async (_, headers: Record<string, string>) => {
    let cancelled = false;
    const body = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(1024 * 1024)),
      cancel() {
        cancelled = true;
      },
    });
    await expect(resultOf(new Response(body, { headers }))).rejects.toThrow('does not fit');
    expect(cancelled).toBe(true);
  });

  it('fails where the body fails', async () => {
    const body = new ReadableStream({ pull: (controller) => controller.error(new Error('disk gone')) });
    await expect(resultOf(new Response(body))).rejects.toThrow('disk gone');
  });
});
