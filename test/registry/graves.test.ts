import { describe, expect, it } from 'vitest';
import type { Digest } from '../../functions/oci/digest.ts';
import { requireBlob } from '../../functions/registry/blobs.ts';
import { graveKey, manifestKey } from '../../functions/registry/keys.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { drainOutbox } from '../../functions/registry/outbox.ts';
import { deleteRepository } from '../../functions/registry/repository-deletion.ts';
import type { ObjectKey } from '../../functions/storage/blob-store.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import {
  type Fixture,
  imageOf,
  isStored,
  openFixture,
  push,
  pushBlob,
  REPOSITORY,
  refusal,
} from './fixture.ts';

const DAY = 24 * 60 * 60 * 1000;
const QUARANTINE = 7 * DAY;

type Blob = Awaited<ReturnType<typeof pushBlob>>;

/** An image whose manifest is too large for its item. */
const largeImage = (config: Blob) => imageOf(config, { annotations: { padding: 'x'.repeat(50_000) } });

async function objectOf({ table }: Fixture, digest: Digest): Promise<ObjectKey> {
  return (await table.get(manifestKey(REPOSITORY, digest)))?.['objectKey'] as ObjectKey;
}

/** Returns how often an object was deleted. */
async function sweepDaily(fixture: Fixture, days: number): Promise<number> {
  let deleted = 0;
  for (let day = 0; day < days; day += 1) {
    fixture.clock += DAY;
    const until = fixture.clock + DAY;
    await sweepRepository(fixture.registry, REPOSITORY, { epochMs: DAY, quarantineMs: QUARANTINE, until });
    deleted += await drainOutbox(fixture.registry);
  }
  return deleted;
}

describe('a deleted manifest', () => {
  it('is kept, with who deleted it and when, until its quarantine is over; then it goes with all it used', async () => {
    const fixture = await openFixture();
    const { registry, table } = fixture;
    const config = await pushBlob(registry);
    const digest = await push(registry, largeImage(config), 'v1');
    const object = await objectOf(fixture, digest);
    await deleteManifest({ ...registry, actor: 'user:alice' }, REPOSITORY, digest);
    const grave = { deletedAt: fixture.clock, deletedBy: 'user:alice', objectKey: object };
    expect(await table.get(graveKey(REPOSITORY, digest))).toMatchObject(grave);
    await sweepDaily(fixture, 6);
    expect(await isStored(fixture.registry, object)).toBe(true);
    expect(await requireBlob(registry, REPOSITORY, config.digest)).toMatchObject({ size: 100 });
    await sweepDaily(fixture, 4);
    expect(await table.get(graveKey(REPOSITORY, digest))).toBeUndefined();
    expect(await isStored(fixture.registry, object)).toBe(false);
    expect(await refusal(requireBlob(registry, REPOSITORY, config.digest))).toBe('BLOB_UNKNOWN');
  });

  it('that was pushed and deleted again leaves one grave, and the bytes of the first one go', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    const image = largeImage(await pushBlob(registry));
    const digest = await push(registry, image);
    const first = await objectOf(fixture, digest);
    await deleteManifest(registry, REPOSITORY, digest);
    await push(registry, image);
    const second = await objectOf(fixture, digest);
    await deleteManifest(registry, REPOSITORY, digest);
    fixture.clock += DAY;
    await drainOutbox(registry);
    expect([await isStored(fixture.registry, first), await isStored(fixture.registry, second)]).toEqual([
      false,
      true,
    ]);
  });

  it('keeps its bytes where it is deleted just before the sweep ends its grave of before', async () => {
    const fixture = await openFixture();
    const { registry, table } = fixture;
    const image = largeImage(await pushBlob(registry));
    const digest = await push(registry, image);
    await deleteManifest(registry, REPOSITORY, digest);
    await push(registry, image, 'v1');
    const object = await objectOf(fixture, digest);
    fixture.clock += QUARANTINE - DAY;
    fixture.justBefore('G#', () => deleteManifest(registry, REPOSITORY, digest));
    await sweepDaily(fixture, 2);
    expect(await table.get(graveKey(REPOSITORY, digest))).toMatchObject({ objectKey: object });
    expect(await isStored(fixture.registry, object)).toBe(true);
  });

  it('keeps its bytes where the sweep ends its grave of before just before it is deleted', async () => {
    const fixture = await openFixture();
    const { registry, table } = fixture;
    const image = largeImage(await pushBlob(registry));
    const digest = await push(registry, image);
    await deleteManifest(registry, REPOSITORY, digest);
    await push(registry, image, 'v1');
    const object = await objectOf(fixture, digest);
    fixture.clock += QUARANTINE;
    fixture.justBefore('G#', () => sweepDaily(fixture, 1));
    await deleteManifest(registry, REPOSITORY, digest);
    expect(await sweepDaily(fixture, 3)).toBe(1); // what the sweep has put into the outbox, nobody puts there again
    expect(await table.get(graveKey(REPOSITORY, digest))).toMatchObject({ objectKey: object });
    expect(await isStored(fixture.registry, object)).toBe(true);
  });

  it('goes for good with its repository, bytes and all', async () => {
    const fixture = await openFixture();
    const { registry, table } = fixture;
    const config = await pushBlob(registry);
    const subject = { mediaType: config.mediaType, digest: config.digest, size: 1 };
    const digest = await push(
      registry,
      imageOf(config, { subject, annotations: { padding: 'x'.repeat(50_000) } }),
      'v1',
    );
    const object = await objectOf(fixture, digest);
    await deleteManifest(registry, REPOSITORY, digest);
    expect(await deleteRepository(registry, REPOSITORY)).toBe('done');
    const { partition } = graveKey(REPOSITORY, digest);
    const left = await table.query({ partition, limit: 100, keysOnly: true });
    expect(left.map(({ key }) => key.sort)).toEqual(['#']);
    fixture.clock += DAY;
    await drainOutbox(registry);
    expect(await isStored(fixture.registry, object)).toBe(false);
  });
});
