import { beforeEach, describe, expect, it } from 'vitest';
import type { Grant } from '../../functions/identity/grants.ts';
import { removeGrant } from '../../functions/identity/subject-grants.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { setVisibility } from '../../functions/registry/repositories.ts';
import { basic, type Login, openWorld, PRINCIPALS, tokenFor, type World } from './world.ts';

// A token is worth what was asked for and is allowed, for the repository it was asked for, and not a bit more.

const A = 'team/a' as RepositoryName;
const DIGEST = `sha256:${'0'.repeat(64)}`;

let world: World;
let ci: Login;
beforeEach(async () => {
  world = await openWorld();
  const grants: Grant[] = [
    { pattern: A, actions: ['push', 'delete'] },
    { pattern: 'team/b', actions: ['pull'] },
  ];
  ci = await PRINCIPALS.robot(world, 'ci', grants);
  for (const name of [A, 'team/b', 'secret'] as RepositoryName[])
    await setVisibility(world.registry, name, false);
});

async function send(token: string, call: string, init: RequestInit = {}) {
  const [method = '', path] = call.split(' ');
  const headers = { Authorization: `Bearer ${token}` };
  return world.app(new Request(`http://registry.test${path}`, { ...init, method, headers }));
}

const statusOf = async (token: string, call: string) => (await send(token, call)).status;

/** The scope that the answer of the token endpoint tells. */
async function grantedTo(login: Login | undefined, query: string): Promise<string> {
  const headers: Record<string, string> = login ? { Authorization: basic(login) } : {};
  const response = await world.app(new Request(`http://registry.test/token?${query}`, { headers }));
  expect(response.status).toBe(200);
  return ((await response.json()) as { scope: string }).scope;
}

const granted = (...scopes: string[]) =>
  grantedTo(ci, `${new URLSearchParams(scopes.map((scope): [string, string] => ['scope', scope]))}`);

describe('what is asked', () => {
  it.each([
    ['pull alone is pull alone', ['repository:team/a:pull'], 'repository:team/a:pull'],
    ['a star is all that is allowed', ['repository:team/a:*'], 'repository:team/a:pull,push,delete'],
    ['a star where only pull is allowed', ['repository:team/b:*'], 'repository:team/b:pull'],
    ['what is not allowed at all', ['repository:secret:*'], ''],
    [
      'two in one parameter',
      ['repository:team/a:pull,push repository:team/b:*'],
      'repository:team/a:pull,push repository:team/b:pull',
    ],
    ['the same twice', ['repository:team/a:pull', 'repository:team/a:push'], 'repository:team/a:pull,push'],
    ['with a class', ['repository(plugin):team/a:pull'], 'repository:team/a:pull'],
    ['actions that do not exist', ['repository:team/a:admin,everything'], ''],
    ['actions in capitals', ['repository:team/a:PULL'], ''],
    ['a type in capitals', ['Repository:team/a:pull'], ''],
    ['a name in capitals', ['repository:Team/A:pull'], ''],
    ['a name that climbs', ['repository:team/a/../b:pull'], ''],
    ['a name that climbs, escaped', ['repository:team/a/%2e%2e/b:pull'], ''],
    ['a pattern for a name', ['repository:*:pull repository:team/*:pull'], ''],
    ['a host before the name', ['repository:registry.test:5000/team/a:pull'], ''],
    ['a name with spaces around', ['  repository:team/b:pull   '], 'repository:team/b:pull'],
    [
      'a line break for a space',
      ['repository:team/b:pull\nrepository:secret:pull'],
      'repository:team/b:pull',
    ],
    ['no name', ['repository::pull', 'repository:pull', ':::'], ''],
    ['the management API for less than all of it', ['registry:api:pull'], ''],
    ['something else of the registry', ['registry:users:*', 'registry:*:*', 'admin:api:*'], ''],
  ])('%s', async (_, scopes, expected) => {
    expect(await granted(...scopes)).toBe(expected);
  });

  it('by a stranger is neither the management API nor what is private', async () => {
    await setVisibility(world.registry, 'team/b' as RepositoryName, true);
    const scopes = ['registry:api:*', 'registry:catalog:*', 'repository:team/a:*', 'repository:team/b:*'];
    const query = new URLSearchParams(scopes.map((scope): [string, string] => ['scope', scope]));
    expect(await grantedTo(undefined, `${query}`)).toBe('registry:catalog:* repository:team/b:pull');
    const token = await tokenFor(world, undefined, scopes);
    for (const path of ['/users', '/me', '/repositories/team/a', '/repositories/team/b/-/usage'])
      expect([path, await statusOf(token, `GET /api/v1${path}`)]).toEqual([path, 401]);
    // What is public is told without a login.
    const headers = { Authorization: `Bearer ${token}` };
    const listed = await world.app(new Request('http://registry.test/api/v1/repositories', { headers }));
    expect(await listed.json()).toEqual({
      repositories: [{ name: 'team/b', visibility: 'public', may: ['pull'] }],
    });
  });

  it('a thousand times over still makes a token that fits into a header', async () => {
    const scopes = Array.from(
      { length: 1000 },
      (_, n) => `repository:team/${'x'.repeat(200)}${n}:pull,push,delete`,
    );
    const body = new URLSearchParams({
      grant_type: 'password',
      ...ci,
      scope: scopes.join(' ').slice(0, 60_000),
    });
    const response = await world.app(new Request('http://registry.test/token', { method: 'POST', body }));
    const { token } = (await response.json()) as { token: string };
    expect(token.length).toBeLessThan(8000);
    expect(await statusOf(token, 'GET /v2/')).toBe(200);
  });
});

