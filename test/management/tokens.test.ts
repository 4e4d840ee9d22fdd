import { describe, expect, it } from 'vitest';
import { DAY, grant, login, openApi, tokenFor } from './fixture.ts';

describe('access tokens', () => {
  it('are made by their user, shown once, listed and revoked at once', async () => {
    const api = await openApi();
    await api.addUser('alice', grant('team/*', 'push'));
    const alice = await api.as('alice');
    const grants = [grant('team/app', 'pull')];
    const validUntil = '2026-02-01T00:00:00.000Z';
    const made = await alice('POST /users/alice/tokens', { description: 'laptop', grants, validUntil });
    const secret = `${made.body['secret']}`;
    const token = { description: 'laptop', grants, createdAt: '2026-01-01T00:00:00.000Z', validUntil };
    expect(made).toMatchObject({ status: 201, body: { token } });
    expect(await login(api.send, 'alice', secret)).toBe(200);
    const list = await alice('GET /users/alice/tokens');
    expect(list.body).toMatchObject({ tokens: [{ ...token, lastUsedAt: '2026-01-01T00:00:00.000Z' }] });
    expect(JSON.stringify(list.body)).not.toContain(secret);
    const { id } = made.body['token'] as { id: string };
    expect((await alice(`DELETE /users/alice/tokens/${id}`)).status).toBe(204);
    expect((await alice(`DELETE /users/alice/tokens/${id}`)).status).toBe(404);
    expect(await login(api.send, 'alice', secret)).toBe(401);
  });

  it('end when they say so', async () => {
    const api = await openApi();
    const root = await api.as('root');
    const validUntil = '2026-01-02T01:00:00+01:00';
    const { body } = await root('POST /users/root/tokens', { description: 'a day', validUntil });
    api.clock += DAY - 1;
    expect(await login(api.send, 'root', `${body['secret']}`)).toBe(200);
    api.clock += 1;
    expect(await login(api.send, 'root', `${body['secret']}`)).toBe(401);
  });

  it('do not make or revoke others, unless they carry admin', async () => {
    const api = await openApi();
    await api.addUser('alice', grant('team/*', 'push'));
    const alice = await api.as('alice');
    const { body } = await alice('POST /users/alice/tokens', { description: 'leaked' });
    const { id } = body['token'] as { id: string };
    const leaked = await api.as({ username: 'alice', password: `${body['secret']}` });
    expect((await leaked('GET /users/alice/tokens')).status).toBe(200);
    const refused = await leaked('POST /users/alice/tokens', { description: 'more' });
    expect(refused).toMatchObject({ status: 403 });
    expect(refused.body['detail']).toContain('log in with the password');
    expect((await leaked(`DELETE /users/alice/tokens/${id}`)).status).toBe(403);
    const root = await api.as('root');
    const admins = await root('POST /users/root/tokens', { description: 'ops' });
    const ops = await api.as({ username: 'root', password: `${admins.body['secret']}` });
    expect((await ops('POST /users/alice/tokens', { description: 'for her' })).status).toBe(201);
    const limited = await root('POST /users/root/tokens', {
      description: 'limited',
      grants: [grant('team/*', 'admin')],
    });
    const less = await api.as({ username: 'root', password: `${limited.body['secret']}` });
    expect((await less('POST /users/root/tokens', { description: 'more' })).status).toBe(403);
  });

  it('of others are for admins only, and nobody learns who exists', async () => {
    const api = await openApi();
    await api.addUser('alice');
    await api.addUser('bob');
    const alice = await api.as('alice');
    for (const name of ['bob', 'nobody']) {
      expect((await alice(`GET /users/${name}/tokens`)).status).toBe(403);
      expect((await alice(`POST /users/${name}/tokens`, { description: '' })).status).toBe(403);
      expect((await alice(`DELETE /users/${name}/tokens/0123456789abcdef`)).status).toBe(403);
    }
    const root = await api.as('root');
    expect((await root('GET /users/nobody/tokens')).status).toBe(404);
    expect((await root('POST /users/nobody/tokens', { description: '' })).status).toBe(404);
  });

  it('are 100 at most, also where two are made at once', async () => {
    const api = await openApi();
    const root = await api.as('root');
    const make = () => root('POST /users/root/tokens', { description: '' });
    for (let made = 0; made < 99; made += 1) await make();
    const both = await Promise.all([make(), make()]);
    expect(both.map(({ status }) => status).sort()).toEqual([201, 409]);
  });

  it('cannot end in the past', async () => {
    const root = await (await openApi()).as('root');
    const validUntil = '2025-12-31T23:59:59Z';
    const past = await root('POST /users/root/tokens', { description: '', validUntil });
    expect(past).toMatchObject({ status: 400, body: { errors: [{ path: 'validUntil' }] } });
    const none = await root('POST /users/root/tokens', { description: '', validUntil: 'tomorrow' });
    expect(none).toMatchObject({ status: 400, body: { errors: [{ path: 'validUntil' }] } });
  });
});

