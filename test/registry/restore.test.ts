import { describe, expect, it } from 'vitest';
import type { Digest } from '../../functions/oci/digest.ts';
import type { Tag } from '../../functions/oci/reference.ts';
import { deleteBlob, requireBlob } from '../../functions/registry/blobs.ts';
import { policiesKey } from '../../functions/registry/keys.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { readManifest, requireManifest } from '../../functions/registry/manifests.ts';
import { listReferrers } from '../../functions/registry/referrers.ts';
import { restore, restoreTags, type Wanted } from '../../functions/registry/restore.ts';
import { tagHistory } from '../../functions/registry/tag-history.ts';
import { deleteTag, findTag } from '../../functions/registry/tags.ts';
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

const DAY = 24 * 60 * 60 * 1000;
const MINUTE = 60 * 1000;
const V1 = 'v1' as Tag;

const options = (fixture: Fixture, dryRun = false) => ({ until: fixture.clock + MINUTE, dryRun });
const bringBack = (fixture: Fixture, wanted: object, dryRun = false) =>
  restore(fixture.registry, REPOSITORY, wanted as Wanted, options(fixture, dryRun));
const message = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: Error) => error.message,
  );

async function pull({ registry }: Fixture, digest: Digest): Promise<Uint8Array> {
  const found = await requireManifest(registry, REPOSITORY, { kind: 'digest', digest });
  return new Response(await readManifest(registry, found)).bytes();
}

const isThere = (fixture: Fixture, digest: Digest) => refusal(pull(fixture, digest)).then((code) => !code);
const on = async ({ registry }: Fixture, tag: string) =>
  (await findTag(registry, REPOSITORY, tag as Tag))?.digest;

/** Deletes manifests, parents first. */
async function remove({ registry }: Fixture, ...digests: Digest[]): Promise<void> {
  for (const digest of digests) await deleteManifest(registry, REPOSITORY, digest);
}

async function sweepDaily(fixture: Fixture, days: number): Promise<void> {
  for (let day = 0; day < days; day += 1) {
    fixture.clock += DAY;
    const until = fixture.clock + DAY;
    await sweepRepository(fixture.registry, REPOSITORY, { epochMs: DAY, quarantineMs: 7 * DAY, until });
  }
}

/** A multi-platform image with a signature that refers to it, one of cosign's tags, and all of them deleted. */
async function deletedImage(fixture: Fixture) {
  const { registry } = fixture;
  const config = await pushBlob(registry);
  const child = imageOf(config);
  const childDigest = await push(registry, child);
  const index = indexOf(child);
  const digest = await push(registry, index, 'v1');
  const subject = { mediaType: 'application/vnd.oci.image.index.v1+json', digest, size: index.length };
  const referrer = await push(registry, imageOf(config, { subject }));
  const cosignTag = `${digest.replace(':', '-')}.sig`;
  const cosign = await push(registry, imageOf(config, { annotations: { is: 'a signature' } }), cosignTag);
  await remove(fixture, digest, childDigest, referrer, cosign);
  fixture.clock += MINUTE;
  return { config, childDigest, index, digest, referrer, cosign, cosignTag };
}

