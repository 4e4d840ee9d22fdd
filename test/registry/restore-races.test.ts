import { describe, expect, it } from 'vitest';
import type { Digest } from '../../functions/oci/digest.ts';
import type { Tag } from '../../functions/oci/reference.ts';
import { deleteBlob, requireBlob } from '../../functions/registry/blobs.ts';
import { graveKey, repositoryKey } from '../../functions/registry/keys.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { findManifest, readManifest, requireManifest } from '../../functions/registry/manifests.ts';
import { drainOutbox } from '../../functions/registry/outbox.ts';
import { deleteRepository } from '../../functions/registry/repository-deletion.ts';
import { restore } from '../../functions/registry/restore.ts';
import { findTag } from '../../functions/registry/tags.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import {
  type Fixture,
  imageOf,
  indexOf,
  openFixture,
  push,
  pushBlob,
  REPOSITORY,
  refusal,
} from './fixture.ts';

// Restores that meet somebody else, each driven to the step where it could go wrong.

const DAY = 24 * 60 * 60 * 1000;
const V1 = 'v1' as Tag;

const bringBack = ({ registry, clock }: Fixture) =>
  restore(registry, REPOSITORY, { tag: V1 }, { until: clock + 30 * DAY });
const readable = async ({ registry }: Fixture, digest: Digest) =>
  (await findManifest(registry, REPOSITORY, { kind: 'digest', digest })) !== undefined;

async function sweep({ registry, clock }: Fixture): Promise<void> {
  const options = { epochMs: DAY, quarantineMs: 7 * DAY, until: clock + DAY };
  await sweepRepository(registry, REPOSITORY, options);
}

/** A tagged index of one image, both deleted. */
async function deletedIndex(fixture: Fixture, padding = '') {
  const { registry } = fixture;
  const config = await pushBlob(registry);
  const child = imageOf(config, { annotations: { padding } });
  const childDigest = await push(registry, child);
  const digest = await push(registry, indexOf(child), 'v1');
  await deleteManifest(registry, REPOSITORY, digest);
  await deleteManifest(registry, REPOSITORY, childDigest);
  return { config, childDigest, digest };
}

describe('a restore', () => {
  it('brings a child back once more where that is deleted just before the index is committed', async () => {
    const fixture = await openFixture();
    const { registry, justBefore } = fixture;
    const { childDigest, digest } = await deletedIndex(fixture);
    justBefore(`M#${digest}`, () => deleteManifest(registry, REPOSITORY, childDigest));
    expect((await bringBack(fixture)).entries.at(-1)).toMatchObject({ tag: 'v1', outcome: 'restored' });
    expect([await readable(fixture, digest), await readable(fixture, childDigest)]).toEqual([true, true]);
  });

  it('is refused, and tags nothing, where a blob is deleted just before the commit', async () => {
    const fixture = await openFixture();
    const { registry, justBefore } = fixture;
    const { config, childDigest } = await deletedIndex(fixture);
    justBefore(`M#${childDigest}`, () => deleteBlob(registry, REPOSITORY, config.digest));
    expect(await refusal(bringBack(fixture))).toBe('DENIED');
    expect(await readable(fixture, childDigest)).toBe(false);
    expect(await findTag(registry, REPOSITORY, V1)).toBeUndefined();
  });

  it('is whole where its graves end just before the commit: the sweep takes neither blobs nor bytes', async () => {
    const fixture = await openFixture();
    const { registry, table, justBefore } = fixture;
    const { config, childDigest, digest } = await deletedIndex(fixture, 'x'.repeat(50_000));
    for (let day = 0; day < 6; day += 1) {
      fixture.clock += DAY;
      await sweep(fixture);
    }
    fixture.clock += DAY;
    justBefore(`M#${childDigest}`, () => sweep(fixture));
    expect(await refusal(bringBack(fixture))).toBe('DENIED'); // the grave of the index went with the other
    expect(await table.get(graveKey(REPOSITORY, digest))).toBeUndefined();
    expect(await readable(fixture, childDigest)).toBe(true);
    for (let day = 0; day < 2; day += 1) {
      fixture.clock += DAY;
      await drainOutbox(registry);
    }
    const found = await requireManifest(registry, REPOSITORY, { kind: 'digest', digest: childDigest });
    expect((await new Response(await readManifest(registry, found)).bytes()).length).toBeGreaterThan(50_000);
    expect(await requireBlob(registry, REPOSITORY, config.digest)).toMatchObject({ size: 100 });
  });

  it('keeps its blobs where two sweeps pass just before the commit, and starts again', async () => {
    const fixture = await openFixture();
    const { config, childDigest, digest } = await deletedIndex(fixture);
    fixture.justBefore(`M#${childDigest}`, async () => {
      for (let day = 0; day < 2; day += 1) {
        fixture.clock += DAY;
        await sweep(fixture);
      }
    });
    await bringBack(fixture);
    expect(await readable(fixture, digest)).toBe(true);
    expect(await requireBlob(fixture.registry, REPOSITORY, config.digest)).toMatchObject({ size: 100 });
  });

  it('is as if it had been one where two of the same run at once', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    const { childDigest, digest } = await deletedIndex(fixture, 'x'.repeat(50_000));
    fixture.justBefore(`M#${childDigest}`, () => bringBack(fixture));
    await bringBack(fixture);
    expect((await findTag(registry, REPOSITORY, V1))?.digest).toBe(digest);
    fixture.clock += 2 * DAY;
    await drainOutbox(registry);
    const found = await requireManifest(registry, REPOSITORY, { kind: 'digest', digest: childDigest });
    expect((await new Response(await readManifest(registry, found)).bytes()).length).toBeGreaterThan(50_000);
  });

  it('finds nothing where the repository is deleted just before the commit', async () => {
    const fixture = await openFixture();
    const { registry, table } = fixture;
    const { childDigest } = await deletedIndex(fixture);
    fixture.justBefore(`M#${childDigest}`, () => deleteRepository(registry, REPOSITORY));
    expect(await refusal(bringBack(fixture))).toBe('DENIED');
    const left = await table.query({
      partition: repositoryKey(REPOSITORY).partition,
      limit: 10,
      keysOnly: true,
    });
    expect(left.filter(({ key }) => /^[MTBG]#/.test(key.sort))).toEqual([]);
  });

  it('that dies at any write is finished by the next', async () => {
    for (let survived = 0; survived < 30; survived += 1) {
      const fixture = await openFixture();
      const { childDigest, digest } = await deletedIndex(fixture);
      let writes = 0;
      const dying = {
        ...fixture.registry.table,
        write: (operations: Parameters<typeof fixture.registry.table.write>[0]) => {
          writes += 1;
          if (writes > survived) return Promise.reject(new Error('died'));
          return fixture.registry.table.write(operations);
        },
      };
      const registry = { ...fixture.registry, table: dying };
      const died = await refusal(bringBack({ ...fixture, registry }));
      await bringBack(fixture);
      expect([await readable(fixture, childDigest), await readable(fixture, digest)]).toEqual([true, true]);
      expect((await findTag(fixture.registry, REPOSITORY, V1))?.digest).toBe(digest);
      if (died === undefined) return;
    }
    expect.fail('it never came to its end');
  });
});
