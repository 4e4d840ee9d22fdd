import fc from 'fast-check';
import { blob, config, image, index, layer, manifestOf, OCI_INDEX, OCI_MANIFEST } from '../wire/content.ts';

/** The repository that the generated requests mostly meet, and what is in it. */
export const REPOSITORY = 'fuzz/image';
export const TAG = 'v1';
export const MANIFEST = image();
export const INDEX = index([MANIFEST]);

/** A request in a form that fast-check can shrink and print. */
export interface GeneratedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer> | undefined;
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
const oddMethod = fc.constantFrom('OPTIONS', 'PROPFIND', 'get', 'X', 'QUERY');

const percent = fc.constantFrom(
  '%',
  '%2F',
  '%2f',
  '%00',
  '%zz',
  '%',
  '%ff%fe',
  '%C0%AF',
  '%25',
  '+',
  '%20',
  '%3A',
);
const weird = fc.constantFrom(
  '.',
  '..',
  '',
  ' ',
  ':',
  '@',
  '~',
  ';',
  '"',
  '<',
  '{}',
  '\\',
  'é',
  '💾',
  '*',
  '|',
  '\t',
);
const garbage = fc
  .array(fc.oneof(percent, weird, fc.string({ maxLength: 6 })), { maxLength: 4 })
  .map((parts) => parts.join(''));

const name = fc.oneof(
  { weight: 4, arbitrary: fc.constant(REPOSITORY) },
  fc.constantFrom(
    'fuzz/unknown',
    'a',
    'A',
    '-a',
    'a//b',
    'a/',
    'a__b',
    'a___b',
    '_catalog',
    'tags/list',
    'blobs/uploads',
  ),
  fc.integer({ min: 200, max: 5000 }).map((length) => 'n'.repeat(length)),
  garbage,
);

const knownDigests = [layer, config, MANIFEST, INDEX].map(({ digest }) => digest);
const algorithmName = fc.constantFrom(
  'sha256',
  'sha512',
  'sha384',
  'md5',
  'SHA256',
  'sha256+b64',
  '',
  'constructor',
  '__proto__',
);

const digest = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...knownDigests) },
  fc
    .tuple(algorithmName, fc.oneof(fc.constantFrom('a'.repeat(64), 'b'.repeat(128), 'A'.repeat(64)), garbage))
    .map(([algorithm, encoded]) => `${algorithm}:${encoded}`),
  fc.constantFrom(...knownDigests).map((known) => encodeURIComponent(known)),
  garbage,
);

const reference = fc.oneof(
  fc.constantFrom(TAG, 'list', 'unknown', '.bad', 't'.repeat(129), '__proto__'),
  digest,
);

/** `{upload}` stands for the path of an upload that the test has started. */
const uploadPath = fc.oneof(
  { weight: 3, arbitrary: fc.constant('{upload}') },
  name.map((repository) => `/v2/${repository}/blobs/uploads/00000000-0000-4000-8000-000000000000`),
  fc.tuple(name, garbage).map(([repository, id]) => `/v2/${repository}/blobs/uploads/${id}`),
);

/** The endpoints, each with the methods it has. */
const endpoint = fc.oneof(
  on(
    ['GET', 'HEAD', 'DELETE'],
    fc.tuple(name, digest).map(([repository, value]) => `/v2/${repository}/blobs/${value}`),
  ),
  on(
    ['GET', 'HEAD', 'PUT', 'PUT', 'PUT', 'DELETE'],
    fc.tuple(name, reference).map(([repository, value]) => `/v2/${repository}/manifests/${value}`),
  ),
  on(
    ['GET'],
    fc.tuple(name, digest).map(([repository, value]) => `/v2/${repository}/referrers/${value}`),
  ),
  on(
    ['GET'],
    name.map((repository) => `/v2/${repository}/tags/list`),
  ),
  on(['GET'], fc.constantFrom('/v2/', '/v2', '/v2/_catalog')),
  on(
    ['POST'],
    name.map((repository) => `/v2/${repository}/blobs/uploads/`),
  ),
  on(['PATCH', 'PATCH', 'PUT', 'GET', 'DELETE'], uploadPath),
);

function on(methods: readonly string[], paths: fc.Arbitrary<string>) {
  return fc.record({ method: fc.constantFrom(...methods), path: paths });
}

const nowhere = fc.oneof(
  fc.constantFrom('/', '/v2//', '/v1/', '/v2/%', '/v2/tags/list', '/favicon.ico', '/v2/x'),
  garbage.map((rest) => `/v2/${rest}`),
  garbage.map((rest) => `/${rest}`),
);

/** Mostly an endpoint by one of its methods, else anything by anything. */
const line = fc.oneof(
  { weight: 5, arbitrary: endpoint },
  fc.record({
    method: fc.oneof(fc.constantFrom(...METHODS), oddMethod),
    path: fc.oneof(
      nowhere,
      endpoint.map(({ path }) => path),
    ),
  }),
);

