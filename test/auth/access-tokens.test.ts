import { createHmac } from 'node:crypto';
import { generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  decodeKeyRing,
  encodeKeyRing,
  KEY_ACTIVATION_MS,
  KEY_ROTATION_MS,
  newSigningKey,
  rotated,
  type SigningKey,
} from '../../functions/auth/signing-keys.ts';
import { TableKeys } from '../../functions/auth/table-keys.ts';
import { signingKeysKey } from '../../functions/registry/keys.ts';
import { setVisibility } from '../../functions/registry/repositories.ts';
import { REPOSITORY } from '../registry/fixture.ts';
import { basic, type Login, openWorld, PRINCIPALS, tokenFor, type World } from './world.ts';

// A bearer token is what the registry has signed for itself of late, and nothing else.

const SCOPE = `repository:${REPOSITORY}:pull,push`;
const PATH = `/v2/${REPOSITORY}/tags/list`;

let world: World;
let robot: Login;
beforeEach(async () => {
  world = await openWorld();
  robot = await PRINCIPALS.robot(world, 'alice', [{ pattern: REPOSITORY, actions: ['push'] }]);
  await setVisibility(world.registry, REPOSITORY, false);
});

const send = (authorization: string, path = PATH) =>
  world.app(new Request(`http://registry.test${path}`, { headers: { Authorization: authorization } }));

const ringOf = async () =>
  decodeKeyRing((await world.registry.table.get(signingKeysKey))?.['ring'] as string);

async function setRing(...ring: readonly SigningKey[]): Promise<void> {
  await world.registry.table.write([{ put: signingKeysKey, attributes: { ring: encodeKeyRing(ring) } }]);
}

async function theKey(): Promise<SigningKey> {
  await new TableKeys(world.registry).keys();
  const [key] = await ringOf();
  if (!key) throw new Error('no key');
  return key;
}

/** What the registry says in a token of the robot's, but for `changes`. */
function claims(changes: JWTPayload = {}): JWTPayload {
  const seconds = Math.floor(world.fixture.clock / 1000);
  return {
    iss: 'stowage',
    aud: 'stowage',
    sub: 'robot:alice',
    cred: 'secret:x',
    access: [{ type: 'repository', name: REPOSITORY, actions: ['pull', 'push'] }],
    iat: seconds,
    nbf: seconds,
    exp: seconds + 900,
    ...changes,
  };
}

/** Signed with the registry's own key, as nobody else can. */
async function signed(payload: JWTPayload, header: object = {}): Promise<string> {
  const { id, secret } = await theKey();
  return new SignJWT(payload)
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT', kid: id, ...header })
    .sign(secret);
}

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

const seconds = () => Math.floor(world.fixture.clock / 1000);

