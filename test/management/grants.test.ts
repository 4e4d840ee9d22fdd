import { describe, expect, it } from 'vitest';
import { grant, openApi, tokenFor } from './fixture.ts';

describe('groups', () => {
  it('give their grants to their members, for as long as they are', async () => {
    const api = await openApi();
    await api.addUser('alice');
    const [root, alice] = [await api.as('root'), await api.as('alice')];
    const made = await root('POST /groups', {
      name: 'ops',
      description: 'O.',
      grants: [grant('*', 'admin')],
    });
    expect(made).toMatchObject({ status: 201, body: { name: 'ops', createdBy: 'user:root' } });
    expect((await alice('GET /groups')).status).toBe(403);
    expect((await root('PUT /groups/ops/members/alice')).status).toBe(204);
    expect((await root('PUT /groups/ops/members/alice')).status).toBe(204);
    expect((await alice('GET /groups')).body).toMatchObject({ groups: [{ name: 'ops' }] });
    expect((await alice('GET /groups/ops')).body).toMatchObject({ members: ['alice'] });
    expect((await root('DELETE /groups/ops/members/alice')).status).toBe(204);
    expect((await alice('GET /groups')).status).toBe(403);
    await root('PUT /groups/ops/members/alice');
    expect((await root('DELETE /groups/ops')).status).toBe(204);
    expect((await alice('GET /groups')).status).toBe(403);
    expect((await root('GET /users/alice')).body).toMatchObject({ groups: [] });
  });

  it('and users must exist to come together', async () => {
    const root = await (await openApi()).as('root');
    await root('POST /groups', { name: 'team' });
    expect((await root('POST /groups', { name: 'team' })).status).toBe(409);
    for (const line of [
      'PUT /groups/team/members/nobody',
      'DELETE /groups/team/members/nobody',
      'PUT /groups/none/members/root',
      'DELETE /groups/none/members/root',
      'GET /groups/none',
      'DELETE /groups/none',
    ]) {
      expect([line, (await root(line)).status]).toEqual([line, 404]);
    }
  });

  it('of one user are 40 at most', async () => {
    const root = await (await openApi()).as('root');
    for (let made = 0; made < 41; made += 1) await root('POST /groups', { name: `g${made}` });
    for (let joined = 0; joined < 40; joined += 1) await root(`PUT /groups/g${joined}/members/root`);
    expect((await root('PUT /groups/g40/members/root')).status).toBe(409);
    expect((await root('PUT /groups/g39/members/root')).status).toBe(204);
    expect((await root('GET /me')).status).toBe(200);
  });
});

