import { beforeEach, describe, expect, it } from 'vitest';
import type { RepositoryName, Tag } from '../../functions/oci/reference.ts';
import { findTag } from '../../functions/registry/tags.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import { imageOf, push, pushBlob } from '../registry/fixture.ts';
import { type Api, type Caller, DAY, grant, openApi } from './fixture.ts';

const RULES = { tags: [{ match: ['dev-*'], keepLast: 10 }] };
const OURS = { repositories: ['team/*'], retention: RULES };

let api: Api;
let root: Caller;
let lead: Caller;

beforeEach(async () => {
  api = await openApi();
  await api.addUser('lead', grant('team/*', 'admin'));
  await api.addUser('other', grant('other/*', 'admin'), grant('team/*', 'push'));
  [root, lead] = [await api.as('root'), await api.as('lead')];
});

const statusOf = async (caller: Caller, line: string, body?: unknown) => (await caller(line, body)).status;

describe('who is admin of some repositories', () => {
  it('sets, sees, changes, confirms and deletes policies of these', async () => {
    expect(await lead('PUT /policies/ours', OURS)).toMatchObject({ status: 200, body: { isTeams: true } });
    expect((await lead('GET /policies')).body['policies']).toHaveLength(1);
    expect(await statusOf(lead, 'POST /policies/ours/confirm', {})).toBe(204);
    expect(
      await statusOf(lead, 'PUT /policies/ours?atOnce=true', { ...OURS, quota: { each: { tags: 5 } } }),
    ).toBe(200);
    expect(await statusOf(lead, 'DELETE /policies/ours')).toBe(204);
  });

  it.each([['*'], ['team*'], ['team/*', 'other/*'], ['*/app'], ['t*m/*'], ['team']])(
    'sets none that covers, or could cover, others: %s',
    async (...repositories) => {
      expect(await statusOf(lead, 'PUT /policies/ours', { ...OURS, repositories })).toBe(403);
      expect(
        await statusOf(lead, 'POST /previews', { policies: [{ name: 'x', ...OURS, repositories }] }),
      ).toBe(403);
      expect((await root('GET /policies')).body['policies']).toEqual([]);
    },
  );

  it('leaves those of the registry alone, also where they cover these repositories only', async () => {
    await root('PUT /policies/strict', { repositories: ['team/*'], retention: { pins: ['v*'] } });
    await root('PUT /policies/all', { repositories: ['*'], immutable: { tags: ['v*'] } });
    for (const name of ['strict', 'all']) {
      expect(await statusOf(lead, `PUT /policies/${name}`, OURS)).toBe(403);
      expect(await statusOf(lead, `PUT /policies/${name}?atOnce=true`, OURS)).toBe(403);
      expect(await statusOf(lead, `DELETE /policies/${name}`)).toBe(403);
      expect(await statusOf(lead, `POST /policies/${name}/confirm`, {})).toBe(403);
    }
    expect((await root('GET /policies/strict')).body).not.toHaveProperty('isTeams');
    // What is of others, or of more, is not shown.
    expect(await statusOf(lead, 'GET /policies/all')).toBe(404);
    const { policies } = (await lead('GET /policies')).body as { policies: { name: string }[] };
    expect(policies.map(({ name }) => name)).toEqual(['strict']);
  });

  it('cannot take away what policies of the registry keep or forbid', async () => {
    await root('PUT /policies/strict', {
      ...{ repositories: ['*'], retention: { pins: ['v*'] }, immutable: { tags: ['v*'] } },
      quota: { each: { tags: 3 } },
    });
    await push(api.registry, imageOf(await pushBlob(api.registry)), 'v1', 'dev-1');
    await lead('PUT /policies/ours?atOnce=true', {
      repositories: ['team/*'],
      retention: { tags: [{ match: ['*'], keepNewerThanDays: 1 }] },
      immutable: { tags: ['nothing'], except: ['v*'] },
      quota: { each: { tags: 1000 } },
    });
    for (let day = 0; day < 3; day += 1) {
      api.clock += DAY;
      const lease = { epochMs: DAY, quarantineMs: DAY, until: Number.POSITIVE_INFINITY };
      await sweepRepository(api.registry, 'team/app' as RepositoryName, lease);
    }
    expect(await findTag(api.registry, 'team/app' as RepositoryName, 'v1' as Tag)).toBeDefined();
    expect(await findTag(api.registry, 'team/app' as RepositoryName, 'dev-1' as Tag)).toBeUndefined();
    expect(await statusOf(await api.as('root'), 'DELETE /repositories/team/app/-/tags/v1')).toBe(403);
    const image = imageOf(await pushBlob(api.registry));
    await push(api.registry, image, 'a', 'b');
    await expect(push(api.registry, image, 'c')).rejects.toThrow(/policy "strict" allows 3 tags/);
  });

  it('may say only what a policy of the registry leaves them, and cannot say otherwise', async () => {
    await root('PUT /policies/limits', { repositories: ['team/*'], teams: ['quota'] });
    await push(api.registry, imageOf(await pushBlob(api.registry)), 'dev-1');
    await lead('PUT /policies/ours?atOnce=true', {
      repositories: ['team/*'],
      retention: { tags: [{ match: ['*'], keepNewerThanDays: 1 }] },
      quota: { each: { tags: 1 } },
    });
    expect(await statusOf(lead, 'PUT /policies/more', { ...OURS, teams: ['retention'] })).toBe(403);
    for (let day = 0; day < 3; day += 1) {
      api.clock += DAY;
      const lease = { epochMs: DAY, quarantineMs: DAY, until: Number.POSITIVE_INFINITY };
      await sweepRepository(api.registry, 'team/app' as RepositoryName, lease);
    }
    expect(await findTag(api.registry, 'team/app' as RepositoryName, 'dev-1' as Tag)).toBeDefined();
    const image = imageOf(await pushBlob(api.registry));
    await expect(push(api.registry, image, 'b')).rejects.toThrow(/policy "ours" allows 1 tag/);
  });

  it('try them as they would hold: as policies of a team', async () => {
    await root('PUT /policies/strict', { repositories: ['*'], immutable: { tags: ['v*'] } });
    for (const tag of ['v1', 'v2']) await push(api.registry, imageOf(await pushBlob(api.registry)), tag);
    api.clock += 3 * DAY;
    lead = await api.as('lead');
    const retention = { tags: [{ match: ['*'], keepNewerThanDays: 1 }] };
    const policies = [{ name: 'ours', repositories: ['team/*'], retention }];
    const { id } = (await lead('POST /previews', { policies })).body as { id: string };
    expect((await lead(`GET /previews/${id}`)).body['findings']).toEqual([]);
    const others = [{ name: 'strict', repositories: ['team/*'], retention }];
    expect(await statusOf(lead, 'POST /previews', { policies: others })).toBe(403);
  });

  it('changes nothing any more once they are not, nor do those who push or administer elsewhere', async () => {
    await lead('PUT /policies/ours', OURS);
    const { id } = (await lead('POST /previews', { policies: [{ name: 'ours', ...OURS }] })).body as {
      id: string;
    };
    expect(await statusOf(lead, `GET /previews/${id}`)).toBe(200);
    await root('DELETE /grants?subject=user:lead&pattern=team/*');
    await root('PUT /grants', { subject: 'user:lead', pattern: 'elsewhere/*', actions: ['admin'] });
    for (const caller of [lead, await api.as('other')]) {
      expect(await statusOf(caller, 'PUT /policies/ours', OURS)).toBe(403);
      expect(await statusOf(caller, 'DELETE /policies/ours')).toBe(403);
      expect(await statusOf(caller, 'POST /policies/ours/confirm', {})).toBe(403);
      expect(await statusOf(caller, 'GET /policies/ours')).toBe(404);
      expect(await statusOf(caller, `GET /previews/${id}`)).toBe(404);
      expect(await statusOf(caller, 'POST /previews', { policies: [{ name: 'x', ...OURS }] })).toBe(403);
    }
    // Nor by a detour: a policy of their own under that name.
    const theirs = { ...OURS, repositories: ['elsewhere/*'] };
    expect(await statusOf(lead, 'PUT /policies/ours', theirs)).toBe(403);
  });

  it('leaves room for those of the registry', async () => {
    const large = {
      ...OURS,
      repositories: Array.from({ length: 60 }, (_, n) => `team/${'x'.repeat(100)}${n}`),
    };
    expect(await statusOf(lead, 'PUT /policies/a', large)).toBe(200);
    expect(await statusOf(lead, 'PUT /policies/b', large)).toBe(200);
    const refused = await lead('PUT /policies/c', large);
    expect(refused).toMatchObject({ status: 409, body: { detail: expect.stringContaining('16 KiB') } });
    expect(await statusOf(root, 'PUT /policies/c', large)).toBe(200);
  });
});

