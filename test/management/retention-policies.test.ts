import { expect, it } from 'vitest';
import { policiesKey } from '../../functions/registry/keys.ts';
import { imageOf, push, pushBlob, REPOSITORY } from '../registry/fixture.ts';
import { DAY, openApi } from './fixture.ts';

async function faultsOf(retention: object): Promise<string[]> {
  const root = await (await openApi()).as('root');
  const { status, body } = await root('PUT /policies/p', { repositories: ['*'], retention });
  if (status === 200) return [];
  expect(status).toBe(400);
  return (body['errors'] as { path: string; message: string }[]).map(
    ({ path, message }) => `${path} ${message}`,
  );
}

const rule = (more: object) => ({ tags: [{ match: ['v*'], ...more }] });

it.each([
  [rule({ keepLast: 0 }), 'retention.tags.0.keepLast of 0 keeps nothing'],
  [rule({ keepNewerThanDays: 0 }), 'retention.tags.0.keepNewerThanDays of 0 keeps nothing'],
  [{ untaggedAfterDays: 0 }, 'retention.untaggedAfterDays of 0 deletes a manifest as soon as'],
  [{ untagged: [{ keepLast: 0 }] }, 'retention.untagged.0.keepLast of 0 keeps nothing'],
  [rule({}), 'retention.tags.0 needs at least one of keepLast'],
  [rule({ keepNone: true, keepLast: 1 }), 'retention.tags.0.keepNone contradicts keepLast'],
  [rule({ keepLast: 1, with: ['a'] }), 'retention.tags.0.with needs "by": "image"'],
  [rule({ keepNewerThanDays: 1, per: 'minor' }), 'retention.tags.0.per needs one of keepLast'],
  [rule({ keepNewerThanDays: 1, among: { tags: ['*'] } }), 'retention.tags.0.among says what is counted'],
  [rule({ keepLast: 1, except: ['v*'] }), 'retention.tags.0.match.0 can match nothing'],
  [{ pins: ['*'], ...rule({ keepLast: 1 }) }, 'retention.tags.0.match.0 can match nothing'],
  [{ tags: [{ match: ['*'], keepNone: true }] }, 'retention.tags.0.keepNone deletes every tag'],
  [
    {
      tags: [
        { match: ['a'], keepLast: 3000 },
        { match: ['b'], keepLast: 3000 },
      ],
    },
    'retention.tags.1.keepLast is too large',
  ],
  [rule({ keepHighest: 1001 }), 'retention.tags.0.keepHighest'],
  [rule({ match: ['v['], keepLast: 1 }), 'retention.tags.0.match.0 has a [ that nothing closes'],
  [rule({ match: ['a b'], keepLast: 1 }), 'retention.tags.0.match.0 has a character that no tag has'],
  [rule({ keepLast: 1, per: '*-*' }), 'retention.tags.0.per needs one group in parentheses'],
  [rule({ keepLast: 1, where: {} }), 'retention.tags.0.where needs at least one of labels'],
  [{ run: { hours: [3, 3] } }, 'retention.run.hours begins and ends at one hour'],
  [{ run: { maxDeletions: 0 } }, 'retention.run.maxDeletions'],
])('%j is refused with its place and the cure', async (retention, fault) => {
  expect((await faultsOf(retention)).some((each) => each.startsWith(fault))).toBe(true);
});

it('what an older version stored is still read and shown', async () => {
  const api = await openApi();
  const old = [
    {
      ...{ name: 'old', repositories: ['*'] },
      retention: { pins: ['*'], tags: [{ match: ['*'], keepLast: 1_000_000 }], untaggedAfterDays: 0 },
    },
  ];
  const attributes = { policies: JSON.stringify(old), version: 1, quotasSince: 0 };
  await api.table.write([{ put: policiesKey, attributes }]);
  const root = await api.as('root');
  expect((await root('GET /policies/old')).body).toEqual(old[0]);
});

it('holds are set, changed, listed and ended by admins of the repository, and are in the trail', async () => {
  const api = await openApi();
  const digest = await push(api.registry, imageOf(await pushBlob(api.registry)), 'v1');
  await api.addUser('owner', { pattern: 'team/*', actions: ['admin'] });
  await api.addUser('reader', { pattern: 'team/*', actions: ['pull'] });
  const [owner, reader] = [await api.as('owner'), await api.as('reader')];
  const path = `/repositories/${REPOSITORY}/-/holds`;
  const until = new Date(api.registry.now() + DAY).toISOString();
  expect((await owner(`PUT ${path}/${digest}`, { reason: 'case 17' })).status).toBe(204);
  expect((await owner(`PUT ${path}/${digest}`, { reason: 'case 18', until })).status).toBe(204);
  const at = new Date(api.registry.now()).toISOString();
  const hold = { digest, reason: 'case 18', by: 'user:owner', at, until, inForce: true };
  expect((await owner(`GET ${path}`)).body).toEqual({ holds: [hold] });
  for (const line of [`GET ${path}`, `PUT ${path}/${digest}`, `DELETE ${path}/${digest}`])
    expect((await reader(line, line.startsWith('PUT') ? { reason: 'x' } : undefined)).status).toBe(403);
  api.clock += 2 * DAY;
  const later = await api.as('owner');
  expect((await later(`GET ${path}`)).body).toEqual({ holds: [{ ...hold, inForce: false }] });
  expect((await later(`DELETE ${path}/${digest}`)).status).toBe(204);
  expect((await later(`DELETE ${path}/${digest}`)).status).toBe(404);
  const root = await api.as('root');
  const { records } = (await root('GET /audit?n=100')).body as {
    records: { operation: string; status: number }[];
  };
  const trail = records
    .filter(({ operation }) => operation.startsWith('hold.'))
    .map((each) => `${each.operation} ${each.status}`);
  expect(trail).toEqual(
    expect.arrayContaining(['hold.set 204', 'hold.set 403', 'hold.end 204', 'hold.end 404']),
  );
});

it.each([
  [{}, 'reason'],
  [{ reason: ' ' }, 'reason'],
  [{ reason: 'x', until: '2020-01-01T00:00:00Z' }, 'until'],
  [{ reason: 'x', until: 'soon' }, 'until'],
])('a hold of %j is refused with its place', async (body, path) => {
  const root = await (await openApi()).as('root');
  const { status, body: refused } = await root(
    `PUT /repositories/${REPOSITORY}/-/holds/sha256:${'0'.repeat(64)}`,
    body,
  );
  expect(status).toBe(400);
  expect((refused['errors'] as { path: string }[]).map((each) => each.path)).toEqual([path]);
});

it('what is not there cannot be held', async () => {
  const root = await (await openApi()).as('root');
  const path = `/repositories/${REPOSITORY}/-/holds`;
  const hold = { reason: 'x' };
  expect((await root(`PUT ${path}/sha256:${'0'.repeat(64)}`, hold)).status).toBe(404);
  expect((await root(`PUT ${path}/latest`, hold)).status).toBe(400);
});