describe('grants', () => {
  it('are set, replaced, listed and taken away, one pattern at a time', async () => {
    const api = await openApi();
    await api.addUser('alice');
    const root = await api.as('root');
    const set = (pattern: string, ...actions: string[]) =>
      root('PUT /grants', { subject: 'user:alice', pattern, actions });
    expect(await set('team/*', 'pull')).toMatchObject({
      status: 200,
      body: { subject: 'user:alice', pattern: 'team/*', actions: ['pull'] },
    });
    await set('other/app', 'push');
    await set('team/*', 'push', 'delete');
    const list = await root('GET /grants?subject=user:alice');
    expect(list.body).toEqual({
      grants: [
        { subject: 'user:alice', pattern: 'team/*', actions: ['push', 'delete'] },
        { subject: 'user:alice', pattern: 'other/app', actions: ['push'] },
      ],
    });
    expect((await root('DELETE /grants?subject=user:alice&pattern=team/*')).status).toBe(204);
    expect((await root('DELETE /grants?subject=user:alice&pattern=team/*')).status).toBe(404);
    expect((await root('DELETE /grants?subject=user:nobody&pattern=team/*')).status).toBe(404);
  });

  it('hold at once, also for an access token that was made before', async () => {
    const api = await openApi();
    await api.addUser('alice');
    const [root, alice] = [await api.as('root'), await api.as('alice')];
    expect((await alice('GET /users')).status).toBe(403);
    await root('PUT /grants', { subject: 'user:alice', pattern: '*', actions: ['admin'] });
    expect((await alice('GET /users')).status).toBe(200);
    await root('DELETE /grants?subject=user:alice&pattern=*');
    expect((await alice('GET /users')).status).toBe(403);
  });

  it('of all subjects come in pages of subjects', async () => {
    const api = await openApi();
    const root = await api.as('root');
    await root('POST /groups', { name: 'team', grants: [grant('team/*', 'push'), grant('base/*', 'pull')] });
    await root('POST /robots', { name: 'ci', grants: [grant('team/*', 'push')] });
    const first = await root('GET /grants?n=1');
    expect(first.body).toMatchObject({
      grants: [{ subject: 'group:team', pattern: 'team/*' }, { pattern: 'base/*' }],
      next: 'group:team',
    });
    const second = await root('GET /grants?n=2&last=group:team');
    expect(second.body['grants']).toMatchObject([{ subject: 'robot:ci' }, { subject: 'user:root' }]);
    expect(second.body).not.toHaveProperty('next');
    expect((await root('GET /grants?subject=robot:none')).status).toBe(404);
  });

  it('are given within a pattern by whoever is admin of it, and no further', async () => {
    const api = await openApi();
    await api.addUser('lead', grant('team/*', 'admin'), grant('other/*', 'push'));
    await api.addUser('alice');
    const lead = await api.as('lead');
    const set = (pattern: string) =>
      lead('PUT /grants', { subject: 'user:alice', pattern, actions: ['admin'] });
    expect((await set('team/app')).status).toBe(200);
    expect((await set('team/sub/*')).status).toBe(200);
    for (const pattern of ['*', 'team*', 'other/*', 'te*/app', '*/app']) {
      const { status, body } = await set(pattern);
      expect([pattern, status]).toEqual([pattern, 403]);
      expect(body['detail']).toBe(`user:lead lacks the grant "admin" on the pattern ${pattern}`);
    }
    expect((await lead('DELETE /grants?subject=user:root&pattern=*')).status).toBe(403);
    expect((await lead('DELETE /grants?subject=user:alice&pattern=team/app')).status).toBe(204);
    expect((await lead('GET /grants')).status).toBe(403);
  });

  it('are for subjects that exist, and 100 at most of each', async () => {
    const root = await (await openApi()).as('root');
    const set = (subject: string, pattern: string) =>
      root('PUT /grants', { subject, pattern, actions: ['pull'] });
    for (const subject of ['user:nobody', 'robot:nobody', 'group:nobody']) {
      expect((await set(subject, 'a')).status).toBe(404);
    }
    expect((await set('alice', 'a')).body).toMatchObject({ status: 400, errors: [{ path: 'subject' }] });
    for (let made = 0; made < 99; made += 1) await set('user:root', `a${made}`);
    expect((await set('user:root', 'b')).status).toBe(409);
    expect((await set('user:root', 'a1')).status).toBe(200);
  });

  it('leave one admin: two who take it from each other at once do not both succeed', async () => {
    const api = await openApi();
    await api.addUser('alice', grant('*', 'admin'));
    const [root, alice] = [await api.as('root'), await api.as('alice')];
    let other: Awaited<ReturnType<typeof alice>> | undefined;
    api.justBefore('#', async () => {
      other = await alice('DELETE /grants?subject=user:root&pattern=*');
    });
    const mine = await root('DELETE /grants?subject=user:alice&pattern=*');
    expect([mine.status, other?.status]).toEqual([409, 204]);
    const last = await alice('PUT /grants', { subject: 'user:alice', pattern: '*', actions: ['pull'] });
    expect(last).toMatchObject({ status: 409 });
  });

  it('of a group do not count: an admin by a group alone is not the one who is left', async () => {
    const api = await openApi();
    await api.addUser('alice');
    const root = await api.as('root');
    await root('POST /groups', { name: 'ops', grants: [grant('*', 'admin')] });
    await root('PUT /groups/ops/members/alice');
    expect((await root('DELETE /grants?subject=user:root&pattern=*')).status).toBe(409);
    expect((await root('DELETE /grants?subject=group:ops&pattern=*')).status).toBe(204);
  });
});

