import { describe, expect, it } from 'vitest';
import { deleteIssuer, listIssuers, putIssuer } from '../../functions/identity/issuers.ts';
import { changeRobot, deleteRobot, renewSecret } from '../../functions/identity/robots.ts';
import { removeGrant } from '../../functions/identity/subject-grants.ts';
import { listTokens, revokeToken } from '../../functions/identity/tokens.ts';
import { changeUser, createUser, deleteUser, setPassword } from '../../functions/identity/users.ts';
import { digestOf } from '../../functions/oci/digest.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { setVisibility } from '../../functions/registry/repositories.ts';
import { pushBlob } from '../registry/fixture.ts';
import { type Login, openWorld, PRINCIPALS, tokenFor, type World } from './world.ts';

// What is taken away holds at once for logins, refresh tokens, the catalog, mounts and the management API; an access
// token that was issued before still pulls and pushes, for what is left of its quarter of an hour.

const MINE = 'team/mine' as RepositoryName;
const THEIRS = 'team/theirs' as RepositoryName;
const CONTENT = Buffer.from('a layer');
const SCOPES = [`repository:${MINE}:pull,push`, 'registry:catalog:*', 'registry:api:*'];
const GRANTS = [{ pattern: 'team/*', actions: ['push'] }] as const;
const ADMIN = [...GRANTS, { pattern: '*', actions: ['admin'] }] as const;

/** How each comes to be worth nothing; all have had a login before. */
const REVOCATIONS: Readonly<
  Record<string, readonly [keyof typeof PRINCIPALS, (world: World) => Promise<unknown>]>
> = {
  'a new password': ['user', ({ registry }) => setPassword(registry, 'sam', 'another long password')],
  'the user being disabled': ['user', ({ registry }) => changeUser(registry, 'sam', { disabled: true })],
  'the user being deleted': ['user', ({ registry }) => deleteUser(registry, 'sam')],
  'the user being deleted and made anew': [
    'user',
    async ({ registry }) => {
      await deleteUser(registry, 'sam');
      await createUser(registry, {
        name: 'sam',
        password: 'another long password',
        description: '',
        grants: ADMIN,
        createdBy: 'test',
      });
    },
  ],
  'the token being revoked': [
    'token',
    async ({ registry }) => {
      const [token] = await listTokens(registry, 'sam');
      await revokeToken(registry, 'sam', token?.id ?? '');
    },
  ],
  "the token's user being disabled": [
    'token',
    ({ registry }) => changeUser(registry, 'sam', { disabled: true }),
  ],
  "the token's user being deleted and made anew": [
    'token',
    async (world) => {
      await deleteUser(world.registry, 'sam');
      await PRINCIPALS.token(world, 'sam', ADMIN);
    },
  ],
  'a new secret': ['robot', ({ registry }) => renewSecret(registry, 'sam')],
  'the robot being disabled': ['robot', ({ registry }) => changeRobot(registry, 'sam', { disabled: true })],
  'the robot being deleted and made anew': [
    'robot',
    async (world) => {
      await deleteRobot(world.registry, 'sam');
      await PRINCIPALS.robot(world, 'sam', ADMIN);
    },
  ],
};

async function send(world: World, call: string, token?: string, body?: URLSearchParams) {
  const [method = '', path] = call.split(' ');
  const headers: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  return world.app(new Request(`http://registry.test${path}`, { method, headers, ...(body && { body }) }));
}

const post = (world: World, form: Record<string, string>) =>
  send(world, 'POST /token', undefined, new URLSearchParams(form));

async function refreshTokenOf(world: World, login: Login): Promise<string> {
  const response = await post(world, { grant_type: 'password', access_type: 'offline', ...login });
  return ((await response.json()) as { refresh_token: string }).refresh_token;
}

const refresh = async (world: World, token: string) =>
  post(world, { grant_type: 'refresh_token', refresh_token: token, scope: SCOPES.join(' ') });

async function openWithContent(): Promise<World> {
  const world = await openWorld();
  await PRINCIPALS.user(world, 'root', [{ pattern: '*', actions: ['admin'] }]);
  for (const name of [MINE, THEIRS]) await setVisibility(world.registry, name, false);
  await pushBlob(world.registry, THEIRS, CONTENT);
  return world;
}

