import { describe, expect, it } from 'vitest';
import { digestOf } from '../../functions/oci/digest.ts';
import { policiesKey } from '../../functions/registry/keys.ts';
import { imageOf, push, pushBlob } from '../registry/fixture.ts';
import { openApi, PASSWORD, tokenFor } from './fixture.ts';

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

describe('what a policy refuses', () => {
  it('is a 403 whose one error is DENIED, and says why: pushes, deletes and uploads', async () => {
    const api = await openApi();
    const root = await api.as('root');
    const [first, second] = [imageOf(await pushBlob(api.registry)), imageOf(await pushBlob(api.registry))];
    await push(api.registry, first, 'v1');
    await root('PUT /policies/strict', {
      repositories: ['team/*'],
      immutable: { tags: ['v*'] },
      quota: { each: { bytes: 200, tags: 1 } },
    });
    const scope = 'repository:team/app:pull,push,delete';
    const authorization = `Bearer ${await tokenFor(api.send, { username: 'root', password: PASSWORD }, scope)}`;
    const refusals: string[] = [];
    const send = async (method: string, path: string, body?: Buffer<ArrayBuffer>) => {
      const headers = { authorization, 'content-type': 'application/vnd.oci.image.manifest.v1+json' };
      const url = `http://registry.test/v2/team/app/${path}`;
      const response = await api.send(new Request(url, { method, headers, ...(body && { body }) }));
      const { errors } = (await response.json()) as { errors: { code: string; message: string }[] };
      refusals.push(`${response.status} ${errors.map(({ code, message }) => `${code} ${message}`)}`);
    };
    await send('PUT', 'manifests/v1', Buffer.from(second));
    await send('DELETE', 'manifests/v1');
    await send('PUT', 'manifests/latest', Buffer.from(first));
    await send('POST', `blobs/uploads/?digest=${digestOf('sha256', second)}`, Buffer.from(second));
    expect(refusals).toEqual([
      expect.stringMatching(/^403 DENIED tag v1 of team\/app is immutable by the policy "strict"/),
      expect.stringMatching(/^403 DENIED tag v1 of team\/app .* it cannot be deleted$/),
      expect.stringMatching(/^403 DENIED the quota of the policy "strict" allows 1 tag in/),
      expect.stringMatching(/^403 DENIED the quota of the policy "strict" allows 200 B of blobs/),
    ]);
    expect(await root('DELETE /repositories/team/app/-/tags/v1')).toMatchObject({
      status: 403,
      body: { detail: expect.stringContaining('immutable') },
    });
    expect((await root('DELETE /repositories/team/app')).status).toBe(403);
  });
});
