import { describe, expect, it } from 'vitest';
import type { RepositoryName, Tag } from '../../functions/oci/reference.ts';
import { putManifest } from '../../functions/registry/manifest-push.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { imageOf, pushBlob } from '../registry/fixture.ts';
import { type Api, grant, openApi, tokenFor } from './fixture.ts';

async function push(registry: Registry, name: string, ...tags: string[]) {
  const repository = name as RepositoryName;
  const bytes = imageOf(await pushBlob(registry, repository));
  return putManifest(registry, {
    repository,
    bytes,
    contentType: '',
    digest: undefined,
    tags: tags as Tag[],
  });
}

/** The status of a pull over the registry's own API, by whoever has the token. */
async function pull({ send }: Api, path: string, token?: string): Promise<number> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return (await send(new Request(`http://registry.test/v2/${path}`, { headers }))).status;
}

async function anonymous({ send }: Api, name: string): Promise<string> {
  const response = await send(new Request(`http://registry.test/token?scope=repository:${name}:pull`));
  return ((await response.json()) as { token: string }).token;
}

describe('repositories', () => {
  it('are listed as far as the caller may pull, in pages', async () => {
    const api = await openApi();
    await api.addUser('alice', grant('team/*', 'pull'));
    const [root, alice] = [await api.as('root'), await api.as('alice')];
    for (const name of ['base', 'other/app', 'team/a', 'team/b']) await push(api.registry, name, 'v1');
    await root('PUT /repositories/base', { visibility: 'public' });
    const may = ['pull'];
    const base = { name: 'base', visibility: 'public', may };
    const [a, b] = ['team/a', 'team/b'].map((name) => ({ name, visibility: 'private', may }));
    expect((await alice('GET /repositories')).body).toEqual({ repositories: [base, a, b] });
    const first = await alice('GET /repositories?n=2');
    expect(first.body).toEqual({ repositories: [base, a], next: 'team/a' });
    expect((await alice('GET /repositories?n=2&last=team/a')).body).toEqual({ repositories: [b] });
    expect((await root('GET /repositories')).body['repositories']).toHaveLength(4);
  });

  it('are public or private as their admin says, and are made where they do not exist', async () => {
    const api = await openApi();
    await api.addUser('lead', grant('team/*', 'admin'));
    const lead = await api.as('lead');
    const made = await lead('PUT /repositories/team/new', { visibility: 'private' });
    expect(made).toMatchObject({ status: 200, body: { name: 'team/new', visibility: 'private' } });
    await push(api.registry, 'team/new', 'v1');
    expect(await pull(api, 'team/new/manifests/v1', await anonymous(api, 'team/new'))).toBe(401);
    const changed = await lead('PATCH /repositories/team/new', { visibility: 'public' });
    expect(changed.body).toMatchObject({ visibility: 'public', createdAt: '2026-01-01T00:00:00.000Z' });
    expect(await pull(api, 'team/new/manifests/v1', await anonymous(api, 'team/new'))).toBe(200);
    expect((await lead('PUT /repositories/team/new', { visibility: 'secret' })).status).toBe(400);
    expect((await lead('PUT /repositories/Team', { visibility: 'public' })).status).toBe(400);
  });

  it('that the caller may not see are as those that do not exist', async () => {
    const api = await openApi();
    await api.addUser('alice', grant('team/*', 'pull'));
    const alice = await api.as('alice');
    await push(api.registry, 'other/app', 'v1');
    for (const line of [
      'GET /repositories/*',
      'DELETE /repositories/*',
      'GET /repositories/*/-/tags',
      'GET /repositories/*/-/tags/v1',
      'DELETE /repositories/*/-/tags/v1',
    ]) {
      const [there, absent] = [
        await alice(line.replace('*', 'other/app')),
        await alice(line.replace('*', 'other/none')),
      ];
      const body = JSON.parse(JSON.stringify(absent.body).replaceAll('other/none', 'other/app'));
      expect([line, there.status, there.body]).toEqual([line, 404, body]);
    }
    const settings = { visibility: 'public' };
    expect((await alice('PUT /repositories/other/app', settings)).status).toBe(404);
    expect((await alice('PUT /repositories/other/none', settings)).status).toBe(404);
  });

  it('that the caller may see are changed by their admins only', async () => {
    const api = await openApi();
    await api.addUser('alice', grant('team/*', 'push', 'delete'));
    await api.addUser('bob');
    const [root, alice, bob] = [await api.as('root'), await api.as('alice'), await api.as('bob')];
    await push(api.registry, 'team/app', 'v1');
    await root('PUT /repositories/team/app', { visibility: 'public' });
    const refused = await alice('PUT /repositories/team/app', { visibility: 'private' });
    expect(refused.status).toBe(403);
    expect(refused.body['detail']).toBe('user:alice lacks the grant "admin" on the repository team/app');
    expect((await alice('DELETE /repositories/team/none')).status).toBe(403);
    expect((await bob('GET /repositories/team/app')).status).toBe(200);
    expect((await bob('DELETE /repositories/team/app')).status).toBe(403);
    expect((await bob('DELETE /repositories/team/app/-/tags/v1')).status).toBe(403);
    expect((await alice('DELETE /repositories/team/app/-/tags/v1')).status).toBe(204);
  });

  it('that a token is not made for are out of its reach', async () => {
    const api = await openApi();
    const root = await api.as('root');
    await push(api.registry, 'team/app', 'v1');
    const grants = [grant('team/*', 'pull')];
    const { body } = await root('POST /users/root/tokens', { description: 'reader', grants });
    const reader = await api.as({ username: 'root', password: `${body['secret']}` });
    expect((await reader('GET /repositories/team/app')).status).toBe(200);
    expect((await reader('DELETE /repositories/team/app')).status).toBe(403);
    expect((await reader('GET /users')).status).toBe(403);
  });

  it.each(['tags', 'repositories/tags', 'a/manifests', 'a/tags/list', 'openapi.json', 'users/root'])(
    'may be named %s',
    async (name) => {
      const api = await openApi();
      const root = await api.as('root');
      await push(api.registry, name, 'latest');
      expect((await root(`GET /repositories/${name}`)).body).toMatchObject({ name });
      expect((await root(`GET /repositories/${encodeURIComponent(name)}`)).body).toMatchObject({ name });
      expect((await root(`GET /repositories/${name}/-/tags`)).body).toMatchObject({
        tags: [{ name: 'latest' }],
      });
      expect((await root(`GET /repositories/${name}/-/tags/latest`)).body).toMatchObject({ name: 'latest' });
      expect((await root(`DELETE /repositories/${name}`)).status).toBe(204);
      expect((await root(`GET /repositories/${name}`)).status).toBe(404);
    },
  );

  it('are deleted with all they hold, and may be pushed anew', async () => {
    const api = await openApi();
    const root = await api.as('root');
    const { digest } = await push(api.registry, 'team/app', 'v1', 'v2');
    await root('PUT /repositories/team/app', { visibility: 'public' });
    expect(await root('DELETE /repositories/team/app')).toMatchObject({ status: 204 });
    expect((await root('DELETE /repositories/team/app')).status).toBe(404);
    expect((await root('GET /repositories')).body).toEqual({ repositories: [] });
    const scope = 'repository:team/app:pull';
    const token = await tokenFor(api.send, { username: 'root', password: 'correct horse battery' }, scope);
    for (const path of ['manifests/v1', `manifests/${digest}`, 'tags/list']) {
      expect([path, await pull(api, `team/app/${path}`, token)]).toEqual([path, 404]);
    }
    await push(api.registry, 'team/app', 'v3');
    expect((await root('GET /repositories')).body).toEqual({
      repositories: [{ name: 'team/app', visibility: 'private', may: ['pull', 'push', 'delete', 'admin'] }],
    });
    const tag = await root('GET /repositories/team/app/-/tags/v3');
    expect(tag.body['history']).toHaveLength(1);
    expect((await root('GET /repositories/team/app/-/tags')).body['tags']).toHaveLength(1);
  });
});

