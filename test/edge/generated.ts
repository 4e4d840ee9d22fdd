import fc from 'fast-check';
import type { EdgeRequest, EdgeValues } from '../aws/front/edge-event.ts';
import { DIGEST, HOST, NAME, SESSION } from './door.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

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

/** Requests of all kinds, good and bad, some with these credentials. */
export const requests = (token: string, authorization: string): fc.Arbitrary<EdgeRequest> => {
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
  const anything = fc.record({ method: fc.constantFrom(...METHODS), uri, querystring: query, headers });
  return fc
    .oneof({ arbitrary: anything, weight: 4 }, { arbitrary: blobPuts(token, authorization), weight: 1 })
    .map((request) => ({ ...request, headers: valuesOf({ host: HOST, ...request.headers }), cookies: {} }));
};

/** Blobs in one PUT, most of them as they should be. */
const blobPuts = (token: string, authorization: string) =>
  fc.record({
    method: fc.constantFrom('PUT', 'PUT', 'PATCH'),
    uri: fc.constant(`/v2/${NAME}/blobs/uploads/${SESSION}`),
    querystring: fc.constant({ digest: { value: DIGEST }, token: { value: token } }),
    headers: fc.record({
      authorization: fc.constant(authorization),
      'content-length': fc.constantFrom(100, 5e6, 5e9, 6e9).map(String),
    }),
  });

function valuesOf(headers: Record<string, string | undefined>): EdgeValues {
  const given = Object.entries(headers).filter((one): one is [string, string] => one[1] !== undefined);
  return Object.fromEntries(given.map(([name, text]) => [name, { value: text }]));
}

const answers = fc.record({
  statusCode: fc.constantFrom(200, 201, 204, 206, 301, 304, 307),
  headers: fc.dictionary(
    fc.constantFrom('etag', 'x-amz-id-2', 'content-type', 'content-length', 'location', 'x-cache'),
    word.map((text) => ({ value: text })),
  ),
});

/** Answers of an origin, and the requests that they are to. */
export const answered = requests('', '').chain((request) =>
  fc.record({
    request: fc.constant(request),
    uri: fc.oneof(
      uri,
      word.map((one) => `/blobs/${one}`),
    ),
    response: answers,
  }),
);