describe('what has no room in a token', () => {
  const NAMES = Array.from({ length: 500 }, (_, n) => `mirror/of-some-length-${n}` as RepositoryName);
  const MIDDLE = NAMES[250] as RepositoryName;
  let mirror: Login;
  let token: string;
  beforeEach(async () => {
    mirror = await PRINCIPALS.robot(world, 'mirror', [{ pattern: 'mirror/*', actions: ['push', 'delete'] }]);
    for (const name of [NAMES[0], MIDDLE, NAMES.at(-1)] as RepositoryName[])
      await setVisibility(world.registry, name, false);
    const form = { grant_type: 'password', ...mirror };
    const scope = [...NAMES, 'secret'].map((name) => `repository:${name}:pull,push`).join(' ');
    const body = new URLSearchParams({ ...form, scope });
    const response = await world.app(new Request('http://registry.test/token', { method: 'POST', body }));
    token = ((await response.json()) as { token: string }).token;
  });

  it('is granted as it is needed, with all 500 in one token', async () => {
    expect(token.length).toBeLessThan(8000);
    for (const name of [NAMES[0], MIDDLE, NAMES.at(-1)]) {
      expect(await statusOf(token, `POST /v2/${name}/blobs/uploads/`), name).toBe(202);
      expect(await statusOf(token, `GET /v2/${name}/tags/list`), name).toBe(200);
    }
  });

  it('is what was asked for, and what is allowed, and no more', async () => {
    for (const call of [
      `DELETE /v2/${MIDDLE}/manifests/v1`,
      'GET /v2/secret/tags/list',
      'GET /v2/team/a/tags/list',
    ]) {
      const response = await send(token, call);
      expect([call, response.status]).toEqual([call, call.includes('secret') ? 403 : 401]);
    }
    expect(await statusOf(token, 'GET /api/v1/users')).toBe(401);
  });

  it('ends with the grant', async () => {
    await removeGrant(world.registry, 'robot:mirror', 'mirror/*');
    expect(await statusOf(token, `GET /v2/${MIDDLE}/tags/list`)).toBe(401);
  });
});