/** What the access token is still good for. */
async function powersOf(world: World, token: string) {
  const mount = `?mount=${digestOf('sha256', CONTENT)}`;
  const catalog = await send(world, 'GET /v2/_catalog', token);
  return {
    pull: (await send(world, `GET /v2/${MINE}/tags/list`, token)).status,
    mount: (await send(world, `POST /v2/${MINE}/blobs/uploads/${mount}`, token)).status,
    mountFrom: (await send(world, `POST /v2/${MINE}/blobs/uploads/${mount}&from=${THEIRS}`, token)).status,
    catalog: ((await catalog.json()) as { repositories: string[] }).repositories,
    api: (await send(world, 'GET /api/v1/users', token)).status,
  };
}

const VOID = { pull: 200, mount: 202, mountFrom: 202, catalog: [], api: 401 };

describe.each(Object.entries(REVOCATIONS))('after %s', (_, [kind, revoke]) => {
  it('nothing is to be had with what there was before', async () => {
    const world = await openWithContent();
    const login = await PRINCIPALS[kind](world, 'sam', ADMIN);
    const access = await tokenFor(world, login, SCOPES);
    const refreshing = await refreshTokenOf(world, login);
    expect((await refresh(world, refreshing)).status).toBe(200);
    await revoke(world);
    expect(await powersOf(world, access)).toEqual(VOID);
    const again = await refresh(world, refreshing);
    expect([again.status, await again.json()]).toEqual([
      401,
      { errors: [{ code: 'UNAUTHORIZED', message: 'the refresh token is not valid' }] },
    ]);
    expect((await post(world, { grant_type: 'password', ...login })).status).toBe(401);
    world.fixture.clock += 15 * 60_000 + 6000;
    expect((await send(world, `GET /v2/${MINE}/tags/list`, access)).status).toBe(401);
  });
});

describe('after a grant was taken away', () => {
  it.each(['user', 'token', 'robot'] as const)(
    'a %s has less with the next token, and in lists at once',
    async (kind) => {
      const world = await openWithContent();
      const login = await PRINCIPALS[kind](world, 'sam', ADMIN);
      const access = await tokenFor(world, login, SCOPES);
      const refreshing = await refreshTokenOf(world, login);
      const subject = kind === 'robot' ? 'robot:sam' : 'user:sam';
      for (const { pattern } of ADMIN) await removeGrant(world.registry, subject, pattern);
      expect(await powersOf(world, access)).toEqual({ ...VOID, api: 403 });
      const again = await refresh(world, refreshing);
      expect(await again.json()).toMatchObject({ scope: 'registry:catalog:* registry:api:*' });
    },
  );
});

describe('the access token of a workload', () => {
  const issuerOf = async (world: World) => {
    const [issuer] = await listIssuers(world.registry);
    if (!issuer) throw new Error('no issuer');
    return issuer;
  };

  async function openWithWorkload() {
    const world = await openWithContent();
    const login = await PRINCIPALS.workload(world, 'job', ADMIN);
    return { world, access: await tokenFor(world, login, SCOPES) };
  }

  it('may do what its ID token was worth', async () => {
    const { world, access } = await openWithWorkload();
    expect(await powersOf(world, access)).toMatchObject({ mount: 201, catalog: [MINE, THEIRS], api: 200 });
  });

  it('is void where it counts once its issuer is not trusted any more', async () => {
    const { world, access } = await openWithWorkload();
    await deleteIssuer(world.registry, 'test');
    expect(await powersOf(world, access)).toEqual(VOID);
  });

  it('is void there once the rules of its issuer have changed, or it was made anew', async () => {
    const { world, access } = await openWithWorkload();
    const issuer = await issuerOf(world);
    await deleteIssuer(world.registry, 'test');
    await putIssuer(world.registry, issuer);
    expect(await powersOf(world, access)).toEqual(VOID);
  });
});

it('a refresh token that its bearer ends is void at once, and any other text is answered the same', async () => {
  const world = await openWorld();
  const login = await PRINCIPALS.user(world, 'sam', GRANTS);
  const [mine, another] = [await refreshTokenOf(world, login), await refreshTokenOf(world, login)];
  const end = async (token: string) => {
    const body = new URLSearchParams({ token });
    const request = new Request('http://registry.test/token/revoke', { method: 'POST', body });
    return (await world.app(request)).status;
  };
  const forged = mine.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
  expect([await end(forged), await end('nonsense')]).toEqual([200, 200]);
  expect((await refresh(world, mine)).status).toBe(200);
  expect(await end(mine)).toBe(200);
  expect((await refresh(world, mine)).status).toBe(401);
  expect((await refresh(world, another)).status).toBe(200);
});
