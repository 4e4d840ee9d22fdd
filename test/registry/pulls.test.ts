import { expect, it, vi } from 'vitest';
import { createApp } from '../../functions/app.ts';
import type { RepositoryName, Tag } from '../../functions/oci/reference.ts';
import { policiesKey, pullKey } from '../../functions/registry/keys.ts';
import { putPolicy } from '../../functions/registry/policies.ts';
import { recordPull, recordPullOf } from '../../functions/registry/pulls.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import type { Table } from '../../functions/storage/table.ts';
import { imageOf, openFixture, push, pushBlob, REPOSITORY, through } from './fixture.ts';

const LATEST = { kind: 'tag', tag: 'latest' as Tag } as const;

const recordIn = (registry: Registry) => registry.table.get(pullKey(REPOSITORY, LATEST.tag));

/** A table whose writes wait until they are let go. */
function slow(table: Table) {
  const gate = Promise.withResolvers<void>();
  const write: Table['write'] = async (operations) => {
    await gate.promise;
    return table.write(operations);
  };
  return { table: through(table, { write }), letGo: gate.resolve };
}

async function statusOf(registry: Registry, method: string): Promise<number> {
  const url = `http://registry/v2/${REPOSITORY}/manifests/latest`;
  return (await createApp({ registry })(new Request(url, { method }))).status;
}

it('a pull does not wait for its record where the process outlives the answer', async () => {
  const { registry } = await openFixture();
  const { table, letGo } = slow(registry.table);
  const after: Promise<void>[] = [];
  const afterwards = (work: () => Promise<void>) => void after.push(work());
  await recordPull({ ...registry, table, afterwards }, REPOSITORY, LATEST);
  expect(await recordIn(registry)).toBeUndefined();
  letGo();
  await Promise.all(after);
  expect(await recordIn(registry)).toMatchObject({ at: registry.now() });
});

it('a pull waits for its record where the process may stand still', async () => {
  const { registry } = await openFixture();
  const { table, letGo } = slow(registry.table);
  const pulling = recordPullOf({ ...registry, table }, REPOSITORY, LATEST, async () => 'found');
  const first = await Promise.race([pulling.then(() => 'recorded'), Promise.resolve('waiting')]);
  letGo();
  expect(await pulling).toBe('found');
  expect(first).toBe('waiting');
  expect(await recordIn(registry)).toMatchObject({ at: registry.now() });
});

it('there, the record is written while the answer is found', async () => {
  const { registry } = await openFixture();
  const found = Promise.withResolvers<string>();
  const pulling = recordPullOf(registry, REPOSITORY, LATEST, () => found.promise);
  await vi.waitFor(async () => expect(await recordIn(registry)).toMatchObject({ at: registry.now() }));
  found.resolve('found');
  expect(await pulling).toBe('found');
});

it.each(['GET', 'HEAD'])('%s of a tag that is not there is no pull, and the next one is', async (method) => {
  const { registry } = await openFixture();
  expect(await statusOf(registry, method)).toBe(404);
  expect(await recordIn(registry)).toBeUndefined();
  await push(registry, imageOf(await pushBlob(registry)), 'latest');
  expect(await statusOf(registry, method)).toBe(200);
  expect(await recordIn(registry)).toMatchObject({ at: registry.now() });
});

it('a pull that finds nothing takes its own record back, not that of another process', async () => {
  const fixture = await openFixture();
  const { registry } = fixture;
  const failing = recordPullOf(registry, REPOSITORY, LATEST, async () => {
    await vi.waitFor(async () => expect(await recordIn(registry)).toBeDefined());
    fixture.clock += 1;
    await recordPull({ ...registry, table: through(registry.table) }, REPOSITORY, LATEST);
    throw new Error('not found');
  });
  await expect(failing).rejects.toThrow('not found');
  expect(await recordIn(registry)).toMatchObject({ at: fixture.clock });
});

it('a table that cannot take the record does not make the pull fail, nor is it asked to take it back', async () => {
  const { registry } = await openFixture();
  const write = vi.fn(() => Promise.reject(new Error('down')));
  const down = { ...registry, table: through(registry.table, { write }) };
  expect(await recordPullOf(down, REPOSITORY, LATEST, async () => 'found')).toBe('found');
  const nothing = () => Promise.reject(new Error('not found'));
  await expect(recordPullOf(down, REPOSITORY, LATEST, nothing)).rejects.toThrow('not found');
  expect(write).toHaveBeenCalledTimes(2);
});

it('a pull of whom a policy ignores leaves no record, and takes none away from the others', async () => {
  const { registry } = await openFixture();
  const retention = { ignorePullsBy: ['robot:scan-*'] };
  await putPolicy(registry, {
    name: 'p',
    repositories: ['team/*'],
    exceptRepositories: ['team/b*'],
    retention,
  });
  const other = { ...LATEST, repository: 'team/b' as RepositoryName };
  await recordPull({ ...registry, actor: 'robot:scan-1' }, REPOSITORY, LATEST);
  await recordPull({ ...registry, actor: 'robot:scan-1' }, other.repository, LATEST);
  expect(await recordIn(registry)).toBeUndefined();
  expect(await registry.table.get(pullKey(other.repository, LATEST.tag))).toMatchObject({
    at: registry.now(),
  });
  await Promise.all(
    ['robot:scan-2', 'user:alice'].map((actor) => recordPull({ ...registry, actor }, REPOSITORY, LATEST)),
  );
  expect(await recordIn(registry)).toMatchObject({ at: registry.now() });
});

it('the policies are read for that once a minute at most, and not where there is nothing to write down', async () => {
  const fixture = await openFixture();
  let reads = 0;
  const get: Table['get'] = async (key) => {
    if (key.partition === policiesKey.partition) reads += 1;
    return fixture.registry.table.get(key);
  };
  const registry = {
    ...fixture.registry,
    actor: 'user:alice',
    table: through(fixture.registry.table, { get }),
  };
  const pull = (tag: string) => recordPull(registry, REPOSITORY, { kind: 'tag', tag: tag as Tag });
  for (const tag of ['a', 'b', 'c']) await pull(tag);
  expect(reads).toBe(1);
  fixture.clock += 61_000;
  await pull('a');
  expect(reads).toBe(1);
  await putPolicy(fixture.registry, {
    name: 'p',
    repositories: ['*'],
    retention: { ignorePullsBy: ['user:*'] },
  });
  await pull('d');
  expect(reads).toBe(2);
  expect(await fixture.registry.table.get(pullKey(REPOSITORY, 'd' as Tag))).toBeUndefined();
});
