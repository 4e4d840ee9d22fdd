import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { createApp } from '../../functions/app.ts';
import { createGroup, listMembers } from '../../functions/identity/groups.ts';
import { addMember } from '../../functions/identity/users.ts';
import { tooBusy } from '../../functions/oci/host-errors.ts';
import { LOST, untilWon } from '../../functions/registry/races.ts';
import { registryUntil } from '../../functions/registry/until.ts';
import type { ObjectKey } from '../../functions/storage/blob-store.ts';
import { openApi } from '../management/fixture.ts';
import { imageOf, openFixture, push, pushBlob, REPOSITORY, through } from './fixture.ts';

const reason = new Error('the request has ended');

it('no call to table and blobs begins once the signal has fired', async () => {
  const { registry } = await openFixture();
  const end = new AbortController();
  const { table, blobs } = registryUntil(registry, end.signal);
  const key = { partition: 'P', sort: 'a' };
  const objectKey = `blobs/${randomUUID()}` as ObjectKey;
  await table.write([{ put: key, attributes: {} }]);
  await blobs.put(objectKey, Buffer.from('bytes'));
  end.abort(reason);
  for (const call of [
    () => table.get(key),
    () => table.getMany([key]),
    () => table.query({ partition: 'P', limit: 1 }),
    () => table.write([{ remove: key }]),
    () => blobs.read({ objectKey, size: 5 }),
    () => blobs.put(objectKey, Buffer.from('others')),
    () => blobs.delete([objectKey]),
  ]) {
    await expect(call()).rejects.toBe(reason);
  }
  expect(await registry.table.get(key)).toEqual({});
  expect(await new Response(await registry.blobs.read({ objectKey, size: 5 })).text()).toBe('bytes');
});

it('a lost race is not tried again once the signal has fired', async () => {
  const { registry } = await openFixture();
  const end = new AbortController();
  let tried = 0;
  const racing = untilWon(registryUntil(registry, end.signal), async () => {
    tried += 1;
    end.abort(reason);
    return LOST;
  });
  await expect(racing).rejects.toBe(reason);
  expect(tried).toBe(1);
});

it('what a request has begun side by side ends when one part of it fails', async () => {
  const api = await openApi();
  const { registry, table } = api;
  await createGroup(registry, { name: 'team', description: '', grants: [], createdBy: 'test' });
  for (const name of ['alice', 'bob']) {
    await api.addUser(name);
    await addMember(registry, 'team', name);
  }
  const root = await api.as('root');
  const late = Promise.withResolvers<void>();
  const get = table.get.bind(table);
  vi.spyOn(table, 'get').mockImplementation(async (key) => {
    if (key.partition.includes('alice')) throw tooBusy();
    if (key.partition.includes('bob')) await late.promise;
    return get(key);
  });
  expect((await root('DELETE /groups/team')).status).toBe(429);
  late.resolve();
  await setImmediate();
  await table.write([{ put: { partition: 'P', sort: 'after what was to be written' }, attributes: {} }]);
  expect((await listMembers(registry, 'team', { limit: 10 })).entries).toEqual(['alice', 'bob']);
});

it('pulls that were recorded are remembered from one request to the next', async () => {
  const { registry } = await openFixture();
  await push(registry, imageOf(await pushBlob(registry)), 'latest');
  let writes = 0;
  const table = through(registry.table, {
    write(operations) {
      writes += 1;
      return registry.table.write(operations);
    },
  });
  const app = createApp({ registry: { ...registry, table } });
  const pull = () => app(new Request(`http://registry.test/v2/${REPOSITORY}/manifests/latest`));
  expect([(await pull()).status, (await pull()).status, writes]).toEqual([200, 200, 1]);
});
