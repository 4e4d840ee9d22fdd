import { beforeAll, expect, it } from 'vitest';
import type { App } from '../../functions/app.ts';
import { newSigningKey } from '../../functions/auth/signing-keys.ts';
import { ENDPOINTS } from '../auth/endpoints.ts';
import { openWorld } from '../auth/world.ts';
import type { EdgeFunctions } from '../aws/front/runtime.ts';
import {
  bearer,
  errorOf,
  HOST,
  NAME,
  NOW,
  openDoor,
  RING,
  requestOf,
  responseOf,
  SESSION,
  told,
  VIEWER,
} from './door.ts';

let door: EdgeFunctions;

beforeAll(async () => {
  door = await openDoor();
});

const ROUTES = Object.entries(ENDPOINTS)
  .map(([route, { send }]) => [route.split(' ')[0] ?? '', send(NAME)] as const)
  .filter(([, target]) => target.startsWith('/v2'));

const ELSEWHERE = [
  ['GET', '/v2'],
  ['HEAD', '/v2/'],
  ['POST', '/v2/'],
  ['HEAD', '/v2/_catalog'],
  ['GET', '/v2/_catalog/'],
  ['GET', `/v2/${NAME}`],
  ['POST', `/v2/${NAME}/blobs/uploads`],
  ['POST', `/v2/${NAME}/blobs/uploads/?mount=x&from=team/base`],
  ['POST', `/v2/${NAME}/blobs/uploads/?from=team%2Fbase`],
  ['POST', `/v2/${NAME}/blobs/uploads/?from=${NAME}`],
  ['POST', `/v2/${NAME}/blobs/uploads/?from=Not_A_Name`],
  ['POST', `/v2/${NAME}/blobs/uploads/?from=one&from=two`],
  ['GET', `/v2/${NAME}/manifests/v1?from=team/base`],
  ['PUT', `/v2/${NAME}/blobs/uploads/`],
  ['HEAD', `/v2/${NAME}/blobs/uploads/${SESSION}`],
  ['POST', `/v2/${NAME}/blobs/uploads/${SESSION}`],
  ['OPTIONS', `/v2/${NAME}/blobs/uploads/${SESSION}`],
  ['GET', `/v2/${NAME}/tags/`],
  ['GET', `/v2/${NAME}/tags/other`],
  ['HEAD', `/v2/${NAME}/tags/list`],
  ['PUT', `/v2/${NAME}/blobs/sha256:abc`],
  ['POST', `/v2/${NAME}/manifests/v1`],
  ['GET', '/v2/UPPER/manifests/v1'],
  ['GET', `/v2/${'a'.repeat(256)}/manifests/v1`],
  ['GET', '/v2/a..b/manifests/v1'],
  ['GET', '/v2/a__b/c-d/e.f/manifests/v1'],
  ['GET', '/v2/manifests/manifests/manifests/v1'],
  ['GET', '/v2/a/blobs/uploads/blobs/sha256:abc'],
  ['GET', '/v2/%zz/manifests/v1'],
  ['GET', '/v2/team%2Fapp/manifests/v1'],
  ['GET', '/v2/a%0Ab/manifests/v1'],
  ['GET', '/'],
  ['GET', '/nowhere'],
] as const;

interface Refusal {
  readonly status: number;
  readonly challenge: string | undefined;
  readonly code: string;
  readonly message: string;
}

/** The 401 that the registry itself gives; `undefined` where it answers otherwise. */
async function refusalOf(app: App, method: string, target: string, headers: Record<string, string>) {
  const request = new Request(`https://${HOST}${target}`, { method, headers: { host: HOST, ...headers } });
  const response = await app(request, { address: VIEWER.ip, scheme: 'https' });
  if (response.status !== 401) return undefined;
  const { errors } = (await response.json()) as { errors: [{ code: string; message: string }] };
  const challenge = response.headers.get('www-authenticate') ?? undefined;
  return { status: response.status, challenge, ...errors[0] };
}

async function refusalAtEdge(
  method: string,
  target: string,
  headers: Record<string, string>,
): Promise<Refusal | undefined> {
  const outcome = await door.viewerRequest(requestOf(method, target, headers), VIEWER);
  if (outcome.is === 'request') return undefined;
  const { statusCode: status, headers: given } = outcome.response;
  return { status, challenge: given['www-authenticate']?.value, ...errorOf(outcome.response) };
}