describe('a token', () => {
  const PUSHES = [
    'POST /v2/team/a/blobs/uploads/',
    'PATCH /v2/team/a/blobs/uploads/x',
    `PUT /v2/team/a/blobs/uploads/x?digest=${DIGEST}`,
    'DELETE /v2/team/a/blobs/uploads/x',
    'PUT /v2/team/a/manifests/v1',
  ];
  const DELETES = ['DELETE /v2/team/a/manifests/v1', `DELETE /v2/team/a/blobs/${DIGEST}`];

  it('to pull does not push or delete, though its bearer could have asked for it', async () => {
    const token = await tokenFor(world, ci, ['repository:team/a:pull']);
    for (const call of [...PUSHES, ...DELETES]) {
      const response = await send(token, call);
      expect([call, response.status]).toEqual([call, 401]);
      expect(response.headers.get('www-authenticate')).toContain('error="insufficient_scope"');
    }
    expect(await statusOf(token, 'GET /v2/team/a/tags/list')).toBe(200);
  });

  it('to push does not delete', async () => {
    const token = await tokenFor(world, ci, ['repository:team/a:pull,push']);
    for (const call of DELETES) expect(await statusOf(token, call)).toBe(401);
  });

  it('for one repository is good for no other, however alike', async () => {
    const token = await tokenFor(world, ci, ['repository:team/a:*']);
    for (const name of [
      'team/b',
      'team',
      'team/a/b',
      'team/a.b',
      'team/aa',
      'a',
      'secret',
      'team/a/team/a',
    ]) {
      expect([name, await statusOf(token, `GET /v2/${name}/tags/list`)]).toEqual([name, 401]);
      expect([name, await statusOf(token, `POST /v2/${name}/blobs/uploads/`)]).toEqual([name, 401]);
    }
  });

  it('for repositories is none for the catalog or the management API', async () => {
    const admin = await PRINCIPALS.robot(world, 'root', [{ pattern: '*', actions: ['admin'] }]);
    const token = await tokenFor(world, admin, [
      'repository:team/a:*',
      'repository:api:*',
      'repository:catalog:*',
    ]);
    expect(await statusOf(token, 'GET /v2/_catalog')).toBe(401);
    expect(await statusOf(token, 'GET /api/v1/users')).toBe(401);
  });

  it('that was refused what it was asked for is told so (403), and a stranger is told to log in (401)', async () => {
    const refused = await tokenFor(world, ci, ['repository:team/b:pull,push', 'repository:secret:pull']);
    for (const call of ['POST /v2/team/b/blobs/uploads/', 'GET /v2/secret/tags/list']) {
      const response = await send(refused, call);
      expect([response.status, response.headers.get('www-authenticate')]).toEqual([403, null]);
      expect(await response.json()).toMatchObject({ errors: [{ code: 'DENIED' }] });
    }
    const stranger = await tokenFor(world, undefined, ['repository:secret:pull']);
    const response = await send(stranger, 'GET /v2/secret/tags/list');
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringContaining('scope="repository:secret:pull"'),
    ]);
  });
});

describe('a personal access token', () => {
  const scopes = ['repository:team/a:pull,push'];

  it('that is limited to pull does not push, though its user may', async () => {
    const login = await PRINCIPALS.limited(world, 'sam', [{ pattern: 'team/*', actions: ['pull'] }]);
    const token = await tokenFor(world, login, scopes);
    expect(await statusOf(token, 'GET /v2/team/a/tags/list')).toBe(200);
    expect(await statusOf(token, 'POST /v2/team/a/blobs/uploads/')).toBe(403);
  });

  it('that is limited to a folder is not admin of the registry, though its user is', async () => {
    const login = await PRINCIPALS.limited(world, 'sam', [{ pattern: 'team/*', actions: ['admin'] }]);
    const token = await tokenFor(world, login, ['registry:api:*']);
    expect(await statusOf(token, 'GET /api/v1/users')).toBe(403);
  });

  it('has lost what its user has lost', async () => {
    const login = await PRINCIPALS.token(world, 'sam', [{ pattern: 'team/*', actions: ['push'] }]);
    expect(await statusOf(await tokenFor(world, login, scopes), 'POST /v2/team/a/blobs/uploads/')).toBe(202);
    await removeGrant(world.registry, 'user:sam', 'team/*');
    expect(await statusOf(await tokenFor(world, login, scopes), 'POST /v2/team/a/blobs/uploads/')).toBe(403);
  });
});