/** Each would be let through if one check were missing. */
const BAD: Readonly<Record<string, () => string | Promise<string>>> = {
  'with a signature of nobody': async () =>
    `${(await signed(claims())).replace(/[^.]*$/, '')}${'A'.repeat(43)}`,
  'without a signature': async () => (await signed(claims())).replace(/[^.]*$/, ''),
  'whose claims were changed': async () => {
    const [header, , signature] = (await signed(claims({ sub: 'user:mallory' }))).split('.');
    return [header, part(claims()), signature].join('.');
  },
  'that has expired': () =>
    signed(claims({ iat: seconds() - 800, nbf: seconds() - 800, exp: seconds() - 60 })),
  'that outlives a quarter of an hour by its own word': () =>
    signed(claims({ iat: seconds() - 1000, nbf: seconds() - 1000, exp: seconds() + 100_000 })),
  'that is not valid yet': () => signed(claims({ nbf: seconds() + 60 })),
  'that was issued in the future': () => signed(claims({ iat: seconds() + 60 })),
  'for another audience': () => signed(claims({ aud: 'registry.example.com' })),
  'of another issuer': () => signed(claims({ iss: 'https://registry.example.com' })),
  'that is not signed at all (alg none)': () => new UnsecuredJWT(claims()).encode(),
  'that says none and is signed': async () => {
    const { id, secret } = await theKey();
    const text = `${part({ alg: 'none', kid: id })}.${part(claims())}`;
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  },
  'signed with HS512 and the right secret': () => signed(claims(), { alg: 'HS512' }).catch(() => hs512()),
  'signed with RS256 under the id of our key': async () => {
    const { id } = await theKey();
    const { privateKey } = await generateKeyPair('RS256');
    return new SignJWT(claims()).setProtectedHeader({ alg: 'RS256', kid: id }).sign(privateKey);
  },
  'whose key id is that of another key': async () => {
    const key = await theKey();
    const other = newSigningKey(world.fixture.clock);
    await setRing(other, key);
    return signedWith({ ...key, id: other.id });
  },
  'without a key id': async () => signedWith({ ...(await theKey()), id: undefined as unknown as string }),
  'whose key id is no text': async () => signedWith({ ...(await theKey()), id: 7 as unknown as string }),
  'with a critical header that nobody knows': async () => {
    const { id, secret } = await theKey();
    const header = part({ alg: 'HS256', kid: id, crit: ['future'], future: 1 });
    const text = `${header}.${part(claims())}`;
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  },
  'that brings its key along': async () => {
    const { id } = await theKey();
    const secret = Buffer.alloc(32, 7);
    const jwk = { kty: 'oct', k: secret.toString('base64url') };
    return new SignJWT(claims()).setProtectedHeader({ alg: 'HS256', kid: id, jwk } as never).sign(secret);
  },
  'of another registry': async () => signedWith(newSigningKey(world.fixture.clock)),
  'that is a personal access token': async () => (await PRINCIPALS.token(world, 'bob', [])).password,
  'that is the secret of a robot': async () => (await PRINCIPALS.robot(world, 'ci', [])).password,
  'that is a refresh token': refreshToken,
  'that is an ID token': async () => {
    const { privateKey } = await generateKeyPair('ES256');
    return new SignJWT(claims()).setProtectedHeader({ alg: 'ES256', kid: 'issuer' }).sign(privateKey);
  },
  'that is enormous': async () => `${await signed(claims())}${'A'.repeat(1_000_000)}`,
  'that is encrypted (five parts)': async () => `${await signed(claims())}.AAAA.AAAA`,
  'that is no text of JSON': () => 'AAAA.AAAA.AAAA',
  'that is three dots': () => '...',
};

async function hs512(): Promise<string> {
  const { id, secret } = await theKey();
  const text = `${part({ alg: 'HS512', kid: id })}.${part(claims())}`;
  return `${text}.${createHmac('sha512', secret).update(text).digest('base64url')}`;
}

async function signedWith({ id, secret }: SigningKey): Promise<string> {
  return new SignJWT(claims()).setProtectedHeader({ alg: 'HS256', typ: 'JWT', kid: id }).sign(secret);
}

async function refreshToken(): Promise<string> {
  const form = { grant_type: 'password', access_type: 'offline', ...robot };
  const body = new URLSearchParams(form);
  const response = await world.app(new Request('http://registry.test/token', { method: 'POST', body }));
  return ((await response.json()) as { refresh_token: string }).refresh_token;
}

async function expectRefusal(authorization: string, error = ',error="invalid_token"'): Promise<void> {
  const response = await send(authorization);
  expect([response.status, response.headers.get('www-authenticate')]).toEqual([
    401,
    `Bearer realm="http://localhost/token",service="stowage",scope="repository:${REPOSITORY}:pull"${error}`,
  ]);
  expect(await response.json()).toMatchObject({ errors: [{ code: 'UNAUTHORIZED' }] });
}

