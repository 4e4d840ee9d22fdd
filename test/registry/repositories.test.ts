import { expect, it } from 'vitest';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { directoryKey } from '../../functions/registry/keys.ts';
import { listRepositories, type RepositoryEntry } from '../../functions/registry/repositories.ts';
import { openFixture, watchQueries } from './fixture.ts';

it('a page of the catalog names no repository that is hidden, however many there are', async () => {
  const { registry } = await openFixture();
  const hidden = Array.from({ length: 2500 }, (_, n) => `m${n}`);
  for (const name of ['a', ...hidden, 'z']) {
    await registry.table.write([{ put: directoryKey(name as RepositoryName), attributes: {} }]);
  }
  const isVisible = ({ name }: RepositoryEntry) => ['a', 'z'].includes(name);
  const first = await listRepositories(registry, { limit: 1 }, isVisible);
  expect(first).toEqual({ entries: ['a'], next: 'a' });
  expect(await listRepositories(registry, { limit: 1, last: 'a' }, isVisible)).toEqual({ entries: ['z'] });
  expect(await listRepositories(registry, { limit: 0 }, isVisible)).toEqual({ entries: [] });
});

it('a page of the catalog is one read where nothing is hidden', async () => {
  const { registry } = await openFixture();
  const names = Array.from({ length: 1500 }, (_, n) => `m${10_000 + n}`);
  for (const name of names)
    await registry.table.write([{ put: directoryKey(name as RepositoryName), attributes: {} }]);
  const watched = watchQueries(registry);
  const page = await listRepositories(watched.registry, { limit: 1000 }, () => true);
  expect(page).toEqual({ entries: names.slice(0, 1000), next: names[999] });
  expect(watched.queried).toHaveLength(1);
});
