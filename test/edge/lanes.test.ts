import { beforeAll, expect, it } from 'vitest';
import { FRONT_HEADERS } from '../../functions/environment.ts';
import { MAX_DIRECT_BYTES, MAX_INLINE_BYTES } from '../../functions/limits.ts';
import type { EdgeFunctions } from '../aws/front/runtime.ts';
import {
  bearer,
  blobPut,
  DIGEST,
  errorOf,
  HEX,
  HOST,
  MIB,
  NAME,
  OBJECT,
  openDoor,
  passedOn,
  requestOf,
  responseOf,
  SESSION,
  told,
  VIEWER,
} from './door.ts';

const GIB = 1024 * MIB;
const SHA512 = `sha512:${'d'.repeat(128)}`;
const UPLOADS = `/v2/${NAME}/blobs/uploads/`;
const UPLOAD = `${UPLOADS}${SESSION}`;
const DOCKER = 'docker/29.7.2 go/go1.25 os/linux arch/amd64 UpstreamClient(Docker-Client/29.7.2)';
const DOCKER_CONTAINERD = `${DOCKER} containerd-client/2.3.3 storage-driver/overlayfs`;

let door: EdgeFunctions;
let streaming: EdgeFunctions;
let authorization: string;

beforeAll(async () => {
  door = await openDoor();
  streaming = await openDoor({ settings: { streamHost: true } });
  authorization = await bearer();
});

const chunked = { 'transfer-encoding': 'chunked' };
const long = (length: number) => ({ 'content-length': length });

