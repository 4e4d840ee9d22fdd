import { createHmac } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { type KeyRing, newSigningKey } from '../../functions/auth/signing-keys.ts';
import { UPLOAD_TOKEN_SECONDS } from '../../functions/limits.ts';
import type { EdgeFunctions } from '../aws/front/runtime.ts';
import {
  ALICE,
  bearer,
  blobPut,
  DIGEST,
  errorOf,
  MIB,
  NAME,
  NEWER,
  NOW,
  OBJECT,
  OLDER,
  openDoor,
  passedOn,
  responseOf,
  SESSION,
  signer,
  told,
  uploadToken,
  VIEWER,
} from './door.ts';

const SIZE = 40 * MIB;
const FORGED: KeyRing = [{ ...NEWER, secret: new Uint8Array(32) }];

let door: EdgeFunctions;

beforeAll(async () => {
  door = await openDoor();
});

type Put = Partial<Parameters<typeof blobPut>[0]>;

const put = async (options: Put) => door.viewerRequest(await blobPut({ size: SIZE, ...options }), VIEWER);

it.each([
  ['newer', [NEWER]],
  ['older', [OLDER]],
] as const)('a token signed with the %s key is taken', async (_, ring) => {
  expect(signer(ring)).toBe(ring[0].id);
  const { uri } = passedOn(await put({ token: await uploadToken({ ring }) }));
  expect(uri).toBe(`/blobs/${OBJECT}`);
});

it.each([
  ['another parameter before it', (token: string) => `ns=docker.io&digest=${DIGEST}&token=${token}`],
  ['the digest not escaped', (token: string) => `token=${token}&digest=${DIGEST}`],
  [
    'the digest escaped in lower case',
    (token: string) => `token=${token}&digest=${DIGEST.replace(':', '%3a')}`,
  ],
  ['the token twice', (token: string) => `token=${token}&token=${token}&digest=${DIGEST}`],
])('a token is found with %s', async (_, queryOf) => {
  expect(told(await put({ query: queryOf(await uploadToken()) }))).toBe('→ blobs');
});

it.each([
  ['forged', { ring: FORGED }],
  ['of an unknown key', { ring: [newSigningKey(0)] }],
  ['of another repository', { repository: 'team/other' }],
  ['of another upload', { session: '0b1c7f5e-8a52-4f0b-9f0e-000000000000' }],
  ['of another user', { principal: 'user:mallory' }],
])('a token %s is refused', async (_, grant) => {
  expect(told(await put({ token: await uploadToken(grant) }))).toBe('403 DENIED');
});

it.each([
  ['the key', (parts: string[]) => [OLDER.id, ...parts.slice(1)]],
  ['a later end', ([id, , object, mac]: string[]) => [id, `${NOW}`, object, mac]],
  ['another object', ([id, expires, , mac]: string[]) => [id, expires, 'other', mac]],
  [
    'an object outside of the blobs',
    ([id, expires, , mac]: string[]) => [id, expires, '../manifests/x', mac],
  ],
  ['no MAC', (parts: string[]) => [...parts.slice(0, 3), '']],
  ['a shorter MAC', (parts: string[]) => [...parts.slice(0, 3), parts[3]?.slice(0, -1)]],
  ['a longer MAC', (parts: string[]) => [...parts.slice(0, 3), `${parts[3]}A`]],
  ['one part less', (parts: string[]) => parts.slice(0, 3)],
  ['one part more', (parts: string[]) => [...parts, 'x']],
  ['nothing but dots', () => ['', '', '', '']],
])('a token changed to %s is refused', async (_, change) => {
  const token = change((await uploadToken()).split('.')).join('.');
  expect(told(await put({ token }))).toBe('403 DENIED');
});

it('an access token is no upload token, nor the other way round', async () => {
  const [, jwt = ''] = (await bearer()).split(' ');
  const [head = '', claims = '', mac = ''] = jwt.split('.');
  expect(told(await put({ token: [NEWER.id, head, claims, mac].join('.') }))).toBe('403 DENIED');
  const authorization = `Bearer ${await uploadToken()}`;
  expect(told(await put({ headers: { authorization } }))).toBe('401 UNAUTHORIZED');
});

it.each([
  ['has expired', async () => uploadToken({ now: NOW - UPLOAD_TOKEN_SECONDS * 1000 })],
  ['is missing', async () => ''],
])('where the token %s, the client is told to begin again', async (_, token) => {
  const response = responseOf(await put({ token: await token() }));
  expect(response.statusCode).toBe(400);
  expect(errorOf(response)).toMatchObject({
    code: 'BLOB_UPLOAD_INVALID',
    message: expect.stringContaining('start the upload again'),
  });
});