describe('a restore of a tag', () => {
  it('brings back a deleted image byte for byte, with its platforms, referrers and cosign tags', async () => {
    const fixture = await openFixture();
    const image = await deletedImage(fixture);
    await sweepDaily(fixture, 5);
    expect(await isThere(fixture, image.digest)).toBe(false);
    const { entries, remaining } = await bringBack(fixture, { tag: V1 });
    expect(remaining).toBe(false);
    expect(entries.at(-1)).toMatchObject({
      kind: 'tag',
      tag: 'v1',
      digest: image.digest,
      outcome: 'restored',
    });
    expect(entries).toHaveLength(6);
    expect(await pull(fixture, image.digest)).toEqual(new Uint8Array(image.index));
    expect(await on(fixture, 'v1')).toBe(image.digest);
    expect(await isThere(fixture, image.childDigest)).toBe(true);
    expect(await on(fixture, image.cosignTag)).toBe(image.cosign);
    const { descriptors } = await listReferrers(fixture.registry, {
      name: REPOSITORY,
      subject: image.digest,
    });
    expect(descriptors.map(({ digest }) => digest)).toEqual([image.referrer]);
    await sweepDaily(fixture, 10);
    expect(await requireBlob(fixture.registry, REPOSITORY, image.config.digest)).toMatchObject({ size: 100 });
  });

  it('leaves a referrer deleted that was deleted long before its subject', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    const config = await pushBlob(registry);
    const image = imageOf(config);
    const digest = await push(registry, image, 'v1');
    const subject = { mediaType: config.mediaType, digest, size: image.length };
    const referrer = await push(registry, imageOf(config, { subject }));
    await remove(fixture, referrer);
    fixture.clock += DAY;
    await remove(fixture, digest);
    await bringBack(fixture, { tag: V1 });
    expect([await isThere(fixture, digest), await isThere(fixture, referrer)]).toEqual([true, false]);
  });

  it('that was moved puts it back to where it was at a time, and keeps both moves in its history', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    const first = await push(registry, imageOf(await pushBlob(registry)), 'v1');
    const then = fixture.clock;
    fixture.clock += DAY;
    const second = await push(registry, imageOf(await pushBlob(registry)), 'v1');
    await remove(fixture, first);
    fixture.clock += DAY;
    await bringBack(fixture, { tag: V1, at: then });
    expect(await on(fixture, 'v1')).toBe(first);
    const history = await tagHistory(registry, REPOSITORY, V1);
    expect(history.map(({ digest }) => digest)).toEqual([first, second, first]);
    expect(await message(bringBack(fixture, { tag: V1, at: then - 1 }))).toContain(
      'there was no tag v1 on 2025-12-31',
    );
  });

  it('that exists leaves it where it is, unless a time or a manifest is named', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    const first = await push(registry, imageOf(await pushBlob(registry)), 'v1');
    const second = await push(registry, imageOf(await pushBlob(registry)), 'v1');
    expect((await bringBack(fixture, { tag: V1 })).entries).toMatchObject([{ outcome: 'unchanged' }]);
    expect(await on(fixture, 'v1')).toBe(second);
    await bringBack(fixture, { tag: V1, digest: first });
    expect(await on(fixture, 'v1')).toBe(first);
  });

  it('that never was is refused as an unknown manifest', async () => {
    const fixture = await openFixture();
    await push(fixture.registry, imageOf(await pushBlob(fixture.registry)), 'v1');
    expect(await refusal(bringBack(fixture, { tag: 'v2' }))).toBe('MANIFEST_UNKNOWN');
  });

  it('tells in a dry run what it would bring back, and changes nothing', async () => {
    const fixture = await openFixture();
    const image = await deletedImage(fixture);
    const dry = await bringBack(fixture, { tag: V1 }, true);
    expect(await on(fixture, 'v1')).toBeUndefined();
    expect(await isThere(fixture, image.childDigest)).toBe(false);
    expect((await bringBack(fixture, { tag: V1 })).entries).toEqual(dry.entries);
  });

  it('says who deleted it, and when', async () => {
    const fixture = await openFixture();
    const digest = await push(fixture.registry, imageOf(await pushBlob(fixture.registry)), 'v1');
    await deleteManifest({ ...fixture.registry, actor: 'user:alice' }, REPOSITORY, digest);
    const [manifest] = (await bringBack(fixture, { tag: V1 }, true)).entries;
    expect(manifest?.reason).toBe('deleted on 2026-01-01T00:00:00.000Z by user:alice');
  });

  it('leaves an immutable tag where it is, and says why', async () => {
    const fixture = await openFixture();
    const { registry, table } = fixture;
    const first = await push(registry, imageOf(await pushBlob(registry)), 'v1');
    const second = await push(registry, imageOf(await pushBlob(registry)), 'v1');
    const policies = [{ name: 'fixed', repositories: ['*'], immutable: { tags: ['v*'] } }];
    const attributes = { policies: JSON.stringify(policies), version: 1 };
    await table.write([{ put: policiesKey, attributes }]);
    const refused = await message(bringBack(fixture, { tag: V1, digest: first }));
    expect(refused).toBe(`the tag v1 is immutable, and on ${second}`);
    expect(await on(fixture, 'v1')).toBe(second);
  });
});