/** Request, and where it goes without and with a stream host. */
const LANES: readonly [string, string, Record<string, string | number>, string, string][] = [
  ['GET', `/v2/${NAME}/manifests/v1`, {}, '→ api', '→ api'],
  ['HEAD', `/v2/${NAME}/blobs/${DIGEST}`, {}, '→ api', '→ api'],
  ['POST', UPLOADS, {}, '→ api', '→ api'],
  ['POST', UPLOADS, long(0), '→ api', '→ api'],
  ['POST', `${UPLOADS}?digest=${DIGEST}`, long(MAX_INLINE_BYTES), '→ api', '→ api'],
  ['POST', `${UPLOADS}?digest=${DIGEST}`, long(MAX_INLINE_BYTES + 1), '413 DENIED', '→ stream'],
  ['POST', `${UPLOADS.slice(0, -1)}?digest=${DIGEST}`, long(5 * MIB), '413 DENIED', '→ stream'],
  ['PATCH', UPLOAD, long(1000), '→ api', '→ api'],
  ['PATCH', UPLOAD, long(MAX_INLINE_BYTES), '→ api', '→ api'],
  ['PATCH', UPLOAD, long(MAX_INLINE_BYTES + 1), '413 DENIED', '→ stream'],
  ['PATCH', UPLOAD, { ...long(100 * MIB), 'user-agent': 'skopeo/1.22.0' }, '413 DENIED', '→ stream'],
  ['PATCH', UPLOAD, chunked, '→ api', '→ stream'],
  ['PATCH', UPLOAD, {}, '→ api', '→ stream'],
  ['PATCH', UPLOAD, { ...chunked, 'user-agent': DOCKER }, '413 DENIED', '→ stream'],
  ['PATCH', UPLOAD, { ...chunked, 'user-agent': DOCKER_CONTAINERD }, '→ api', '→ stream'],
  ['PATCH', UPLOAD, { ...chunked, 'user-agent': 'skopeo/1.22.0' }, '413 DENIED', '→ stream'],
  ['PATCH', UPLOAD, { ...chunked, 'user-agent': 'containers/5.39.2 (x)' }, '413 DENIED', '→ stream'],
  ['PATCH', UPLOAD, { ...chunked, 'user-agent': 'Buildah/1.40' }, '413 DENIED', '→ stream'],
  ['PATCH', UPLOAD, { ...chunked, 'user-agent': 'crane/0.20.7' }, '413 DENIED', '→ stream'],
  ['PATCH', UPLOAD, { ...chunked, 'user-agent': 'ko/0.18' }, '413 DENIED', '→ stream'],
  ['PATCH', UPLOAD, { ...chunked, 'user-agent': 'kaniko/1.24' }, '413 DENIED', '→ stream'],
  [
    'PATCH',
    UPLOAD,
    { ...chunked, 'user-agent': 'cosign/3.1 go-containerregistry' },
    '413 DENIED',
    '→ stream',
  ],
  ['PATCH', UPLOAD, { ...chunked, 'user-agent': 'jib 3.4.6 jib-maven-plugin' }, '413 DENIED', '→ stream'],
  ['PATCH', UPLOAD, { ...chunked, 'user-agent': 'a-tool-of-tomorrow/1.0' }, '413 DENIED', '→ stream'],
  ['PATCH', UPLOAD, { ...chunked, 'user-agent': 'curl/8.14.1' }, '413 DENIED', '→ stream'],
  ['PATCH', UPLOAD, { ...long(1000), 'user-agent': 'a-tool-of-tomorrow/1.0' }, '→ api', '→ api'],
  [
    'PUT',
    `${UPLOAD}?digest=${DIGEST}`,
    { ...chunked, 'user-agent': 'a-tool-of-tomorrow/1.0' },
    '→ api',
    '→ stream',
  ],
  ['PATCH', UPLOAD, { ...chunked, 'user-agent': 'regclient/regctl (v0.11.5)' }, '→ api', '→ stream'],
  ['PUT', `${UPLOAD}?digest=${DIGEST}`, {}, '→ api', '→ stream'],
  ['PUT', `${UPLOAD}?digest=${DIGEST}`, { ...long(0), 'user-agent': DOCKER }, '→ api', '→ api'],
  ['PUT', `${UPLOAD}?digest=${DIGEST}&digest=${DIGEST}`, long(0), '→ api', '→ api'],
  ['PUT', `${UPLOAD}?digest=nonsense`, long(MAX_INLINE_BYTES), '→ api', '→ api'],
  ['PUT', `${UPLOAD}?digest=${SHA512}`, long(5 * MIB), '413 DENIED', '→ stream'],
  ['PUT', `${UPLOAD}?digest=${encodeURIComponent(SHA512)}`, long(5 * MIB), '413 DENIED', '→ stream'],
  ['PUT', `${UPLOAD}?digest=${DIGEST}`, long(MAX_DIRECT_BYTES + 1), '413 DENIED', '→ stream'],
  [
    'PUT',
    `${UPLOAD}?digest=${DIGEST}`,
    { ...long(5 * MIB), 'content-range': '0-5242879' },
    '413 DENIED',
    '→ stream',
  ],
  ['PUT', `${UPLOAD}?digest=${DIGEST}`, long(5 * MIB), '400 BLOB_UPLOAD_INVALID', '400 BLOB_UPLOAD_INVALID'],
  ['PUT', `${UPLOAD}?digest=sha256:abc`, long(5 * MIB), '400 DIGEST_INVALID', '400 DIGEST_INVALID'],
  ['PUT', `${UPLOAD}?digest=sha256:${HEX}0`, long(5 * MIB), '400 DIGEST_INVALID', '400 DIGEST_INVALID'],
  [
    'PUT',
    `${UPLOAD}?digest=${DIGEST.toUpperCase()}`,
    long(5 * MIB),
    '400 DIGEST_INVALID',
    '400 DIGEST_INVALID',
  ],
  ['PUT', `${UPLOAD}?digest=%zz`, long(5 * MIB), '400 DIGEST_INVALID', '400 DIGEST_INVALID'],
  ['PUT', UPLOAD, long(5 * MIB), '400 DIGEST_INVALID', '400 DIGEST_INVALID'],
  [
    'PUT',
    `${UPLOAD}?digest=${DIGEST}&digest=${DIGEST}`,
    long(5 * MIB),
    '400 DIGEST_INVALID',
    '400 DIGEST_INVALID',
  ],
  ['PUT', `/v2/${NAME}/manifests/v1`, long(MAX_INLINE_BYTES), '→ api', '→ api'],
  ['PUT', `/v2/${NAME}/manifests/v1`, long(MAX_INLINE_BYTES + 1), '413 SIZE_INVALID', '413 SIZE_INVALID'],
  ['DELETE', UPLOAD, long(5 * MIB), '413 SIZE_INVALID', '413 SIZE_INVALID'],
  ['POST', '/token', long(5 * MIB), '413 SIZE_INVALID', '413 SIZE_INVALID'],
  ['POST', '/api/v1/users', long(5 * MIB), '413 SIZE_INVALID', '413 SIZE_INVALID'],
  ['POST', '/v2/UPPER/blobs/uploads/', long(5 * MIB), '413 SIZE_INVALID', '413 SIZE_INVALID'],
];

it.each(LANES)('%s %s %j goes: %s; with a stream host: %s', async (method, target, headers, to, streamed) => {
  const request = () => requestOf(method, target, { authorization, ...headers });
  expect(told(await door.viewerRequest(request(), VIEWER))).toBe(to);
  expect(told(await streaming.viewerRequest(request(), VIEWER))).toBe(streamed);
});

it('what goes to a server of ours keeps path, query and headers', async () => {
  const request = requestOf('PATCH', `${UPLOAD}?token=a.b.c.d&x=%2F`, {
    authorization,
    'content-length': 6 * MIB,
    'content-type': 'application/octet-stream',
  });
  const { uri, querystring, headers } = passedOn(await streaming.viewerRequest(request, VIEWER));
  expect({ uri, querystring }).toEqual({ uri: request.uri, querystring: request.querystring });
  expect(headers).toMatchObject(request.headers);
});

