import { expect, it } from 'vitest';
import type { Tag } from '../../functions/oci/reference.ts';
import { pullKey } from '../../functions/registry/keys.ts';
import { recordPull } from '../../functions/registry/pulls.ts';
import type { Table } from '../../functions/storage/table.ts';
import { openFixture, REPOSITORY } from './fixture.ts';

const LATEST = { kind: 'tag', tag: 'latest' as Tag } as const;

/** A table whose writes wait until they are let go. */
function slow(table: Table) {
  const gate = Promise.withResolvers<void>();
  const held: Table = {
    get: (key) => table.get(key),
    getMany: (keys) => table.getMany(keys),
    query: (query) => table.query(query),
    write: async (operations) => {
      await gate.promise;
      return table.write(operations);
    },
  };
  return { table: held, letGo: gate.resolve };
}

it('a pull does not wait for its record where the process outlives the answer', async () => {
  const { registry } = await openFixture();
  const { table, letGo } = slow(registry.table);
  const after: Promise<void>[] = [];
  await recordPull({ ...registry, table, afterwards: (work) => after.push(work) }, REPOSITORY, LATEST);
  expect(await registry.table.get(pullKey(REPOSITORY, LATEST.tag))).toBeUndefined();
  letGo();
  await Promise.all(after);
  expect(await registry.table.get(pullKey(REPOSITORY, LATEST.tag))).toMatchObject({ at: registry.now() });
});

it('a pull waits for its record where the process may stand still', async () => {
  const { registry } = await openFixture();
  const { table, letGo } = slow(registry.table);
  const recording = recordPull({ ...registry, table }, REPOSITORY, LATEST);
  const first = await Promise.race([recording.then(() => 'recorded'), Promise.resolve('waiting')]);
  letGo();
  await recording;
  expect(first).toBe('waiting');
  expect(await registry.table.get(pullKey(REPOSITORY, LATEST.tag))).toMatchObject({ at: registry.now() });
});
