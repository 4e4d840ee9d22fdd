import { expect, it } from 'vitest';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { directoryKey } from '../../functions/registry/keys.ts';
import { listRepositories, type RepositoryEntry } from '../../functions/registry/repositories.ts';
import { openFixture } from './fixture.ts';

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