it('servers of ours are told who asked and by which host, whatever the client says of it', async () => {
  const request = requestOf('GET', '/token', {
    [FRONT_HEADERS.address]: '1.2.3.4',
    [FRONT_HEADERS.host]: 'elsewhere',
    [FRONT_HEADERS.secret]: 'guess',
    'x-stowage-created': '/v2/x/blobs/y',
    'x-stowage-anything': 'x',
  });
  const { headers } = passedOn(await door.viewerRequest(request, VIEWER));
  expect(headers).toEqual({
    host: { value: HOST },
    [FRONT_HEADERS.address]: { value: VIEWER.ip },
    [FRONT_HEADERS.host]: { value: HOST },
  });
});

it.each([MAX_INLINE_BYTES + 1, MAX_DIRECT_BYTES])(
  'a blob of %i bytes with its digest goes to the store, and nothing else of the request',
  async (size) => {
    const request = await blobPut({ size, headers: { 'user-agent': 'containerd/2.3.4' } });
    const outcome = await door.viewerRequest(request, VIEWER);
    expect(outcome).toEqual({
      is: 'request',
      origin: 'blobs',
      request: {
        method: 'PUT',
        uri: `/blobs/${OBJECT}`,
        querystring: {},
        cookies: {},
        headers: {
          host: { value: HOST },
          'content-length': { value: `${size}` },
          'content-type': { value: 'application/octet-stream' },
          'x-amz-checksum-sha256': { value: Buffer.from(HEX, 'hex').toString('base64') },
          'x-amz-content-sha256': { value: HEX },
          'x-amz-meta-stowage-lane': { value: 'direct' },
          'if-none-match': { value: '*' },
          'x-stowage-created': { value: `/v2/${NAME}/blobs/${DIGEST}` },
        },
      },
    });
  },
);

it('no header of a client reaches the store', async () => {
  const request = await blobPut({
    size: 5 * MIB,
    headers: {
      'x-amz-copy-source': '/bucket/blobs/secret',
      'x-amz-acl': 'public-read',
      'x-amz-checksum-sha256': 'mine',
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-tagging': 'a=b',
      'x-amz-meta-stowage-lane': 'other',
      'content-md5': 'AAAA',
      'content-encoding': 'aws-chunked',
      'content-disposition': 'attachment',
      'if-match': '"a"',
      'cache-control': 'max-age=1',
      cookie: 'a=b',
      via: '1.1 proxy',
    },
  });
  request.cookies = { a: { value: 'b' } };
  const outcome = passedOn(await door.viewerRequest(request, VIEWER));
  expect(Object.keys(outcome.headers).toSorted((one, other) => (one < other ? -1 : 1))).toEqual([
    'content-length',
    'content-type',
    'host',
    'if-none-match',
    'via',
    'x-amz-checksum-sha256',
    'x-amz-content-sha256',
    'x-amz-meta-stowage-lane',
    'x-stowage-created',
  ]);
  expect(outcome.headers['x-amz-meta-stowage-lane']).toEqual({ value: 'direct' });
  expect(outcome.cookies).toEqual({});
});

it.each([
  ['PATCH', 6 * MIB, /containerd image store, containerd, oras, helm or regctl, or .*streamHost=instance/],
  ['PUT', 6 * GIB, /^this registry does not take \d+ bytes like this: deploy .*streamHost=instance/],
] as const)('a refusal of a %s of %i bytes names what helps', async (method, size, cure) => {
  const headers = { authorization, 'content-length': size };
  const request = requestOf(method, `${UPLOAD}?digest=${DIGEST}`, headers);
  const response = responseOf(await door.viewerRequest(request, VIEWER));
  expect(errorOf(response).message).toMatch(cure);
  expect(response.headers).toMatchObject({
    'content-type': { value: 'application/json' },
    'cache-control': { value: 'no-store' },
    'docker-distribution-api-version': { value: 'registry/2.0' },
  });
});

it.each([
  ['is away', async () => Promise.reject(new Error('throttled'))],
  ['has no keys', async () => undefined],
])(
  'where the store of keys %s, what Lambda checks goes on and what it does not is put off',
  async (_, kvs) => {
    const blind = await openDoor({ kvs });
    const go = async (request: ReturnType<typeof requestOf>) =>
      told(await blind.viewerRequest(request, VIEWER));
    expect(await go(requestOf('GET', '/v2/'))).toBe('→ api');
    expect(await go(requestOf('PATCH', UPLOAD, { 'content-length': 10 }))).toBe('→ api');
    expect(await go(requestOf('PATCH', UPLOAD, { 'transfer-encoding': 'chunked' }))).toBe('→ api');
    expect(await go(await blobPut({ size: 5 * MIB }))).toBe('503 UNAVAILABLE');
    expect(await go(requestOf('PATCH', UPLOAD, { 'content-length': 5 * MIB }))).toBe('503 UNAVAILABLE');
  },
);
