import { describe, expect, it } from 'vitest';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { requireBlob } from '../../functions/registry/blobs.ts';
import { blobKey } from '../../functions/registry/keys.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { findRepository } from '../../functions/registry/repositories.ts';
import { DEFAULT_LEASE } from '../../functions/upkeep/lease.ts';
import { sweepDue } from '../../functions/upkeep/round.ts';
import { OTHER, openFixture, pushBlob, REPOSITORY, refusal } from '../registry/fixture.ts';

const HOUR = 60 * 60 * 1000;
const forever = { ...DEFAULT_LEASE, until: Number.POSITIVE_INFINITY };

async function openTwo() {
  const fixture = await openFixture();
  const { digest: ours } = await pushBlob(fixture.registry, REPOSITORY);
  const { digest: others } = await pushBlob(fixture.registry, OTHER);
  return { fixture, ours, others };
}

/** Hours go by, with a round in each, and how many repositories each round swept. */
async function hours(fixture: { clock: number; registry: Registry }, count: number): Promise<number[]> {
  const swept: number[] = [];
  for (let hour = 0; hour < count; hour += 1) {
    fixture.clock += HOUR;
    swept.push(await sweepDue(fixture.registry, forever));
  }
  return swept;
}

describe('a round', () => {
  it('every hour sweeps each repository once a day, and finds those that never had a manifest', async () => {
    const { fixture, ours, others } = await openTwo();
    const swept = await hours(fixture, 72);
    expect(swept.reduce((sum, each) => sum + each)).toBe(2 * 4); // and once when it is an hour old
    expect(await refusal(requireBlob(fixture.registry, REPOSITORY, ours))).toBe('BLOB_UNKNOWN');
    expect(await refusal(requireBlob(fixture.registry, OTHER, others))).toBe('BLOB_UNKNOWN');
    expect(await findRepository(fixture.registry, REPOSITORY)).toMatchObject({ epoch: 3 });
  });

  it('that was late does not shorten the epoch that follows', async () => {
    const { fixture } = await openTwo();
    fixture.clock += 100 * HOUR;
    expect(await sweepDue(fixture.registry, forever)).toBe(2);
    expect(await sweepDue(fixture.registry, forever)).toBe(0);
    expect(await hours(fixture, 24)).toEqual([...Array(23).fill(0), 2]);
    expect(await findRepository(fixture.registry, OTHER)).toMatchObject({ epoch: 2 });
  });

  it('that runs out of time leaves the others to the next', async () => {
    const { fixture } = await openTwo();
    fixture.clock += 2 * HOUR;
    expect(await sweepDue(fixture.registry, { ...forever, until: 0 })).toBe(0);
    let swept = 0;
    for (let run = 0; run < 20 && swept < 2; run += 1) {
      swept += await sweepDue(fixture.registry, { ...forever, until: 0 });
    }
    expect(swept).toBe(2);
  });

  it('goes on with the others where one repository fails, and fails in the end', async () => {
    const { fixture, ours, others } = await openTwo();
    const broken = REPOSITORY as RepositoryName;
    await hours(fixture, 30);
    const { registry } = fixture;
    const query: Registry['table']['query'] = (range) => {
      const isBroken = range.partition === blobKey(broken, ours).partition;
      return isBroken ? Promise.reject(new Error('unreadable')) : registry.table.query(range);
    };
    fixture.clock += 48 * HOUR;
    const table = { ...registry.table, query };
    await expect(sweepDue({ ...registry, table }, forever)).rejects.toThrow(`could not sweep ${broken}`);
    expect(await findRepository(registry, OTHER)).toMatchObject({ epoch: 2 });
    expect(await refusal(requireBlob(registry, OTHER, others))).toBe('BLOB_UNKNOWN');
  });
});
