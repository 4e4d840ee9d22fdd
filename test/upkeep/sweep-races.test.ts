import { describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import { mountBlob, requireBlob, requireBlobForPush } from '../../functions/registry/blobs.ts';
import { blobKey, digestKey, graveKey, manifestKey } from '../../functions/registry/keys.ts';
import { findManifest } from '../../functions/registry/manifests.ts';
import { drainOutbox } from '../../functions/registry/outbox.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import {
  type Fixture,
  imageOf,
  isStored,
  OTHER,
  openFixture,
  push,
  pushBlob,
  REPOSITORY,
  refusal,
} from '../registry/fixture.ts';

// The timelines of docs/concurrency.md in which a sweep takes part, each driven to the step where it could go wrong.

const DAY = 24 * 60 * 60 * 1000;

/** A day goes by, and the repository is swept. */
async function sweepNextDay(fixture: Fixture, name = REPOSITORY, quarantineMs = 0): Promise<void> {
  fixture.clock += DAY;
  await sweepToday(fixture, name, quarantineMs);
}

async function sweepToday({ registry, clock }: Fixture, name = REPOSITORY, quarantineMs = 0): Promise<void> {
  await sweepRepository(registry, name, { epochMs: DAY, quarantineMs, until: clock + DAY });
}

const isLinked = async ({ registry }: Fixture, digest: Digest, name = REPOSITORY) =>
  (await refusal(requireBlob(registry, name, digest))) === undefined;

describe('a push of a manifest', () => {
  it('does not start again where one sweep passes before its commit, and nothing of it goes', async () => {
    const fixture = await openFixture();
    const { registry, table, justBefore } = fixture;
    const config = await pushBlob(registry);
    justBefore('M#', () => sweepNextDay(fixture));
    const digest = await push(registry, imageOf(config), 'v1');
    expect(await table.get(manifestKey(REPOSITORY, digest))).toMatchObject({ touched: 0 });
    for (let day = 0; day < 3; day += 1) await sweepNextDay(fixture);
    expect(await isLinked(fixture, config.digest)).toBe(true);
  });

  it('is refused, rather than committed without its blob, where two sweeps have taken that in between', async () => {
    const fixture = await openFixture();
    const config = await pushBlob(fixture.registry);
    fixture.justBefore('M#', async () => {
      await sweepNextDay(fixture);
      await sweepNextDay(fixture);
    });
    expect(await refusal(push(fixture.registry, imageOf(config)))).toBe('MANIFEST_BLOB_UNKNOWN');
    const digest = digestOf('sha256', imageOf(config));
    expect(await findManifest(fixture.registry, REPOSITORY, { kind: 'digest', digest })).toBeUndefined();
  });

  it('keeps the blob that a sweep has found unused before it came', async () => {
    const fixture = await openFixture();
    const config = await pushBlob(fixture.registry);
    await sweepNextDay(fixture);
    fixture.justBefore('B#', () => push(fixture.registry, imageOf(config), 'v1'));
    await sweepNextDay(fixture);
    for (let day = 0; day < 3; day += 1) await sweepNextDay(fixture);
    expect(await isLinked(fixture, config.digest)).toBe(true);
  });

  it('keeps the edges that a sweep has found without a manifest, when that is pushed again', async () => {
    const fixture = await openFixture();
    const { registry, table } = fixture;
    const config = await pushBlob(registry);
    const key = manifestKey(REPOSITORY, await push(registry, imageOf(config)));
    await table.write([{ remove: key }]);
    await sweepNextDay(fixture);
    fixture.justBefore('E#', () => push(registry, imageOf(config), 'v1'));
    await sweepNextDay(fixture);
    for (let day = 0; day < 3; day += 1) await sweepNextDay(fixture);
    expect(await table.get(key)).toBeDefined();
    expect(await isLinked(fixture, config.digest)).toBe(true);
  });

  it('that brings back what lies in a grave is whole: the quarantine holds its blobs, and its end comes too late', async () => {
    const fixture = await openFixture();
    const { registry, table, clock } = fixture;
    const config = await pushBlob(registry);
    const digest = await push(registry, imageOf(config));
    const manifest = manifestKey(REPOSITORY, digest);
    const attributes = { ...(await table.get(manifest)), deletedAt: clock };
    await table.write([{ remove: manifest }, { put: graveKey(REPOSITORY, digest), attributes }]);
    for (let day = 0; day < 3; day += 1) await sweepNextDay(fixture, REPOSITORY, 7 * DAY);
    expect(await isLinked(fixture, config.digest)).toBe(true);
    fixture.justBefore('E#', () => push(registry, imageOf(config), 'v1'));
    for (let day = 0; day < 3; day += 1) await sweepNextDay(fixture);
    expect(await table.get(graveKey(REPOSITORY, digest))).toBeUndefined();
    expect(await isLinked(fixture, config.digest)).toBe(true);
  });
});

describe('two sweeps at once', () => {
  it('of one repository raise the epoch once', async () => {
    const fixture = await openFixture();
    const { digest } = await pushBlob(fixture.registry);
    fixture.justBefore('#', () => sweepToday(fixture));
    await sweepNextDay(fixture);
    expect(await isLinked(fixture, digest)).toBe(true);
    expect(await fixture.table.get(blobKey(REPOSITORY, digest))).toMatchObject({ touched: 0 });
    await requireBlobForPush(fixture.registry, REPOSITORY, digest);
    expect(await fixture.table.get(blobKey(REPOSITORY, digest))).toMatchObject({ touched: 1 });
  });

  it('of one repository leave a blob alone that was uploaded again in between', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    const bytes = Buffer.from('uploaded twice');
    const { digest } = await pushBlob(registry, REPOSITORY, bytes);
    await sweepNextDay(fixture);
    fixture.justBefore('B#', async () => {
      await sweepToday(fixture);
      expect(await isLinked(fixture, digest)).toBe(false);
      await pushBlob(registry, REPOSITORY, bytes);
    });
    await sweepNextDay(fixture);
    fixture.clock += 2 * DAY;
    await drainOutbox(registry);
    const { objectKey } = await requireBlob(registry, REPOSITORY, digest);
    expect(await isStored(registry, objectKey)).toBe(true);
  });

  it('of two repositories take a blob that both link, and its bytes, and count no link too many or too few', async () => {
    const fixture = await openFixture();
    const { registry, table } = fixture;
    const { digest } = await pushBlob(registry);
    const choose = async () => REPOSITORY;
    expect(await mountBlob(registry, { repository: OTHER, digest, from: REPOSITORY, choose })).toBe(true);
    const { objectKey } = await requireBlob(registry, REPOSITORY, digest);
    await sweepNextDay(fixture);
    await sweepToday(fixture, OTHER);
    fixture.justBefore('B#', () => sweepToday(fixture, OTHER));
    await sweepNextDay(fixture);
    expect([await isLinked(fixture, digest), await isLinked(fixture, digest, OTHER)]).toEqual([false, false]);
    expect(await table.get(digestKey(digest))).toBeUndefined();
    fixture.clock += 2 * DAY;
    await drainOutbox(registry);
    expect(await isStored(registry, objectKey)).toBe(false);
  });
});