describe('a bearer token', () => {
  it('that says what these tests begin with is let through', async () => {
    expect((await send(`Bearer ${await signed(claims())}`)).status).toBe(200);
  });

  it.each(Object.entries(BAD))('%s is refused with a challenge for a new one', async (_, make) => {
    await expectRefusal(`Bearer ${await make()}`);
  });

  it.each([
    ['an access claim that is no list', { access: 'everything' }],
    ['an access claim of other things', { access: [null] }],
    ['access without actions', { access: [{ type: 'repository', name: REPOSITORY }] }],
    [
      'access whose actions are a text',
      { access: [{ type: 'repository', name: REPOSITORY, actions: 'pull' }] },
    ],
    [
      'access whose refusals are no list',
      { access: [{ type: 'repository', name: 'a', actions: [], refused: 1 }] },
    ],
    ['no access claim', { access: undefined }],
    ['a subject that is a number', { sub: 7 as unknown as string }],
    ['no subject', { sub: undefined as unknown as string }],
    ['a credential that is a list', { cred: ['password:x'] }],
    ['no credential', { cred: undefined }],
    ['grants that are no list', { grants: '*' }],
    ['grants without a pattern', { grants: [{ actions: ['pull'] }] }],
    ['grants of unknown actions', { grants: [{ pattern: '*', actions: ['everything'] }] }],
    ['times that are texts', { exp: '2030' as unknown as number }],
    ['an audience that is an object', { aud: {} as unknown as string }],
  ])('with %s is refused, not stumbled over', async (_, changes) => {
    await expectRefusal(`Bearer ${await signed(claims(changes as JWTPayload))}`);
  });

  it('with claims that are no object is refused', async () => {
    const { id, secret } = await theKey();
    for (const payload of [null, 7, 'x', [claims()]]) {
      const text = `${part({ alg: 'HS256', kid: id })}.${part(payload)}`;
      const signature = createHmac('sha256', secret).update(text).digest('base64url');
      await expectRefusal(`Bearer ${text}.${signature}`);
    }
  });

  it('is the only one of its request: two are none', async () => {
    const token = await signed(claims());
    for (const two of [`Bearer ${token}, Bearer ${token}`, `Bearer ${token},Bearer ${token}`]) {
      expect((await send(two)).status).toBe(401);
    }
    const headers = new Headers();
    headers.append('Authorization', `Bearer ${token}`);
    headers.append('Authorization', basic(robot));
    expect((await world.app(new Request(`http://registry.test${PATH}`, { headers }))).status).toBe(401);
  });

  it('is not to be had by sending the password to the registry itself', async () => {
    await expectRefusal(basic(robot), '');
  });

  it('is good for a quarter of an hour and the few seconds by which clocks differ', async () => {
    const token = await tokenFor(world, robot, [SCOPE]);
    world.fixture.clock += 15 * 60_000 - 1000;
    expect((await send(`Bearer ${token}`)).status).toBe(200);
    world.fixture.clock += 7000;
    await expectRefusal(`Bearer ${token}`);
  });
});

describe('the keys that tokens are signed with', () => {
  const statusOf = async (token: string) => (await send(`Bearer ${token}`)).status;
  const keyIdOf = (token: string) =>
    JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid as string;

  /** As another process of the registry does it. */
  async function rotate(): Promise<SigningKey> {
    const key = newSigningKey(world.fixture.clock);
    await setRing(...rotated(await ringOf(), key));
    return key;
  }

  it('change without a token being refused, and a new one signs once everybody knows it', async () => {
    const old = await theKey();
    world.fixture.clock += KEY_ROTATION_MS;
    const before = await tokenFor(world, robot, [SCOPE]);
    const key = await rotate();
    world.fixture.clock += KEY_ACTIVATION_MS - 1;
    const meanwhile = await tokenFor(world, robot, [SCOPE]);
    world.fixture.clock += 1;
    const after = await tokenFor(world, robot, [SCOPE]);
    expect([before, meanwhile, after].map(keyIdOf)).toEqual([old.id, old.id, key.id]);
    expect(await Promise.all([before, meanwhile, after].map(statusOf))).toEqual([200, 200, 200]);
  });

  it('are read again within minutes, so that one that was taken out verifies no longer', async () => {
    await tokenFor(world, robot, [SCOPE]);
    const leaked = await theKey();
    await setRing(newSigningKey(world.fixture.clock));
    world.fixture.clock += 5 * 60_000;
    expect(await statusOf(await signedWith(leaked))).toBe(401);
  });

  it('that nobody knows cost one look, and a flood of such tokens no more', async () => {
    expect(await statusOf(await signed(claims()))).toBe(200);
    let reads = 0;
    const { get } = world.fixture.table;
    world.fixture.table.get = (key) => {
      if (key.partition === signingKeysKey.partition) reads += 1;
      return get.call(world.fixture.table, key);
    };
    world.fixture.clock += 6000;
    const flood = Array.from({ length: 50 }, () => signedWith(newSigningKey(0)));
    for (const token of await Promise.all(flood)) expect(await statusOf(token)).toBe(401);
    expect(reads).toBe(1);
  });

  it('that were just made elsewhere are found by that look', async () => {
    expect(await statusOf(await signed(claims()))).toBe(200);
    const key = await rotate();
    world.fixture.clock += 6000;
    expect(await statusOf(await signedWith(key))).toBe(200);
  });
});