const parameterName = fc.constantFrom(
  'digest',
  'digest-algorithm',
  'mount',
  'from',
  'tag',
  'n',
  'last',
  'artifactType',
  'ns',
  'x',
  '__proto__',
  '',
);

const parameterValue = fc.oneof(
  digest,
  name,
  fc.constantFrom('0', '1', '-1', '1e9', '9'.repeat(30), 'NaN', 'sha512', 'sha256', 'md5', '%', ''),
  garbage,
);

const query = fc
  .array(fc.tuple(parameterName, parameterValue, fc.boolean()), { maxLength: 5 })
  .map((parameters) =>
    parameters.map(([key, value, encoded]) => `${key}=${encoded ? encodeLoosely(value) : value}`).join('&'),
  );

/** As `encodeURIComponent`, which refuses half a surrogate pair. */
function encodeLoosely(value: string): string {
  return encodeURIComponent(value.toWellFormed());
}

const position = fc.oneof(fc.nat(30), fc.constantFrom(-1, 2 ** 31, 2 ** 53, 1e21));
const span = fc.tuple(position, position).map(([from, to]) => `${from}-${to}`);

const headerValues = {
  Range: fc.oneof(
    span.map((value) => `bytes=${value}`),
    fc.constantFrom('bytes=-', 'bytes=-0', 'bytes=--1', 'x=1-2', 'bytes=0-0,1-1'),
  ),
  'Content-Range': fc.oneof(
    span,
    span.map((value) => `bytes ${value}/*`),
    fc.constantFrom('', '-', 'a-b', '1-', `0-${'9'.repeat(400)}`),
  ),
  'Content-Length': fc.oneof(
    position.map(String),
    fc.constantFrom('', '-5', '1e3', '0x10', 'many', '9'.repeat(40)),
  ),
  'Content-Type': fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(OCI_MANIFEST, OCI_INDEX, MANIFEST.mediaType) },
    fc.constantFrom('application/octet-stream', '', ';', 'a/b;c', `${OCI_MANIFEST}; charset="`, '__proto__'),
  ),
  'If-None-Match': fc.oneof(
    fc.constantFrom(...knownDigests).map((known) => `"${known}"`),
    fc.constantFrom('*', '"', 'W/', ',,'),
  ),
  Accept: fc.constantFrom('*/*', '', 'text/html;q=x'),
  Authorization: fc.constantFrom('Bearer', 'Basic !!!', 'Basic Og==', 'Bearer a.b.c', ''),
  Host: fc.constantFrom('', 'a b', '[::', 'registry.test:99999'),
};

const header = fc.oneof(
  ...Object.entries(headerValues).map(([key, values]) =>
    values.map((value): [string, string] => [key, value]),
  ),
);

/** Few at a time, so that one that is refused does not hide the others. */
const headers = fc
  .tuple(headerValues['Content-Type'], fc.array(header, { maxLength: 2 }))
  .map(([type, others]): Record<string, string> => ({ 'Content-Type': type, ...Object.fromEntries(others) }));

const VALID_MANIFESTS: readonly object[] = [MANIFEST, INDEX].map(
  ({ bytes }) => JSON.parse(Buffer.from(bytes).toString()) as object,
);

/** A valid manifest in which one value, at any depth, is replaced, removed or wrapped. */
export const mutatedManifest = fc
  .tuple(
    fc.constantFrom(...VALID_MANIFESTS),
    fc.nat(60),
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom('replace', 'remove', 'wrap', 'add'),
  )
  .map(([manifest, at, value, how]) => {
    const changed = mutate(
      manifest,
      { left: at },
      (old) => ({ replace: value, remove: undefined, wrap: [old], add: old })[how],
    );
    return JSON.stringify(how === 'add' ? { ...(changed as object), [`x${at}`]: value } : changed) ?? '';
  });

/** Applies `change` to the value that a depth-first walk meets at `place.left`. */
function mutate(value: unknown, place: { left: number }, change: (old: unknown) => unknown): unknown {
  if (place.left-- === 0) return change(value);
  if (Array.isArray(value)) return value.map((item) => mutate(item, place, change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mutate(item, place, change)]));
}

const text = (value: string) => manifestOf(value).bytes;

const body = fc.oneof(
  fc.constant(undefined),
  fc.constantFrom(MANIFEST.bytes, INDEX.bytes, layer.bytes, config.bytes, new Uint8Array()),
  mutatedManifest.map(text),
  fc.json().map(text),
  fc
    .tuple(fc.constantFrom('[', '{"a":', '{"config":'), fc.integer({ min: 1, max: 20_000 }))
    .map(([piece, times]) => text(piece.repeat(times))),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => blob(bytes).bytes),
);

/** Nothing in a request need fit together, and much of it does. */
export const request: fc.Arbitrary<GeneratedRequest> = fc
  .record({ line, query: fc.oneof(fc.constant(''), query), headers, body })
  .map(({ line: { method, path }, query: parameters, ...rest }) => ({
    method,
    path: parameters === '' ? path : `${path}?${parameters}`,
    headers: rest.headers,
    body: ['GET', 'HEAD', 'get'].includes(method) ? undefined : rest.body,
  }));