describe('the endpoints', () => {
  it('tell what would go, what waits, and let it go once it is confirmed', async () => {
    for (let index = 0; index < 5; index += 1)
      await push(api.registry, imageOf(await pushBlob(api.registry)), `dev-${index}`);
    const policies = [
      { name: 'ours', repositories: ['team/*'], retention: { tags: [{ match: ['dev-*'], keepLast: 2 }] } },
    ];
    const { id } = (await lead('POST /previews', { policies, all: true })).body as { id: string };
    const page = (await lead(`GET /previews/${id}`)).body as {
      findings: { repository: string }[];
      counts: object;
    };
    expect(page.counts).toMatchObject({ tags: 3, repositories: 1 });
    expect(page.findings.filter(({ repository }) => repository === 'team/app').length).toBeGreaterThan(5);
    await lead('PUT /policies/ours', {
      repositories: ['team/*'],
      retention: { tags: [{ match: ['dev-*'], keepLast: 2 }] },
    });
    const plan = (await lead('GET /repositories/team/app/-/retention')).body as {
      counts: object;
      next?: string;
    };
    expect(plan.counts).toMatchObject({ tags: 3 });
    expect((await lead('POST /repositories/team/app/-/sweep', {})).body).toMatchObject({ deleted: {} });
    expect((await lead('GET /waiting?policy=ours')).body['waiting']).toMatchObject([
      { policy: 'ours', repository: 'team/app', tags: 3, ofTags: 5 },
    ]);
    expect((await (await api.as('other'))('GET /waiting')).body['waiting']).toEqual([]);
    await lead('POST /policies/ours/confirm', {});
    expect((await lead('POST /repositories/team/app/-/sweep', {})).body).toMatchObject({
      deleted: { tag: 3 },
    });
    const { records } = (await lead('GET /audit?repository=team/app&principal=retention:ours')).body as {
      records: { deletion: object }[];
    };
    expect(records).toHaveLength(3);
    expect(records[0]).toMatchObject({ operation: 'retention.delete', deletion: { kind: 'tag', rule: 0 } });
  });

  it('list what can come back, and purge a secret', async () => {
    const secret = await pushBlob(api.registry);
    const digest = await push(api.registry, imageOf(secret), 'v1');
    expect(await statusOf(lead, 'DELETE /repositories/team/app/-/tags/v1')).toBe(204);
    expect((await lead('GET /repositories/team/app/-/trash')).body['next']).toBe('tag ');
    const { entries } = (await lead('GET /repositories/team/app/-/trash?last=tag%20')).body as {
      entries: object[];
    };
    expect(entries.length).toBeLessThanOrEqual(1);
    expect(await statusOf(lead, 'POST /purge', { digest: secret.digest })).toBe(403);
    expect(await statusOf(lead, 'POST /repositories/other/app/-/purge', { digest: secret.digest })).toBe(404);
    const dry = await lead('POST /repositories/team/app/-/purge', { digest: secret.digest, dryRun: true });
    expect(dry.body['entries']).toHaveLength(2);
    await root('PUT /policies/strict', { repositories: ['*'], immutable: { tags: ['v*'] } });
    await push(api.registry, imageOf(secret), 'v1');
    expect(await statusOf(lead, 'POST /repositories/team/app/-/purge', { digest: secret.digest })).toBe(403);
    const purged = await root('POST /purge', { digest: secret.digest });
    expect(purged.body).toMatchObject({ remaining: false, objects: [expect.stringMatching(/^blobs\//)] });
    expect(await statusOf(root, `POST /repositories/team/app/-/restore`, { digest })).toBe(409);
    const { records } = (await root('GET /audit')).body as {
      records: { operation: string; target?: string }[];
    };
    expect(records).toContainEqual(
      expect.objectContaining({ operation: 'registry.purge', target: `purge ${secret.digest}` }),
    );
  });
});
