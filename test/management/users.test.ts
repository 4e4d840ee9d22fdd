import { describe, expect, it } from 'vitest';
import { DAY, grant, login, openApi, PASSWORD } from './fixture.ts';

const NEW_PASSWORD = 'another horse, another battery';

describe('users', () => {
  it('are made, listed, read, changed and deleted by an admin', async () => {
    const api = await openApi();
    const root = await api.as('root');
    const grants = [grant('team/*', 'push')];
    const made = await root('POST /users', { name: 'alice', password: PASSWORD, description: 'A.', grants });
    const alice = {
      name: 'alice',
      description: 'A.',
      disabled: false,
      groups: [],
      grants,
      createdAt: '2026-01-01T00:00:00.000Z',
      createdBy: 'user:root',
    };
    expect(made).toMatchObject({ status: 201, body: { user: alice } });
    expect((await root('GET /users/alice')).body).toEqual(alice);
    expect((await root('GET /users')).body).toMatchObject({ users: [alice, { name: 'root' }] });
    const changed = await root('PATCH /users/alice', { description: 'B.' });
    expect(changed).toMatchObject({ status: 200, body: { ...alice, description: 'B.' } });
    expect(await login(api.send, 'alice', PASSWORD)).toBe(200);
    expect((await root('DELETE /users/alice')).status).toBe(204);
    expect((await root('GET /users/alice')).status).toBe(404);
    expect(await login(api.send, 'alice', PASSWORD)).toBe(401);
  });

  it('get a generated password, shown once, where none is given', async () => {
    const api = await openApi();
    const root = await api.as('root');
    const { body } = await root('POST /users', { name: 'alice' });
    expect(await login(api.send, 'alice', `${body['password']}`)).toBe(200);
    expect(JSON.stringify((await root('GET /users/alice')).body)).not.toContain(`${body['password']}`);
    const given = await root('POST /users', { name: 'bob', password: PASSWORD });
    expect(given.body).not.toHaveProperty('password');
  });

  it('are in their groups from the start, and not made where there is no such group', async () => {
    const root = await (await openApi()).as('root');
    await root('POST /groups', { name: 'team' });
    expect((await root('POST /users', { name: 'alice', groups: ['team', 'nobody'] })).status).toBe(404);
    expect((await root('GET /users/alice')).status).toBe(404);
    const { body } = await root('POST /users', { name: 'alice', groups: ['team', 'team'] });
    expect(body).toMatchObject({ user: { groups: ['team'] } });
    expect((await root('GET /groups/team')).body).toMatchObject({ members: ['alice'] });
  });

  it('have names that are free, and that mean nothing else', async () => {
    const root = await (await openApi()).as('root');
    expect((await root('POST /users', { name: 'root' })).status).toBe(409);
    for (const name of ['oidc', 'anonymous', 'Alice', 'a/b', '']) {
      const { status, body } = await root('POST /users', { name });
      expect([name, status, body['errors']]).toMatchObject([name, 400, [{ path: 'name' }]]);
    }
  });

  it('come in pages', async () => {
    const api = await openApi();
    const root = await api.as('root');
    for (const name of ['a', 'b', 'c']) await api.addUser(name);
    const first = await root('GET /users?n=2');
    expect(first.body).toMatchObject({ users: [{ name: 'a' }, { name: 'b' }], next: 'b' });
    const second = await root('GET /users?n=2&last=b');
    expect(second.body).toMatchObject({ users: [{ name: 'c' }, { name: 'root' }] });
    expect(second.body).not.toHaveProperty('next');
  });

  it('whose grants would not fit into one answer come in shorter pages', async () => {
    const root = await (await openApi()).as('root');
    const names = Array.from({ length: 60 }, (_, index) => `user-${index + 10}`);
    const grants = Array.from({ length: 100 }, (_, index) => grant('x'.repeat(200) + index, 'pull', 'push'));
    for (const name of names) await root('POST /robots', { name, grants });
    const seen: string[] = [];
    for (let next: unknown = ''; next !== undefined; ) {
      const { body } = await root(`GET /robots?n=1000${next && `&last=${next}`}`);
      const robots = body['robots'] as { name: string }[];
      expect(robots.length).toBeLessThan(60);
      seen.push(...robots.map(({ name }) => name));
      next = body['next'];
    }
    expect(seen).toEqual(names);
  });

  it('who are disabled are out at once, with every token they had', async () => {
    const api = await openApi();
    await api.addUser('alice', grant('*', 'admin'));
    const [root, alice] = [await api.as('root'), await api.as('alice')];
    expect((await alice('GET /users')).status).toBe(200);
    await root('PATCH /users/alice', { disabled: true });
    const refused = await alice('GET /users');
    expect(refused.status).toBe(401);
    expect(refused.headers.get('www-authenticate')).toContain('scope="registry:api:*",error="invalid_token"');
    expect(await login(api.send, 'alice', PASSWORD)).toBe(401);
    await root('PATCH /users/alice', { disabled: false });
    expect((await alice('GET /users')).status).toBe(200);
  });

  it('cannot disable or delete themselves, and the last admin stays', async () => {
    const api = await openApi();
    const root = await api.as('root');
    expect((await root('PATCH /users/root', { disabled: true })).status).toBe(409);
    expect((await root('DELETE /users/root')).status).toBe(409);
    const robot = await root('POST /robots', { name: 'ops', grants: [grant('*', 'admin')] });
    const ops = await api.as({ username: 'robot/ops', password: `${robot.body['secret']}` });
    expect((await ops('PATCH /users/root', { disabled: true })).status).toBe(409);
    expect((await ops('DELETE /users/root')).body['detail']).toContain('last admin');
    await api.addUser('alice', grant('*', 'admin'));
    expect((await ops('DELETE /users/root')).status).toBe(204);
    expect((await ops('DELETE /users/alice')).status).toBe(409);
  });

  it('who are made again after a delete have none of the tokens and groups of before', async () => {
    const api = await openApi();
    const root = await api.as('root');
    await root('POST /groups', { name: 'team' });
    await root('POST /users', { name: 'alice', password: PASSWORD, groups: ['team'] });
    const { body } = await root('POST /users/alice/tokens', { description: 'old' });
    await root('DELETE /users/alice');
    await root('POST /users', { name: 'alice', password: PASSWORD });
    expect(await login(api.send, 'alice', `${body['secret']}`)).toBe(401);
    expect((await root('GET /users/alice/tokens')).body).toEqual({ tokens: [] });
    expect((await root('GET /groups/team')).body).toMatchObject({ members: [] });
  });

  it('do not keep a token that is made while they are deleted', async () => {
    const api = await openApi();
    const root = await api.as('root');
    await root('POST /users', { name: 'alice' });
    let late: Awaited<ReturnType<typeof root>> | undefined;
    api.justBefore('#', async () => {
      late = await root('POST /users/alice/tokens', { description: 'late' });
    });
    expect((await root('DELETE /users/alice')).status).toBe(204);
    expect(late?.status).toBe(201);
    await root('POST /users', { name: 'alice' });
    expect((await root('GET /users/alice/tokens')).body).toEqual({ tokens: [] });
  });
});