it('oras-py, which asks once, has a token for all that it may do in the repository, and no other client has', async () => {
  const answerTo = async (agent: string) => {
    const headers = { Authorization: basic(ci), 'User-Agent': agent };
    const query = 'scope=repository:team/a:pull&scope=repository:team/b:pull&scope=registry:catalog:*';
    const response = await world.app(new Request(`http://registry.test/token?${query}`, { headers }));
    return ((await response.json()) as { scope: string }).scope;
  };
  expect(await answerTo('oras-py')).toBe(
    'repository:team/a:pull,push,delete repository:team/b:pull registry:catalog:*',
  );
  expect(await answerTo('oras/1.3.3')).toBe(
    'repository:team/a:pull repository:team/b:pull registry:catalog:*',
  );
});

describe("somebody else's upload", () => {
  const CALLS = (path: string) => [
    `GET ${path}`,
    `PATCH ${path}`,
    `PUT ${path}?digest=${DIGEST}`,
    `DELETE ${path}`,
  ];

  async function openUpload(): Promise<string> {
    const token = await tokenFor(world, ci, ['repository:team/a:pull,push']);
    const opened = await send(token, 'POST /v2/team/a/blobs/uploads/');
    expect(opened.status).toBe(202);
    return opened.headers.get('location') ?? '';
  }

  async function expectUnknown(token: string, path: string): Promise<void> {
    for (const call of CALLS(path)) {
      const response = await send(token, call, call.startsWith('P') ? { body: 'x' } : {});
      expect([call, response.status]).toEqual([call, 404]);
      expect(await response.json()).toMatchObject({ errors: [{ code: 'BLOB_UPLOAD_UNKNOWN' }] });
    }
  }

  it('is unknown to another who may push to the same repository', async () => {
    const path = await openUpload();
    const other = await PRINCIPALS.robot(world, 'other', [{ pattern: '*', actions: ['admin'] }]);
    await expectUnknown(await tokenFor(world, other, ['repository:team/a:pull,push']), path);
    const owner = await tokenFor(world, ci, ['repository:team/a:pull,push']);
    expect(await statusOf(owner, `GET ${path}`)).toBe(204);
  });

  it('is unknown in another repository, to its opener too', async () => {
    const path = await openUpload();
    const admin = await PRINCIPALS.robot(world, 'other', [{ pattern: '*', actions: ['admin'] }]);
    const token = await tokenFor(world, admin, ['repository:team/b:pull,push']);
    await expectUnknown(token, path.replace('/team/a/', '/team/b/'));
  });
});

describe('more scopes than a token has room for', () => {
  const name = (n: number) =>
    `a-team-of-some-name/a-product-with-a-name/a-component-with-a-longer-name/image-${n}`;
  const many = Array.from({ length: 400 }, (_, n) => `scope=repository:${name(n)}:pull`).join('&');

  beforeEach(async () => {
    ci = await PRINCIPALS.robot(world, 'mirror', [{ pattern: '*', actions: ['pull'] }]);
  });

  it('leave room for the one that is asked last, and for the first', async () => {
    const granted = (await grantedTo(ci, many)).split(' ');
    expect(granted).toContain(`repository:${name(399)}:pull`);
    expect(granted).toContain(`repository:${name(0)}:pull`);
    expect(granted.length).toBeGreaterThan(20);
    expect(granted).toContain(`repository:${name(398)}:pull`);
  });

  it('leave room for one that was asked before, and is wanted again', async () => {
    const again = await grantedTo(ci, `${many}&scope=repository:${name(7)}:pull,push`);
    expect(again.split(' ')).toContain(`repository:${name(7)}:pull`);
  });

  it('are still a token that fits into a header', async () => {
    const token = await tokenFor(world, ci, [many.replaceAll('&scope=', ' ').replace('scope=', '')]);
    expect(token.length).toBeLessThan(8000);
    expect(await statusOf(token, `GET /v2/${name(399)}/tags/list`)).toBe(404);
  });
});
