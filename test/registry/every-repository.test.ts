import { beforeEach, expect, it } from 'vitest';
import type { Digest } from '../../functions/oci/digest.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { blobKey, repositoryKey, sweepEntryKey } from '../../functions/registry/keys.ts';
import { disturb } from '../../functions/registry/rest.ts';
import { repositoriesLike } from '../../functions/registry/usage.ts';
import type { Table } from '../../functions/storage/table.ts';
import { knownObjects } from '../../functions/upkeep/known-objects.ts';
import { type Fixture, openFixture, through } from './fixture.ts';

const DAY = 24 * 60 * 60 * 1000;
const RESTING = 'team/resting' as RepositoryName;

let fixture: Fixture;
let table: Table;

/** A registry of many repositories, of which one rests, and is disturbed when the first of them have been read. */
beforeEach(async () => {
  fixture = await openFixture();
  const { registry, clock } = fixture;
  const [rests, sweepDue] = [clock - DAY, clock + 40 * DAY];
  await registry.table.write([
    { put: repositoryKey(RESTING), attributes: { epoch: 1, epochAt: clock - 2 * DAY, rests, sweepDue } },
    { put: sweepEntryKey(RESTING, sweepDue), attributes: {} },
  ]);
  for (let n = 0; n < 1001; n += 1)
    await registry.table.write([
      { put: sweepEntryKey(`many/${n}` as RepositoryName, clock + DAY), attributes: {} },
    ]);
  let isRead = false;
  table = through(registry.table, {
    async query(range) {
      const found = await registry.table.query(range);
      if (range.partition === 'SWEEPS' && !isRead) {
        isRead = true;
        await disturb(registry, RESTING);
      }
      return found;
    },
  });
});

it('are counted, also one whose rest is disturbed meanwhile', async () => {
  const names = await repositoriesLike({ ...fixture.registry, table }, () => true);
  expect(names).toContain(RESTING);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toHaveLength(1002);
});

it('are scanned, also one whose rest is disturbed meanwhile', async () => {
  const attributes = { objectKey: 'blobs/0', size: 1, touched: 0 };
  await table.write([{ put: blobKey(RESTING, 'sha256:0' as Digest), attributes }]);
  const found: string[] = [];
  for await (const references of knownObjects(table))
    found.push(...references.map(({ objectKey }) => objectKey));
  expect(found).toEqual(['blobs/0']);
});