describe('a restore of a manifest', () => {
  it('brings it back without its tags, and finds nothing to do the second time', async () => {
    const fixture = await openFixture();
    const { digest } = await deletedImage(fixture);
    const { entries } = await bringBack(fixture, { digest });
    expect(entries.filter(({ outcome }) => outcome === 'restored')).toHaveLength(5);
    expect([await isThere(fixture, digest), await on(fixture, 'v1')]).toEqual([true, undefined]);
    expect((await bringBack(fixture, { digest })).entries).toMatchObject([{ digest, outcome: 'unchanged' }]);
  });

  it('is refused once its quarantine is over, and says so', async () => {
    const fixture = await openFixture();
    const { digest } = await deletedImage(fixture);
    await sweepDaily(fixture, 8);
    expect(await refusal(bringBack(fixture, { digest }))).toBe('DENIED');
    expect(await message(bringBack(fixture, { digest }))).toContain('its quarantine is over');
  });

  it('is refused where somebody deleted a blob of it, and names the blob', async () => {
    const fixture = await openFixture();
    const { digest, config, childDigest } = await deletedImage(fixture);
    await deleteBlob(fixture.registry, REPOSITORY, config.digest);
    const refused = await message(bringBack(fixture, { digest }));
    expect(refused).toBe(
      `blob ${config.digest} of manifest ${childDigest} was deleted; push the image again`,
    );
    expect(await isThere(fixture, childDigest)).toBe(false);
  });

  it('goes without a referrer that cannot come back, and says so', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    const image = imageOf(await pushBlob(registry));
    const digest = await push(registry, image, 'v1');
    const own = await pushBlob(registry);
    const subject = { mediaType: own.mediaType, digest, size: image.length };
    const referrer = await push(registry, imageOf(own, { subject }));
    await remove(fixture, digest, referrer);
    await deleteBlob(registry, REPOSITORY, own.digest);
    const { entries } = await bringBack(fixture, { digest });
    expect(entries).toContainEqual(expect.objectContaining({ digest: referrer, outcome: 'lost' }));
    expect(await isThere(fixture, digest)).toBe(true);
  });

  it('ends where an index that lists an image also refers to a referrer of it', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    const config = await pushBlob(registry);
    const image = imageOf(config);
    const digest = await push(registry, image, 'v1');
    const referrerBytes = imageOf(config, {
      subject: { mediaType: config.mediaType, digest, size: image.length },
    });
    const referrer = await push(registry, referrerBytes);
    const subject = { mediaType: config.mediaType, digest: referrer, size: referrerBytes.length };
    const index = Buffer.from(JSON.stringify({ ...JSON.parse(indexOf(image).toString()), subject }));
    const indexDigest = await push(registry, index);
    await remove(fixture, indexDigest, digest, referrer);
    await bringBack(fixture, { tag: V1 });
    for (const each of [digest, referrer, indexDigest]) expect(await isThere(fixture, each)).toBe(true);
  });
});

describe('a restore of all tags', () => {
  async function history(fixture: Fixture) {
    const { registry } = fixture;
    const [kept, moved, gone] = [
      await push(registry, imageOf(await pushBlob(registry)), 'kept'),
      await push(registry, imageOf(await pushBlob(registry)), 'moved', 'moved-1'),
      await push(registry, imageOf(await pushBlob(registry)), 'gone'),
    ];
    const at = fixture.clock;
    fixture.clock += DAY;
    const later = await push(registry, imageOf(await pushBlob(registry)), 'moved', 'later');
    await remove(fixture, gone);
    await deleteTag(registry, REPOSITORY, 'moved-1' as Tag);
    fixture.clock += DAY;
    return { kept, moved, gone, later, at };
  }

  it('puts each to where it was, brings back the deleted, and leaves those that came later', async () => {
    const fixture = await openFixture();
    const { kept, moved, gone, later, at } = await history(fixture);
    const { entries, ...rest } = await restoreTags(fixture.registry, REPOSITORY, { at }, options(fixture));
    expect(rest).toEqual({ remaining: false });
    expect(entries.map(({ tag, outcome }) => [tag, outcome])).toEqual([
      [undefined, 'restored'],
      ['gone', 'restored'],
      ['moved', 'restored'],
      ['moved-1', 'restored'],
    ]);
    const tags = ['kept', 'moved', 'moved-1', 'gone', 'later'];
    const found = await Promise.all(tags.map((tag) => on(fixture, tag)));
    expect(found).toEqual([kept, moved, moved, gone, later]);
  });

  it('goes on where its time was over, tag by tag', async () => {
    const fixture = await openFixture();
    const { moved, gone, at } = await history(fixture);
    let last: string | undefined;
    for (let calls = 0; ; calls += 1) {
      expect(calls).toBeLessThan(20);
      const page = { at, ...(last !== undefined && { last }) };
      const result = await restoreTags(fixture.registry, REPOSITORY, page, { until: 0 });
      last = result.next ?? last;
      if (!result.remaining) break;
    }
    expect([await on(fixture, 'moved'), await on(fixture, 'gone')]).toEqual([moved, gone]);
  });

  it('tells what cannot come back, and restores the others', async () => {
    const fixture = await openFixture();
    const { moved, gone, at } = await history(fixture);
    await sweepDaily(fixture, 7);
    const { entries } = await restoreTags(fixture.registry, REPOSITORY, { at }, options(fixture));
    expect(entries).toContainEqual(expect.objectContaining({ tag: 'gone', digest: gone, outcome: 'lost' }));
    expect(await on(fixture, 'moved')).toBe(moved);
  });
});