describe('issuers', () => {
  const github = {
    issuer: 'https://token.actions.githubusercontent.com',
    audience: 'registry.example',
    rules: [{ claims: { repository: 'team/*' }, grants: [grant('team/*', 'push')] }],
  };

  it('are set, changed, listed and deleted', async () => {
    const api = await openApi();
    const root = await api.as('root');
    expect((await root('PUT /issuers/github', github)).body).toMatchObject({ name: 'github', ...github });
    api.clock += 1000;
    await root('PUT /issuers/github', { ...github, rules: [] });
    expect((await root('GET /issuers')).body).toEqual({
      issuers: [{ name: 'github', ...github, rules: [], createdAt: '2026-01-01T00:00:00.000Z' }],
    });
    expect((await root('DELETE /issuers/github')).status).toBe(204);
    expect((await root('DELETE /issuers/github')).status).toBe(404);
  });

  it('are reached where nobody can write on the way, and give nothing to everybody', async () => {
    const root = await (await openApi()).as('root');
    const errors = async (change: object, name = 'x') =>
      (await root(`PUT /issuers/${name}`, { ...github, ...change })).body['errors'];
    for (const issuer of ['http://issuer.example', 'issuer.example', 'ftp://localhost/', 'https://a/?b=c']) {
      expect(await errors({ issuer })).toMatchObject([{ path: 'issuer' }]);
    }
    expect(await errors({ issuer: 'http://127.0.0.1:9000' })).toBeUndefined();
    expect(await errors({ rules: [{ ...github.rules[0], claims: {} }] })).toMatchObject([
      { path: 'rules.0.claims' },
    ]);
    expect(await errors({ rules: [{ ...github.rules[0], grants: [] }] })).toMatchObject([
      { path: 'rules.0.grants' },
    ]);
    expect(await errors({}, 'Git_Hub')).toMatchObject([{ path: 'issuer' }]);
  });

  it.each([
    [{ repository: '*' }],
    [{ repository: '*/app' }],
    [{ repository: 'acme*/app' }],
    [{ repository_owner: 'acme*' }],
    [{ ref: 'refs/heads/main' }],
    [{ sub: 'repo:*' }],
    [{ sub: 'repo:acme*' }],
    [{ sub: '*' }],
    [{ iss: 'https://token.actions.githubusercontent.com' }],
    [{ repository: '*/*', event_name: 'push' }],
    [{ job_workflow_ref: 'acme/ci/.github/workflows/push.yml@*' }],
  ])('of everybody need a claim that names an owner: GitHub and %o', async (claims) => {
    const root = await (await openApi()).as('root');
    const rules = [github.rules[0], { claims, grants: [grant('*', 'push')] }];
    for (const issuer of [github.issuer, 'https://Token.Actions.GitHubUserContent.com/'])
      expect((await root('PUT /issuers/github', { ...github, issuer, rules })).body['errors']).toMatchObject([
        { path: 'rules.1.claims', message: expect.stringContaining('name an owner by repository_owner') },
      ]);
    const own = { ...github, issuer: 'https://gitlab.acme.example', rules };
    expect((await root('PUT /issuers/ours', own)).status).toBe(200);
  });

  it.each([
    ['https://token.actions.githubusercontent.com', { repository: 'acme/*' }],
    ['https://token.actions.githubusercontent.com', { repository_owner: 'acme' }],
    ['https://token.actions.githubusercontent.com', { sub: 'repo:acme/app:ref:refs/heads/*' }],
    ['https://token.actions.githubusercontent.com', { repository_owner_id: '123', ref: 'refs/heads/*' }],
    ['https://gitlab.com', { project_path: 'acme/*', ref_protected: 'true' }],
    ['https://gitlab.com', { sub: 'project_path:acme/app:*' }],
    ['https://accounts.google.com', { hd: 'acme.example' }],
    ['https://agent.buildkite.com', { sub: 'organization:acme:pipeline:*' }],
  ])('%s may have a rule for one owner: %o', async (issuer, claims) => {
    const root = await (await openApi()).as('root');
    const rules = [{ claims, grants: [grant('team/*', 'push')] }];
    expect((await root('PUT /issuers/x', { ...github, issuer, rules })).status).toBe(200);
  });

  it('are 20 at most', async () => {
    const root = await (await openApi()).as('root');
    for (let made = 0; made < 20; made += 1) await root(`PUT /issuers/i${made}`, github);
    expect((await root('PUT /issuers/i20', github)).status).toBe(409);
    expect((await root('PUT /issuers/i19', github)).status).toBe(200);
  });
});

it('a login as a member of 40 groups still works', async () => {
  const api = await openApi();
  const root = await api.as('root');
  const groups = Array.from({ length: 40 }, (_, index) => `g${index}`);
  for (const name of groups) await root('POST /groups', { name });
  const { body } = await root('POST /users', { name: 'alice', groups });
  const token = await tokenFor(api.send, { username: 'alice', password: `${body['password']}` });
  expect((await api.withToken(token)('GET /me')).status).toBe(200);
});
