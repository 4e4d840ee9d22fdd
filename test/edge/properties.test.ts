import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { EdgeRequest, EdgeValues } from '../aws/front/edge-event.ts';
import type { EdgeFunctions } from '../aws/front/runtime.ts';
import { bearer, DIGEST, errorOf, HOST, NAME, openDoor, SESSION, uploadToken, VIEWER } from './door.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const STATUSES = [400, 401, 403, 413, 503];

/** Printable, and without what ends a path or a parameter; escapes, good and bad ones, among it. */
const word = fc
  .array(
    fc.oneof(
      fc.constantFrom('%2F', '%zz', '%', '%00', '%0A', '%C3%A9', '..', '.', '/', '-', '_', '__proto__', ':'),
      fc.stringMatching(/^[a-z0-9A-Z~!$'()*+,;=@]{1,8}$/),
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(''));

const segment = fc.oneof(
  word,
  fc.constantFrom(
    'v2',
    'blobs',
    'uploads',
    'manifests',
    'tags',
    'list',
    'referrers',
    'token',
    NAME,
    SESSION,
    DIGEST,
  ),
);

const uri = fc.oneof(
  fc.array(segment, { maxLength: 8 }).map((parts) => `/${parts.join('/')}`),
  fc.constantFrom(
    `/v2/${NAME}/blobs/uploads/${SESSION}`,
    `/v2/${NAME}/blobs/uploads/`,
    '/v2/',
    '/v2/_catalog',
  ),
);

const value = (texts: fc.Arbitrary<string>) =>
  fc.oneof(
    texts.map((text) => ({ value: text })),
    fc
      .tuple(texts, texts)
      .map(([one, other]) => ({ value: one, multiValue: [{ value: one }, { value: other }] })),
  );

const requests = (token: string, authorization: string): fc.Arbitrary<EdgeRequest> => {
  const text = fc.oneof(word, fc.constantFrom(DIGEST, token, NAME, ''));
  const query = fc.dictionary(
    fc.oneof(fc.constantFrom('digest', 'token', 'from', 'mount', '__proto__', 'constructor'), word),
    value(text),
    { maxKeys: 5 },
  );
  const credential = fc.oneof(
    fc.constant(authorization),
    word.map((one) => `Bearer ${one}`),
    fc
      .array(
        word.map((one) => Buffer.from(one).toString('base64url')),
        { maxLength: 4 },
      )
      .map((parts) => `Bearer ${parts.join('.')}`),
    fc.json().map((one) => `Bearer ${Buffer.from(one).toString('base64url')}.e30.`),
    word,
  );
  const length = fc.oneof(
    fc.nat(2 ** 30),
    fc.constantFrom(4 * 1024 ** 2 + 1, 5 * 1024 ** 3, 5 * 1024 ** 3 + 1),
  );
  const headers = fc.record(
    {
      authorization: credential,
      'content-length': length.map(String),
      'transfer-encoding': fc.constant('chunked'),
      'content-range': word,
      'user-agent': fc.oneof(word, fc.constantFrom('docker/29', 'skopeo/1', 'crane/1')),
      'x-amz-copy-source': word,
      'x-stowage-created': word,
    },
    { requiredKeys: [] },
  );
  return fc
    .record({ method: fc.constantFrom(...METHODS), uri, querystring: query, headers })
    .map((request) => ({ ...request, headers: valuesOf({ host: HOST, ...request.headers }), cookies: {} }));
};

function valuesOf(headers: Record<string, string | undefined>): EdgeValues {
  const given = Object.entries(headers).filter((one): one is [string, string] => one[1] !== undefined);
  return Object.fromEntries(given.map(([name, text]) => [name, { value: text }]));
}

async function holds(door: EdgeFunctions, request: EdgeRequest): Promise<void> {
  const outcome = await door.viewerRequest(structuredClone(request), VIEWER);
  if (outcome.is === 'response') {
    expect(STATUSES).toContain(outcome.response.statusCode);
    expect(errorOf(outcome.response).message).not.toBe('');
    return;
  }
  const { headers, uri: path } = outcome.request;
  if (outcome.origin === 'blobs') expect(path).toMatch(/^\/blobs\/[0-9a-f-]{36}$/);
  if (outcome.origin === 'blobs') expect(headers).not.toHaveProperty('x-amz-copy-source');
  else expect(headers).not.toHaveProperty('x-stowage-created');
}

it.each([false, true])(
  'whatever is sent, the function answers an error or passes the request on (stream host: %s)',
  async (stream) => {
    const door = await openDoor({ settings: { stream } });
    const all = requests(await uploadToken(), await bearer());
    await fc.assert(
      fc.asyncProperty(all, (request) => holds(door, request)),
      { numRuns: 1000 },
    );
  },
);

it('whatever is answered, the viewer gets an answer', async () => {
  const door = await openDoor();
  const answers = fc.record({
    statusCode: fc.constantFrom(200, 201, 204, 206, 301, 304, 307),
    headers: fc.dictionary(
      fc.constantFrom('etag', 'x-amz-id-2', 'content-type', 'content-length', 'location', 'x-cache'),
      word.map((text) => ({ value: text })),
    ),
  });
  const asked = requests('', '').chain((request) =>
    fc.record({
      request: fc.constant(request),
      uri: fc.oneof(
        uri,
        word.map((one) => `/blobs/${one}`),
      ),
      response: answers,
    }),
  );
  await fc.assert(
    fc.asyncProperty(asked, async ({ request, uri: path, response }) => {
      const answer = await door.viewerResponse({ ...request, uri: path }, response);
      expect(answer.headers['content-length']).toEqual(response.headers['content-length']);
    }),
    { numRuns: 500 },
  );
});