describe('robots', () => {
  it('log in by their secret, until it is replaced or they are disabled or deleted', async () => {
    const api = await openApi();
    const root = await api.as('root');
    const grants = [grant('team/*', 'push')];
    const made = await root('POST /robots', { name: 'ci', description: 'builds', grants });
    expect(made).toMatchObject({ status: 201, body: { login: 'robot/ci', robot: { name: 'ci', grants } } });
    const first = `${made.body['secret']}`;
    expect(await login(api.send, 'robot/ci', first)).toBe(200);
    const validUntil = '2026-06-01T00:00:00.000Z';
    const renewed = await root('POST /robots/ci/secret', { validUntil });
    expect(renewed).toMatchObject({ status: 200, body: { robot: { validUntil } } });
    const second = `${renewed.body['secret']}`;
    expect(await login(api.send, 'robot/ci', first)).toBe(401);
    expect(await login(api.send, 'robot/ci', second)).toBe(200);
    expect((await root('GET /robots')).body).toMatchObject({
      robots: [{ name: 'ci', lastUsedAt: '2026-01-01T00:00:00.000Z' }],
    });
    await root('PATCH /robots/ci', { disabled: true });
    expect((await root('GET /robots/ci')).body).toMatchObject({ disabled: true, description: 'builds' });
    expect(await login(api.send, 'robot/ci', second)).toBe(401);
    await root('PATCH /robots/ci', { disabled: false, description: 'builds more' });
    const token = await tokenFor(api.send, { username: 'robot/ci', password: second });
    expect((await api.withToken(token)('GET /me')).status).toBe(200);
    expect((await root('DELETE /robots/ci')).status).toBe(204);
    expect((await api.withToken(token)('GET /me')).status).toBe(401);
    expect((await root('GET /robots/ci')).status).toBe(404);
  });

  it('that have ended are renewed with a new end, and not without', async () => {
    const api = await openApi();
    const validUntil = '2026-01-02T00:00:00.000Z';
    await (await api.as('root'))('POST /robots', { name: 'ci', grants: [], validUntil });
    api.clock += DAY;
    const root = await api.as('root');
    expect(await root('POST /robots/ci/secret', {})).toMatchObject({
      status: 400,
      body: { errors: [{ path: 'validUntil', message: 'is needed: robot ci ended on 2026-01-02' }] },
    });
    const { body } = await root('POST /robots/ci/secret', { validUntil: '2026-02-01T00:00:00Z' });
    expect(await login(api.send, 'robot/ci', `${body['secret']}`)).toBe(200);
  });

  it('are rotated with an overlap: both secrets hold until the old one ends, and no third', async () => {
    const api = await openApi();
    const root = await api.as('root');
    const made = await root('POST /robots', { name: 'ci', grants: [] });
    const renew = async (body: object) => `${(await root('POST /robots/ci/secret', body)).body['secret']}`;
    const formerValidUntil = '2026-01-02T00:00:00.000Z';
    const first = `${made.body['secret']}`;
    const second = await renew({ formerValidUntil });
    expect((await root('GET /robots/ci')).body).toMatchObject({ formerValidUntil });
    const tokens = await Promise.all(
      [first, second].map((password) => tokenFor(api.send, { username: 'robot/ci', password })),
    );
    for (const token of tokens) expect((await api.withToken(token)('GET /me')).status).toBe(200);
    api.clock += DAY;
    const later = await api.as('root');
    expect(await login(api.send, 'robot/ci', first)).toBe(401);
    expect(await login(api.send, 'robot/ci', second)).toBe(200);
    expect((await later('GET /robots/ci')).body).not.toHaveProperty('formerValidUntil');
    const third = `${(await later('POST /robots/ci/secret', { formerValidUntil: '2026-01-09T00:00:00Z' })).body['secret']}`;
    const fourth = `${(await later('POST /robots/ci/secret', { formerValidUntil: '2026-01-09T00:00:00Z' })).body['secret']}`;
    const codes = [second, third, fourth].map((secret) => login(api.send, 'robot/ci', secret));
    expect(await Promise.all(codes)).toEqual([401, 200, 200]);
    await later('POST /robots/ci/secret', {});
    for (const secret of [third, fourth]) expect(await login(api.send, 'robot/ci', secret)).toBe(401);
  });

  it('keep an old secret no longer than it had, nor than 90 days', async () => {
    const api = await openApi();
    const root = await api.as('root');
    const validUntil = '2026-01-05T00:00:00.000Z';
    await root('POST /robots', { name: 'ci', grants: [], validUntil });
    const renewal = { validUntil: '2026-06-01T00:00:00Z', formerValidUntil: '2026-02-01T00:00:00Z' };
    expect((await root('POST /robots/ci/secret', renewal)).body).toMatchObject({
      robot: { formerValidUntil: validUntil },
    });
    expect(await root('POST /robots/ci/secret', { formerValidUntil: '2026-05-01T00:00:00Z' })).toMatchObject({
      status: 400,
      body: { errors: [{ path: 'formerValidUntil', message: 'must be within 90 days' }] },
    });
  });

  it('have names that are free among robots', async () => {
    const root = await (await openApi()).as('root');
    const make = (name: string) => root('POST /robots', { name, grants: [] });
    expect((await make('root')).status).toBe(201);
    expect((await make('root')).status).toBe(409);
    expect((await make('robot/x')).body).toMatchObject({ errors: [{ path: 'name' }] });
    const robots = ['GET /robots/x', 'DELETE /robots/x', 'PATCH /robots/x', 'POST /robots/x/secret'];
    for (const line of robots) expect((await root(line)).status).toBe(404);
  });
});
