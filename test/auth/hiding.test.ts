import { beforeEach, describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import type { RepositoryName, Tag } from '../../functions/oci/reference.ts';
import { putManifest } from '../../functions/registry/manifest-push.ts';
import { setVisibility } from '../../functions/registry/repositories.ts';
import { ALL_ROUTES } from '../../functions/routes.ts';
import type { Table } from '../../functions/storage/table.ts';
import { imageOf, pushBlob } from '../registry/fixture.ts';
import { ENDPOINTS } from './endpoints.ts';
import { type Login, openWorld, PRINCIPALS, sendAs, tokenFor, type World } from './world.ts';

// What one may not see is not told by any answer, nor by what it costs to make it.

const SECRET = 'acme/secret' as RepositoryName;
const PUBLIC = 'acme/public' as RepositoryName;
const MINE = 'mine/app' as RepositoryName;
/** As long as the secret one, so that lengths say nothing either. */
const ABSENT = 'acme/absent' as RepositoryName;

const CONTENT = Buffer.from('a layer of the secret repository');
const SHARED = Buffer.from('a layer of the public repository');
const NOWHERE = Buffer.from('a layer that nobody has');

let world: World;
beforeEach(async () => {
  world = await openWorld();
  const { registry } = world;
  const blob = await pushBlob(registry, SECRET, CONTENT);
  const push = { repository: SECRET, bytes: imageOf(blob), contentType: '', digest: undefined };
  await putManifest(registry, { ...push, tags: ['v1' as Tag] });
  await pushBlob(registry, PUBLIC, SHARED);
  for (const name of [SECRET, MINE]) await setVisibility(registry, name, false);
  await setVisibility(registry, PUBLIC, true);
});

const PUSHER = [{ pattern: 'mine/*', actions: ['push', 'delete'] }] as const;

/** Everything of an answer, but for the name of the repository. */
async function seen(response: Response, name: string) {
  const body = (await response.text()).replaceAll(name, '<name>');
  const headers = [...response.headers].map(([field, value]) => [field, value.replaceAll(name, '<name>')]);
  return { status: response.status, headers, body };
}

describe('a private repository', () => {
  const ROUTES = ALL_ROUTES.filter(({ path }) => path.includes('<name>')).map(
    ({ method, path }) => `${method} ${path}`,
  );

  it.each(ROUTES)('answers %s as one that does not exist', async (route) => {
    const endpoint = ENDPOINTS[route];
    const robot = await PRINCIPALS.robot(world, 'ci', PUSHER);
    const [method = ''] = route.split(' ');
    const body = endpoint?.body === undefined ? {} : { body: JSON.stringify(endpoint.body) };
    const init = { method, headers: { 'Content-Type': 'application/json' }, ...body };
    for (const login of [undefined, robot]) {
      const answers: object[] = [];
      for (const name of [SECRET, ABSENT]) {
        const path = endpoint?.send(name) ?? '';
        answers.push(await seen(await world.app(new Request(`http://registry.test${path}`, init)), name));
        answers.push(await seen(await sendAs(world, login, path, init), name));
      }
      expect(answers.slice(2)).toEqual(answers.slice(0, 2));
    }
  });

  it('is not told by the token endpoint', async () => {
    const robot = await PRINCIPALS.robot(world, 'ci', PUSHER);
    for (const login of [undefined, robot]) {
      const claims: string[] = [];
      for (const name of [SECRET, ABSENT]) {
        const token = await tokenFor(world, login, [`repository:${name}:pull,push,delete`]);
        const { jti: _, ...rest } = JSON.parse(
          Buffer.from(token.split('.')[1] ?? '', 'base64url').toString(),
        );
        claims.push(JSON.stringify(rest).replaceAll(name, '<name>'));
      }
      expect(claims[0]).toBe(claims[1]);
    }
  });

  it('is not in the catalog, and no page of it ends on its name', async () => {
    for (let n = 0; n < 5; n += 1) {
      await setVisibility(world.registry, `acme/hidden-${n}` as RepositoryName, false);
    }
    const robot = await PRINCIPALS.robot(world, 'ci', PUSHER);
    for (const [login, visible] of [
      [undefined, [PUBLIC]],
      [robot, [PUBLIC, MINE]],
    ] as const) {
      const names: string[] = [];
      let path: string | undefined = '/v2/_catalog?n=1';
      for (let page = 0; path !== undefined && page < 10; page += 1) {
        const response: Response = await sendAs(world, login, path);
        const link = response.headers.get('link');
        names.push(...((await response.json()) as { repositories: string[] }).repositories);
        path = /<([^>]*)>/.exec(link ?? '')?.[1];
        expect(link ?? '').not.toMatch(/hidden|secret/);
      }
      expect(names).toEqual(visible);
    }
  });
});

describe('a mount', () => {
  const digest = (bytes: Uint8Array) => digestOf('sha256', bytes);
  const uploads = `/v2/${MINE}/blobs/uploads/`;

  /** Without what is new in every answer. */
  async function mount(login: Login, blob: Digest, from?: string) {
    const query = `?mount=${blob}${from === undefined ? '' : `&from=${from}`}`;
    const response = await sendAs(world, login, uploads + query, { method: 'POST' });
    const headers = [...response.headers].map(([field, value]) => [
      field,
      value.replaceAll(/[0-9a-f-]{36}/g, '<id>'),
    ]);
    return { status: response.status, headers, body: await response.text() };
  }

  it('from a private repository of others is an ordinary upload, whatever there is', async () => {
    const robot = await PRINCIPALS.robot(world, 'ci', PUSHER);
    const ordinary = await mount(robot, digest(NOWHERE));
    expect(ordinary.status).toBe(202);
    for (const from of [SECRET, ABSENT, undefined]) {
      for (const bytes of [CONTENT, NOWHERE])
        expect(await mount(robot, digest(bytes), from)).toEqual(ordinary);
    }
    const blob = await sendAs(world, robot, `/v2/${MINE}/blobs/${digest(CONTENT)}`);
    expect(blob.status).toBe(404);
  });

  it('from a public repository links the blob, whether it is named or not', async () => {
    const robot = await PRINCIPALS.robot(world, 'ci', PUSHER);
    expect((await mount(robot, digest(SHARED), PUBLIC)).status).toBe(201);
    const other = await PRINCIPALS.robot(world, 'other', PUSHER);
    expect((await mount(other, digest(SHARED))).status).toBe(201);
  });

  it.each([SECRET, undefined])(
    'from %s reads as much where others have the content as where nobody has',
    async (from) => {
      const robot = await PRINCIPALS.robot(world, 'ci', PUSHER);
      const scopes = [`repository:${MINE}:pull,push`];
      const token = await tokenFor(world, robot, scopes);
      const reads: string[][] = [];
      for (const bytes of [CONTENT, NOWHERE]) {
        const query = `?mount=${digest(bytes)}${from ? `&from=${from}` : ''}`;
        const headers = { Authorization: `Bearer ${token}` };
        const request = new Request(`http://registry.test${uploads}${query}`, { method: 'POST', headers });
        const calls = watch(world.fixture.table);
        expect((await world.app(request)).status).toBe(202);
        reads.push(calls.stop());
      }
      expect(reads[0]).toEqual(reads[1]);
    },
  );
});

/** The calls to a table, by what kind of item they are about. */
function watch(table: Table) {
  const calls: string[] = [];
  const { get, getMany, query } = table;
  table.get = (key) => {
    calls.push(`get ${key.partition.charAt(0)}`);
    return get.call(table, key);
  };
  table.getMany = (keys) => {
    calls.push(`getMany ${keys.length} ${keys[0]?.partition.charAt(0)}`);
    return getMany.call(table, keys);
  };
  table.query = (asked) => {
    calls.push(`query ${asked.partition.charAt(0)}`);
    return query.call(table, asked);
  };
  const stop = () => {
    Object.assign(table, { get, getMany, query });
    return calls;
  };
  return { stop };
}