describe('tags', () => {
  it('are listed with what they are on, in pages', async () => {
    const api = await openApi();
    const root = await api.as('root');
    const { digest } = await push({ ...api.registry, actor: 'user:alice' }, 'team/app', 'v1', 'v2', 'v3');
    const first = await root('GET /repositories/team/app/-/tags?n=2');
    expect(first.body).toMatchObject({
      tags: [
        {
          name: 'v1',
          digest,
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          taggedAt: '2026-01-01T00:00:00.000Z',
          by: 'user:alice',
        },
        { name: 'v2' },
      ],
      next: 'v2',
    });
    const second = await root('GET /repositories/team/app/-/tags?n=2&last=v2');
    expect(second.body).toMatchObject({ tags: [{ name: 'v3' }] });
    expect(second.body).not.toHaveProperty('next');
    expect((await root('GET /repositories/team/app/-/tags?n=101')).status).toBe(400);
  });

  it('have a history, the newest first', async () => {
    const api = await openApi();
    const root = await api.as('root');
    const { digest: first } = await push({ ...api.registry, actor: 'user:alice' }, 'team/app', 'v1', 'v10');
    api.clock += 1000;
    expect((await root('DELETE /repositories/team/app/-/tags/v1')).status).toBe(204);
    expect((await root('GET /repositories/team/app/-/tags/v1')).status).toBe(404);
    expect((await root('DELETE /repositories/team/app/-/tags/v1')).status).toBe(404);
    api.clock += 1000;
    const { digest: second } = await push({ ...api.registry, actor: 'robot:ci' }, 'team/app', 'v1');
    const { body } = await root('GET /repositories/team/app/-/tags/v1');
    expect(body).toMatchObject({ name: 'v1', digest: second, by: 'robot:ci' });
    expect(body['history']).toEqual([
      { at: '2026-01-01T00:00:02.000Z', digest: second, by: 'robot:ci' },
      { at: '2026-01-01T00:00:01.000Z', by: 'user:root' },
      { at: '2026-01-01T00:00:00.000Z', digest: first, by: 'user:alice' },
    ]);
  });

  it('that cannot be are not found', async () => {
    const api = await openApi();
    const root = await api.as('root');
    await push(api.registry, 'team/app', 'v1');
    for (const tag of ['none', '-', 'a:b', 'x'.repeat(200)]) {
      expect((await root(`GET /repositories/team/app/-/tags/${tag}`)).status).toBe(404);
      expect((await root(`DELETE /repositories/team/app/-/tags/${tag}`)).status).toBe(404);
    }
  });
});