describe('passwords', () => {
  it('are replaced by an admin, and what rested on the old one is void', async () => {
    const api = await openApi();
    await api.addUser('alice');
    const [root, alice] = [await api.as('root'), await api.as('alice')];
    expect(await root('PUT /users/alice/password', { password: NEW_PASSWORD })).toMatchObject({
      status: 200,
      body: {},
    });
    expect((await alice('GET /me')).status).toBe(401);
    expect(await login(api.send, 'alice', PASSWORD)).toBe(401);
    expect(await login(api.send, 'alice', NEW_PASSWORD)).toBe(200);
    const generated = await root('PUT /users/alice/password');
    expect(await login(api.send, 'alice', `${generated.body['password']}`)).toBe(200);
    expect((await root('PUT /users/nobody/password')).status).toBe(404);
  });

  it('are replaced by their users, who must know the old one', async () => {
    const api = await openApi();
    await api.addUser('alice');
    const alice = await api.as('alice');
    const wrong = await alice('PUT /me/password', { current: 'wrong', new: NEW_PASSWORD });
    expect(wrong).toMatchObject({ status: 403, body: { detail: 'the current password is wrong' } });
    const changed = await alice('PUT /me/password', { current: PASSWORD, new: NEW_PASSWORD });
    expect(changed.status).toBe(204);
    expect((await alice('GET /me')).status).toBe(401);
    expect(await login(api.send, 'alice', NEW_PASSWORD)).toBe(200);
  });

  it('cannot be guessed through the API faster than at a login', async () => {
    const api = await openApi();
    await api.addUser('alice');
    const alice = await api.as('alice');
    const guess = () => alice('PUT /me/password', { current: 'wrong', new: NEW_PASSWORD });
    for (let tried = 0; tried < 10; tried += 1) expect((await guess()).status).toBe(403);
    const limited = await guess();
    expect(limited.status).toBe(429);
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await login(api.send, 'alice', 'wrong')).toBe(429);
    api.clock += DAY / 100;
    expect(await login(api.send, 'alice', PASSWORD)).toBe(200);
  });

  it('are not changed by whoever has a token only', async () => {
    const api = await openApi();
    const root = await api.as('root');
    const { body } = await root('POST /users/root/tokens', { description: 'cli' });
    const byToken = await api.as({ username: 'root', password: `${body['secret']}` });
    const { status } = await byToken('PUT /me/password', { current: PASSWORD, new: NEW_PASSWORD });
    expect(status).toBe(403);
  });
});

describe('me', () => {
  it('says who the caller is, user or robot', async () => {
    const api = await openApi();
    await api.addUser('alice', grant('team/*', 'pull'));
    const root = await api.as('root');
    expect((await root('GET /me')).body).toMatchObject({ principal: 'user:root', admin: true });
    expect((await (await api.as('alice'))('GET /me')).body).toMatchObject({
      principal: 'user:alice',
      admin: false,
      user: { name: 'alice', grants: [grant('team/*', 'pull')] },
    });
    const { body } = await root('POST /robots', { name: 'ci', grants: [] });
    const robot = await api.as({ username: 'robot/ci', password: `${body['secret']}` });
    expect((await robot('GET /me')).body).toEqual({ principal: 'robot:ci', admin: false });
  });
});
