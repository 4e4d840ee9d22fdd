import { describe, expect, it } from 'vitest';
import { policiesKey } from '../../functions/registry/keys.ts';
import { openApi } from './fixture.ts';

const KEEP = {
  repositories: ['team-a/*'],
  retention: {
    pins: ['latest'],
    tags: [{ match: ['dev-*'], keepLast: 10, keepPulledWithinDays: 30 }],
    untaggedAfterDays: 14,
  },
};
const QUOTA = { repositories: ['*'], quota: { each: { bytes: 1e12, tags: 100 }, together: { tags: 1000 } } };

describe('policies', () => {
  it('are set, changed, listed by name, and deleted', async () => {
    const root = await (await openApi()).as('root');
    expect((await root('GET /policies')).body).toEqual({ policies: [] });
    expect(await root('PUT /policies/team-a', KEEP)).toMatchObject({
      status: 200,
      body: { name: 'team-a', ...KEEP },
    });
    await root('PUT /policies/all', QUOTA);
    expect((await root('GET /policies')).body).toEqual({
      policies: [
        { name: 'all', ...QUOTA },
        { name: 'team-a', ...KEEP },
      ],
    });
    const changed = { repositories: ['*'], immutable: { tags: ['v*'], except: ['v0*'] } };
    await root('PUT /policies/all', changed);
    expect((await root('GET /policies/all')).body).toEqual({ name: 'all', ...changed });
    expect((await root('DELETE /policies/all')).status).toBe(204);
    expect((await root('DELETE /policies/all')).status).toBe(404);
    expect((await root('GET /policies/all')).status).toBe(404);
    expect((await root('GET /policies/team-a')).status).toBe(200);
  });

  it('that are set at the same moment are both there afterwards', async () => {
    const api = await openApi();
    const root = await api.as('root');
    api.justBefore('#', () => root('PUT /policies/second', QUOTA));
    await root('PUT /policies/first', KEEP);
    const { policies } = (await root('GET /policies')).body as { policies: { name: string }[] };
    expect(policies.map(({ name }) => name)).toEqual(['first', 'second']);
    expect(await api.table.get(policiesKey)).toMatchObject({ version: 2 });
  });

  it('say where they do not fit', async () => {
    const root = await (await openApi()).as('root');
    const paths = async (body: object) => {
      const errors = (await root('PUT /policies/x', body)).body['errors'] as { path: string }[] | undefined;
      return errors?.map(({ path }) => path);
    };
    const tags = (rule: object) => ({ repositories: ['a'], retention: { tags: [rule] } });
    expect(await paths({ repositories: ['a'] })).toEqual(['']);
    expect(await paths({ ...KEEP, repositories: [] })).toEqual(['repositories']);
    expect(await paths({ ...KEEP, repositories: ['Team'] })).toEqual(['repositories.0']);
    expect(await paths({ ...KEEP, name: 'x' })).toEqual(['name']);
    expect(await paths(tags({ match: ['v*'] }))).toEqual(['retention.tags.0']);
    expect(await paths(tags({ match: ['-x'], keepLast: 0 }))).toEqual([
      'retention.tags.0.match.0',
      'retention.tags.0.keepLast',
    ]);
    expect(await paths(tags({ match: ['v*'], keepFirst: 1 }))).toContain('retention.tags.0.keepFirst');
    expect(await paths({ repositories: ['a'], immutable: { tags: [] } })).toEqual(['immutable.tags']);
    expect(await paths({ repositories: ['a'], quota: {} })).toEqual(['quota']);
    expect(await paths({ repositories: ['a'], quota: { each: { bytes: -1 } } })).toEqual([
      'quota.each.bytes',
    ]);
  });

  it('have names that fit into a path; one that cannot be is a 404 to read and a 400 to set', async () => {
    const root = await (await openApi()).as('root');
    for (const name of ['Team', '-a', 'x'.repeat(65), '%00']) {
      expect((await root(`GET /policies/${name}`)).status).toBe(404);
      expect((await root(`DELETE /policies/${name}`)).status).toBe(404);
      expect((await root(`PUT /policies/${name}`, KEEP)).status).toBe(400);
    }
    expect((await root('PUT /policies/a.b_c-1', KEEP)).status).toBe(200);
  });

  it('are 64 KiB at most, all together; what is there already stays', async () => {
    const root = await (await openApi()).as('root');
    const large = { ...KEEP, repositories: Array.from({ length: 100 }, (_, n) => `${'x'.repeat(200)}${n}`) };
    for (const name of ['a', 'b', 'c']) expect((await root(`PUT /policies/${name}`, large)).status).toBe(200);
    const refused = await root('PUT /policies/d', large);
    expect(refused).toMatchObject({ status: 409, body: { detail: expect.stringContaining('64 KiB') } });
    expect((await root('GET /policies')).body['policies']).toHaveLength(3);
    expect((await root('PUT /policies/c', KEEP)).status).toBe(200);
  });
});
