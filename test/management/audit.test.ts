import { describe, expect, it } from 'vitest';
import { type Caller, DAY, grant, login, openApi, PASSWORD } from './fixture.ts';

async function records(caller: Caller, query = ''): Promise<Readonly<Record<string, unknown>>[]> {
  const { body } = await caller(`GET /audit${query}`);
  return body['records'] as Readonly<Record<string, unknown>>[];
}

describe('the audit trail', () => {
  it('tells every change: who, what, when, from where, and about whom', async () => {
    const api = await openApi();
    const root = await api.as('root');
    await root('POST /users', { name: 'alice' });
    api.clock += 1000;
    await root('PUT /grants', { subject: 'user:alice', pattern: 'team/*', actions: ['pull', 'push'] });
    await root('GET /users');
    api.clock += 1000;
    await root('PUT /repositories/team/app', { visibility: 'public' });
    expect(await records(root)).toEqual([
      {
        time: '2026-01-01T00:00:02.000Z',
        principal: 'user:root',
        operation: 'repository.set',
        outcome: 'allowed',
        status: 200,
        repository: 'team/app',
        target: 'visibility public',
        address: '192.0.2.1',
        userAgent: '',
      },
      expect.objectContaining({ operation: 'grant.set', target: 'user:alice team/*:pull,push' }),
      expect.objectContaining({ operation: 'user.create', target: 'user:alice', status: 201 }),
    ]);
  });

  it('tells what was refused, reads too, and what failed', async () => {
    const api = await openApi();
    await api.addUser('alice');
    const [root, alice] = [await api.as('root'), await api.as('alice')];
    await alice('GET /users');
    api.clock += 1;
    await root('DELETE /users/nobody');
    api.clock += 1;
    await login(api.send, 'alice', 'wrong');
    expect(await records(root)).toMatchObject([
      { principal: '?alice', operation: 'token.issue', outcome: 'refused', status: 401 },
      { principal: 'user:root', operation: 'user.delete', outcome: 'failed', status: 404 },
      { principal: 'user:alice', operation: 'user.list', outcome: 'refused', status: 403 },
    ]);
    expect(await records(root, '?outcome=refused&principal=user:alice')).toHaveLength(1);
    expect(await records(root, '?outcome=allowed')).toEqual([]);
  });

  it('is filtered by an operation or all of a kind, and without what was allowed of one', async () => {
    const api = await openApi();
    await api.addUser('alice');
    const root = await api.as('root');
    for (const line of ['POST /users', 'POST /groups']) {
      await root(line, { name: 'bob' });
      api.clock += 1;
    }
    await login(api.send, 'alice', PASSWORD);
    api.clock += 1;
    await login(api.send, 'alice', 'wrong');
    const done = async (query: string) =>
      (await records(root, query)).map(({ operation, outcome }) => `${operation} ${outcome}`);
    expect(await done('?operation=user.create')).toEqual(['user.create allowed']);
    expect(await done('?operation=group')).toEqual(['group.create allowed']);
    expect(await done('?operation=use')).toEqual([]);
    expect(await done('?operation=user.create&principal=user:alice')).toEqual([]);
    expect(await done('?operation=token')).toEqual(['token.issue refused', 'token.issue allowed']);
    expect(await done('?without=token.issue')).toEqual([
      'token.issue refused',
      'group.create allowed',
      'user.create allowed',
    ]);
    const refused = await root('GET /audit?operation=User.Create');
    expect(refused).toMatchObject({ status: 400, body: { errors: [{ path: 'operation' }] } });
  });

  it('never has a password or a secret', async () => {
    const api = await openApi();
    const root = await api.as('root');
    const { body } = await root('POST /robots', { name: 'ci', grants: [] });
    await root('POST /users', { name: 'alice', password: 'a very long password' });
    const text = JSON.stringify(await records(root));
    expect(text).not.toContain('a very long password');
    expect(text).not.toContain(`${body['secret']}`);
  });

  it('goes back a week unless asked for more, and is read in pages', async () => {
    const api = await openApi();
    for (const name of ['a', 'b', 'c']) {
      await (await api.as('root'))('POST /groups', { name });
      api.clock += 3 * DAY;
    }
    const later = await api.as('root');
    expect((await records(later)).map(({ target }) => target)).toEqual(['group:c', 'group:b']);
    const between = '?since=2026-01-01T00:00:00Z&until=2026-01-04T00:00:00Z';
    expect((await records(later, between)).map(({ target }) => target)).toEqual(['group:a']);
    const seen: unknown[] = [];
    for (let next: unknown = ''; next !== undefined; ) {
      const { body } = await later(
        `GET /audit?since=2025-06-01T00:00:00Z&n=1${next && `&last=${encodeURIComponent(`${next}`)}`}`,
      );
      seen.push(...(body['records'] as { target: string }[]).map(({ target }) => target));
      next = body['next'];
    }
    expect(seen).toEqual(['group:c', 'group:b', 'group:a']);
  });

  it('takes times of any year, and pages that never ended anywhere, without a failure', async () => {
    const root = await (await openApi()).as('root');
    for (const query of [
      'since=0001-01-01T00:00:00Z',
      'until=9999-12-31T23:59:59Z',
      'until=0001-01-01T00:00:00Z',
      'last=9999-12-31T23:59:59.999Z',
      'last=0001-01-01T00:00:00.000Z',
    ]) {
      expect([query, (await root(`GET /audit?${query}`)).status]).toEqual([query, 200]);
    }
    for (const last of ['x', '2026-99-99T00:00:00.000Z', '2026-01-01T00:00:00.000Z%23%23']) {
      const { status, body } = await root(`GET /audit?last=${last}`);
      expect([status, body['errors']]).toMatchObject([400, [{ path: 'last' }]]);
    }
  });

  it('of one repository is for its admins too', async () => {
    const api = await openApi();
    await api.addUser('lead', grant('team/*', 'admin'));
    const [root, lead] = [await api.as('root'), await api.as('lead')];
    await lead('PUT /repositories/team/app', { visibility: 'public' });
    await root('PUT /repositories/other/app', { visibility: 'public' });
    expect(await records(lead, '?repository=team/app')).toMatchObject([{ repository: 'team/app' }]);
    expect((await lead('GET /audit')).status).toBe(403);
    expect((await lead('GET /audit?repository=other/app')).status).toBe(403);
    expect((await lead('GET /audit?repository=Team')).status).toBe(400);
  });
});
