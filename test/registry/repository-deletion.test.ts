import { describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import type { Tag } from '../../functions/oci/reference.ts';
import { deleteBlob, mountBlob, requireBlob } from '../../functions/registry/blobs.ts';
import { repositoryKey } from '../../functions/registry/keys.ts';
import { findManifest } from '../../functions/registry/manifests.ts';
import { drainOutbox } from '../../functions/registry/outbox.ts';
import { listReferrers } from '../../functions/registry/referrers.ts';
import {
  findRepository,
  listRepositories,
  publicAmong,
  setVisibility,
} from '../../functions/registry/repositories.ts';
import { deleteRepository } from '../../functions/registry/repository-deletion.ts';
import { listTags } from '../../functions/registry/tags.ts';
import { finishUpload } from '../../functions/registry/upload-closing.ts';
import { startUpload } from '../../functions/registry/uploads.ts';
import {
  bodyOf,
  type Fixture,
  imageOf,
  indexOf,
  isStored,
  OTHER,
  openFixture,
  push,
  pushBlob,
  REPOSITORY,
  refusal,
} from './fixture.ts';

const DAY = 24 * 60 * 60 * 1000;
const byTag = (tag: string) => ({ kind: 'tag', tag: tag as Tag }) as const;
const byDigest = (bytes: Uint8Array) => ({ kind: 'digest', digest: digestOf('sha256', bytes) }) as const;

/** Sort keys of what the repository still has. */
async function itemsOf({ table }: Fixture): Promise<string[]> {
  const { partition } = repositoryKey(REPOSITORY);
  return (await table.query({ partition, limit: 1000, keysOnly: true })).map(({ key }) => key.sort);
}

async function names({ registry }: Fixture): Promise<readonly string[]> {
  return (await listRepositories(registry, { limit: 10 }, () => true)).entries;
}

/** Repeats as a client does, and returns how often it took. */
async function deleteAll({ registry }: Fixture, transactions: number): Promise<number> {
  for (let calls = 1; ; calls += 1) {
    if ((await deleteRepository(registry, REPOSITORY, { transactions })) === 'done') return calls;
  }
}

async function isReadable({ registry }: Fixture, digest: Digest): Promise<boolean> {
  return isStored(registry, (await requireBlob(registry, OTHER, digest)).objectKey);
}

describe('the delete of a repository', () => {
  it('leaves its counters and nothing else, neither in the table nor, a day later, of the bytes', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    const config = await pushBlob(registry);
    const { objectKey } = await requireBlob(registry, REPOSITORY, config.digest);
    const image = imageOf(config);
    await push(registry, image, 'v1', 'v2');
    await push(registry, imageOf(config, { annotations: { padding: 'x'.repeat(50_000) } }), 'large');
    const subject = { mediaType: config.mediaType, digest: digestOf('sha256', image), size: image.length };
    await push(registry, imageOf(config, { subject }));
    await push(registry, indexOf(image), 'v1');
    await setVisibility(registry, REPOSITORY, true);
    expect(await deleteRepository(registry, REPOSITORY)).toBe('done');
    expect(await itemsOf(fixture)).toEqual(['#']);
    expect(await names(fixture)).toEqual([]);
    expect(await publicAmong(registry, [REPOSITORY])).toEqual(new Set());
    expect(await refusal(listTags(registry, REPOSITORY, { limit: 10 }))).toBe('NAME_UNKNOWN');
    const referrers = await listReferrers(registry, { name: REPOSITORY, subject: subject.digest });
    expect(referrers.descriptors).toEqual([]);
    fixture.clock += DAY;
    expect(await drainOutbox(registry)).toBe(2); // the config, and the manifest that was too large for its item
    expect(await isStored(registry, objectKey)).toBe(false);
  });

  it('is NAME_UNKNOWN where there is none, or no longer', async () => {
    const { registry } = await openFixture();
    expect(await refusal(deleteRepository(registry, REPOSITORY))).toBe('NAME_UNKNOWN');
    await push(registry, imageOf(await pushBlob(registry)), 'v1');
    await deleteRepository(registry, REPOSITORY);
    expect(await refusal(deleteRepository(registry, REPOSITORY))).toBe('NAME_UNKNOWN');
  });

  it('takes blobs along that were uploaded and never used', async () => {
    const fixture = await openFixture();
    const { digest } = await pushBlob(fixture.registry);
    expect(await deleteRepository(fixture.registry, REPOSITORY)).toBe('done');
    expect(await refusal(requireBlob(fixture.registry, REPOSITORY, digest))).toBe('BLOB_UNKNOWN');
  });

  it('leaves other repositories the blobs they share', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    const config = await pushBlob(registry);
    await push(registry, imageOf(config), 'v1');
    await mountBlob(registry, { repository: OTHER, digest: config.digest, choose: async ([one]) => one });
    await deleteRepository(registry, REPOSITORY);
    fixture.clock += 2 * DAY;
    await drainOutbox(registry);
    expect(await isReadable(fixture, config.digest)).toBe(true);
    await deleteBlob(registry, OTHER, config.digest); // and counted right: this is the last link
    fixture.clock += 2 * DAY;
    expect(await drainOutbox(registry)).toBe(1);
  });

  it('does a little at a time, and what can be read meanwhile is whole', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    const images = await Promise.all(
      Array.from({ length: 70 }, async () => imageOf(await pushBlob(registry))),
    );
    for (const [at, image] of images.entries()) await push(registry, image, `v${at}`);
    const index = indexOf(...images);
    await push(registry, index, 'all');
    await push(registry, indexOf(index), 'nested');
    for (let calls = 0; ; calls += 1) {
      if ((await deleteRepository(registry, REPOSITORY, { transactions: 1 })) === 'done') break;
      expect(await names(fixture)).toEqual([REPOSITORY]);
      const isThere = await Promise.all(
        images.map(
          async (image) => (await findManifest(registry, REPOSITORY, byDigest(image))) !== undefined,
        ),
      );
      if (await findManifest(registry, REPOSITORY, byDigest(index))) {
        expect(isThere.every(Boolean)).toBe(true);
      } else {
        expect(await findManifest(registry, REPOSITORY, byDigest(indexOf(index)))).toBeUndefined();
      }
      expect(calls).toBeLessThan(30);
    }
    expect(await itemsOf(fixture)).toEqual(['#']);
  });

  it('ends in a bounded number of steps where indexes are nested deeply', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    let manifest = imageOf(await pushBlob(registry));
    await push(registry, manifest);
    for (let depth = 0; depth < 100; depth += 1) {
      manifest = Buffer.from(indexOf(manifest).toString().replace('image.manifest', mediaTypeAt(depth)));
      await push(registry, manifest);
    }
    expect(await deleteAll(fixture, 200)).toBe(1);
    expect(await itemsOf(fixture)).toEqual(['#']);
  });

  it('and a push at the same moment: what is pushed just before a step is deleted, too', async () => {
    for (const step of ['T#', 'M#', 'H#', 'B#']) {
      const fixture = await openFixture();
      const { registry, justBefore } = fixture;
      const config = await pushBlob(registry);
      await push(registry, imageOf(config), 'v1');
      justBefore(step, () => push(registry, imageOf(config, { annotations: { a: 'b' } }), 'v2'));
      expect(await deleteRepository(registry, REPOSITORY)).toBe('done');
      expect(await itemsOf(fixture)).toEqual(['#']);
    }
  });

  it('leaves an image that is pushed just before its blob would go its blob', async () => {
    const { registry, justBefore } = await openFixture();
    const config = await pushBlob(registry);
    justBefore('B#', () => push(registry, imageOf(config), 'v1'));
    expect(await deleteRepository(registry, REPOSITORY, { transactions: 1 })).toBe('remaining');
    expect(await findManifest(registry, REPOSITORY, byTag('v1'))).toBeDefined();
    expect(await refusal(requireBlob(registry, REPOSITORY, config.digest))).toBeUndefined();
  });

  it('leaves an index that is pushed just before its child would go its child', async () => {
    const { registry, justBefore } = await openFixture();
    const child = imageOf(await pushBlob(registry));
    const digest = await push(registry, child);
    justBefore(`M#${digest}`, () => push(registry, indexOf(child), 'all'));
    expect(await deleteRepository(registry, REPOSITORY, { transactions: 1 })).toBe('remaining');
    expect(await findManifest(registry, REPOSITORY, byTag('all'))).toBeDefined();
    expect(await findManifest(registry, REPOSITORY, byDigest(child))).toBeDefined();
  });

  it('refuses an image whose blob goes just before it is committed', async () => {
    const { registry, justBefore } = await openFixture();
    const config = await pushBlob(registry);
    // Its edge and the blob: two steps.
    justBefore('M#', () => deleteRepository(registry, REPOSITORY, { transactions: 2 }));
    expect(await refusal(push(registry, imageOf(config), 'v1'))).toBe('MANIFEST_BLOB_UNKNOWN');
    expect(await findManifest(registry, REPOSITORY, byTag('v1'))).toBeUndefined();
  });

  it('refuses an index whose child goes just before it is committed', async () => {
    const { registry, justBefore } = await openFixture();
    const child = imageOf(await pushBlob(registry));
    await push(registry, child);
    const index = indexOf(child);
    justBefore(`M#${digestOf('sha256', index)}`, () =>
      deleteRepository(registry, REPOSITORY, { transactions: 1 }),
    );
    expect(await refusal(push(registry, index, 'all'))).toBe('MANIFEST_BLOB_UNKNOWN');
  });

  it('makes an image whose edge goes just before it is committed write it again', async () => {
    const { registry, justBefore } = await openFixture();
    const config = await pushBlob(registry);
    justBefore('M#', () => deleteRepository(registry, REPOSITORY, { transactions: 1 }));
    await push(registry, imageOf(config), 'v1');
    expect(await refusal(deleteBlob(registry, REPOSITORY, config.digest))).toBe('DENIED');
  });

  it('keeps a repository in the catalog that is pushed to just before its entry would go', async () => {
    const fixture = await openFixture();
    const { registry, justBefore } = fixture;
    await setVisibility(registry, REPOSITORY, false);
    justBefore(REPOSITORY, () => push(registry, indexOf(), 'v1'));
    expect(await deleteRepository(registry, REPOSITORY, { transactions: 1 })).toBe('remaining');
    expect(await names(fixture)).toEqual([REPOSITORY]);
  });

  it('just before a push commits that needs no blob: the push makes the repository anew, private', async () => {
    for (const before of [undefined, 'v1']) {
      const fixture = await openFixture();
      const { registry, justBefore } = fixture;
      await setVisibility(registry, REPOSITORY, true);
      if (before) await push(registry, indexOf(), before);
      justBefore('T#v2', () => deleteRepository(registry, REPOSITORY));
      await push(registry, indexOf(), 'v2');
      expect(await findManifest(registry, REPOSITORY, byTag('v1'))).toBeUndefined();
      expect(await findManifest(registry, REPOSITORY, byTag('v2'))).toBeDefined();
      expect(await names(fixture)).toEqual([REPOSITORY]);
      expect(await findRepository(registry, REPOSITORY)).toMatchObject({ listed: true, isPublic: false });
    }
  });

  it('and an upload that finishes meanwhile: its blob is whole, and the repository is not in the catalog', async () => {
    const fixture = await openFixture();
    const { registry, justBefore } = fixture;
    await push(registry, imageOf(await pushBlob(registry)), 'v1');
    const bytes = Buffer.from('late');
    const digest = digestOf('sha256', bytes);
    const { id } = await startUpload(registry, REPOSITORY);
    const finish = { repository: REPOSITORY, id, body: bodyOf(bytes), start: undefined, digest };
    justBefore('#', () => finishUpload(registry, finish));
    expect(await deleteRepository(registry, REPOSITORY)).toBe('done');
    expect(await names(fixture)).toEqual([]);
  });

  it('and a mount of its last link at the same moment: the mount counts, or finds nothing', async () => {
    const fixture = await openFixture();
    const { registry, justBefore } = fixture;
    const { digest } = await pushBlob(registry);
    justBefore('B#', () => mountBlob(registry, { repository: OTHER, digest, choose: async ([one]) => one }));
    expect(await deleteRepository(registry, REPOSITORY)).toBe('done');
    fixture.clock += 2 * DAY;
    await drainOutbox(registry);
    expect(await isReadable(fixture, digest)).toBe(true);
  });

  it('and a second one of the same repository both end', async () => {
    const fixture = await openFixture();
    const { registry, justBefore } = fixture;
    await push(registry, imageOf(await pushBlob(registry)), 'v1');
    justBefore('M#', () => deleteRepository(registry, REPOSITORY));
    const outcome = await deleteRepository(registry, REPOSITORY);
    expect(outcome).toBe('done');
    expect(await itemsOf(fixture)).toEqual(['#']);
  });
});

/** Nested indexes are told from images by their media type. */
const mediaTypeAt = (depth: number) => (depth === 0 ? 'image.manifest' : 'image.index');