const CREDENTIALS: Record<string, Record<string, string>> = {
  nothing: {},
  'a password': { authorization: 'Basic YWxpY2U6c2VjcmV0' },
  'an unknown scheme': { authorization: 'Negotiate abc' },
  'a word': { authorization: 'Bearer' },
  'no token': { authorization: 'Bearer abc' },
};

it.each([...ROUTES, ...ELSEWHERE])(
  '%s %s without a token is refused as by the registry, or left to it',
  async (method, target) => {
    const { app } = await openWorld();
    for (const [given, headers] of Object.entries(CREDENTIALS)) {
      const expected = await refusalOf(app, method, target, headers);
      expect(await refusalAtEdge(method, target, headers), given).toEqual(expected);
    }
  },
);

it.each([
  ['/api/v1/users', 'GET'],
  ['/token', 'GET'],
  ['/token', 'POST'],
  ['/blobs/x', 'GET'],
])('%s is for the registry to answer, whatever is in the headers', async (target, method) => {
  for (const headers of Object.values(CREDENTIALS)) {
    expect(told(await door.viewerRequest(requestOf(method, target, headers), VIEWER))).toBe('→ api');
  }
});

const MINUTE = 60_000;
const segment = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

async function altered(change: (parts: string[]) => (string | undefined)[]): Promise<string> {
  const [, token = ''] = (await bearer()).split(' ');
  return `Bearer ${change(token.split('.')).join('.')}`;
}

it.each([
  ['a wrong MAC', () => altered(([head, claims]) => [head, claims, 'A'.repeat(43)])],
  ['other claims', () => altered(([head, , mac]) => [head, segment({ sub: 'user:root' }), mac])],
  ['no MAC', () => altered(([head, claims]) => [head, claims, ''])],
  ['two parts', () => altered((parts) => parts.slice(0, 2))],
  ['alg none', () => altered(([, claims]) => [segment({ alg: 'none', kid: RING[0]?.id }), claims, ''])],
  [
    'alg HS512',
    () => altered(([, claims, mac]) => [segment({ alg: 'HS512', kid: RING[0]?.id }), claims, mac]),
  ],
  ['a header that is a number', () => altered(([, claims, mac]) => [segment(5), claims, mac])],
  ['a header that is null', () => altered(([, claims, mac]) => [segment(null), claims, mac])],
])('a token with %s is refused as not valid', async (_, token) => {
  const { statusCode, headers, ...rest } = responseOf(
    await door.viewerRequest(requestOf('GET', '/v2/', { authorization: await token() }), VIEWER),
  );
  expect(statusCode).toBe(401);
  expect(headers['www-authenticate']?.value).toBe(
    `Bearer realm="https://${HOST}/token",service="stowage",error="invalid_token"`,
  );
  expect(errorOf({ statusCode, headers, ...rest }).message).toBe('the access token is not valid');
});

it.each([
  [15 * MINUTE, '→ api'],
  [15 * MINUTE + 4_000, '→ api'],
  [15 * MINUTE + 6_000, '401 UNAUTHORIZED'],
])('a token of %i ms ago: %s', async (age, outcome) => {
  const authorization = await bearer({ now: NOW - age });
  expect(told(await door.viewerRequest(requestOf('GET', '/v2/', { authorization }), VIEWER))).toBe(outcome);
});

it('an expired token is refused as expired', async () => {
  const request = requestOf('GET', '/v2/', { authorization: await bearer({ now: NOW - 20 * MINUTE }) });
  const response = responseOf(await door.viewerRequest(request, VIEWER));
  expect(errorOf(response).message).toBe('the access token has expired');
});

it('a token of a key that the edge does not know is for Lambda to judge', async () => {
  const authorization = await bearer({ ring: [newSigningKey(0)] });
  expect(told(await door.viewerRequest(requestOf('GET', '/v2/', { authorization }), VIEWER))).toBe('→ api');
});

it.each(['images.example.org', 'd111111abcdef8.cloudfront.net'])(
  'clients are sent to log in where they are, which exists: %s',
  async (host) => {
    const response = responseOf(await door.viewerRequest(requestOf('GET', '/v2/', { host }), VIEWER));
    expect(response.headers['www-authenticate']?.value).toBe(
      `Bearer realm="https://${host}/token",service="stowage"`,
    );
  },
);