it('a token is good until its end', async () => {
  const token = await uploadToken({ now: NOW - UPLOAD_TOKEN_SECONDS * 1000 + 1000 });
  expect(told(await put({ token }))).toBe('→ blobs');
});

it.each([
  ['another repository', `/v2/team/other/blobs/uploads/${SESSION}`],
  ['another upload', `/v2/${NAME}/blobs/uploads/0b1c7f5e-8a52-4f0b-9f0e-000000000000`],
])('a token does not fit a path of %s', async (_, path) => {
  const authorization = await bearer({ repository: 'team/other' });
  const outcome = await put({ path, headers: path.includes('other') ? { authorization } : {} });
  expect(told(outcome)).toBe('403 DENIED');
});

it.each([
  ['object=other', 'key=blobs/other'],
  ['uploadId=x', 'partNumber=1'],
  ['X-Amz-Signature=x', 'acl'],
])('no parameter beside the token names another object (%s&%s)', async (one, other) => {
  const query = `${one}&${other}&token=${await uploadToken()}&digest=${DIGEST}`;
  const { uri, querystring } = passedOn(await put({ query }));
  expect({ uri, querystring }).toEqual({ uri: `/blobs/${OBJECT}`, querystring: {} });
});

it.each([
  `/v2/${NAME}/blobs/uploads/${SESSION}/../../../../blobs/other`,
  `/v2/${NAME}/blobs/uploads/${SESSION}%2F..%2Fother`,
  `/v2/${NAME}/../other/blobs/uploads/${SESSION}`,
  `/blobs/${OBJECT}`,
  `//v2/${NAME}/blobs/uploads/${SESSION}`,
])('the path %s leads to no object', async (path) => {
  expect(told(await put({ path }))).not.toBe('→ blobs');
});

it('an escaped path is the path it stands for', async () => {
  const path = `/v2/${NAME.replace('/', '%2F')}/blobs/uploads/${SESSION}`;
  expect(told(await put({ path }))).toBe('→ blobs');
});

it('whoever may not push into the repository is sent for another access token', async () => {
  const readers = [await bearer({ actions: ['pull'] }), await bearer({ repository: 'team/other' })];
  for (const authorization of readers) {
    const { statusCode, headers } = responseOf(await put({ headers: { authorization } }));
    expect(statusCode).toBe(401);
    expect(headers['www-authenticate']?.value).toContain(
      `scope="repository:${NAME}:pull,push",error="insufficient_scope"`,
    );
  }
});

it('a key that the edge does not know yet puts a direct upload off; anything else is for Lambda to judge', async () => {
  const ring = [newSigningKey(0)];
  const authorization = await bearer({ ring });
  const token = await uploadToken({ ring });
  expect(told(await put({ token, headers: { authorization } }))).toBe('503 UNAVAILABLE');
  const small = await blobPut({ size: 1000, token, headers: { authorization } });
  expect(told(await door.viewerRequest(small, VIEWER))).toBe('→ api');
});

it('the MAC is the one of the contract', async () => {
  const expires = Math.floor(NOW / 1000) + 60;
  const text = ['upload', NAME, SESSION, `blobs/${OBJECT}`, expires, ALICE].join('\n');
  const mac = createHmac('sha256', NEWER.secret).update(text).digest('base64url');
  expect(told(await put({ token: [NEWER.id, expires, OBJECT, mac].join('.') }))).toBe('→ blobs');
});

describe('a token of a quota', () => {
  const limited = (most: number, until = NOW + 60_000) => uploadToken({ direct: { most, until } });

  it('takes what it is for, and not a byte more', async () => {
    const token = await limited(SIZE);
    expect(told(await put({ token }))).toBe('→ blobs');
    const larger = await put({ token, size: SIZE + 1 });
    expect(told(larger)).toBe('403 DENIED');
    expect(errorOf(responseOf(larger)).message).toBe('a quota has no room for this layer');
  });

  it('sends a larger layer to the stream host, where there is one', async () => {
    const full = await openDoor({ settings: { streamHost: true } });
    const request = await blobPut({ size: SIZE, token: await limited(0) });
    expect(told(await full.viewerRequest(request, VIEWER))).toBe('→ stream');
  });

  it('ends when the quota says so, and cannot be made larger', async () => {
    expect(told(await put({ token: await limited(SIZE, NOW - 1000) }))).toBe('400 BLOB_UPLOAD_INVALID');
    const [id, bounds, object, mac] = (await limited(SIZE - 1)).split('.');
    const [expires] = (bounds ?? '').split('-');
    for (const changed of [`${expires}`, `${expires}-${SIZE}`, `${expires}-`])
      expect(told(await put({ token: [id, changed, object, mac].join('.') }))).toBe('403 DENIED');
  });
});
