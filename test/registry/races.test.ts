import { describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import type { RepositoryName, Tag } from '../../functions/oci/reference.ts';
import { deleteBlob, requireBlob, requireBlobForPush } from '../../functions/registry/blobs.ts';
import {
  blobKey,
  edgeKey,
  manifestKey,
  pushesOf,
  pushKey,
  repositoryKey,
} from '../../functions/registry/keys.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { findManifest } from '../../functions/registry/manifests.ts';
import type { Operation } from '../../functions/storage/table.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import { imageOf, indexOf, openFixture, push, pushBlob, REPOSITORY, refusal } from './fixture.ts';

// The timelines of docs/concurrency.md, each driven to the step where it could go wrong.

const DAY = 24 * 60 * 60 * 1000;
const manifestOf = (bytes: Uint8Array) => ({ kind: 'digest', digest: digestOf('sha256', bytes) }) as const;

describe('a push of a manifest', () => {
  it('starts again, and is refused, where its blob is deleted just before the commit', async () => {
    const { registry, justBefore } = await openFixture();
    const config = await pushBlob(registry);
    justBefore('M#', () => deleteBlob(registry, REPOSITORY, config.digest));
    expect(await refusal(push(registry, imageOf(config), 'v1'))).toBe('MANIFEST_BLOB_UNKNOWN');
    expect(await findManifest(registry, REPOSITORY, { kind: 'tag', tag: 'v1' as Tag })).toBeUndefined();
  });

  it('keeps its blob where that is deleted just after the commit', async () => {
    const { registry, justBefore } = await openFixture();
    const config = await pushBlob(registry);
    justBefore('B#', () => push(registry, imageOf(config))); // the delete has looked, and is about to mark it
    expect(await refusal(deleteBlob(registry, REPOSITORY, config.digest))).toBe('DENIED');
    expect(await requireBlob(registry, REPOSITORY, config.digest)).toMatchObject({ size: config.size });
  });

  it('takes the mark off its blob that a delete is about to remove, which looks again', async () => {
    const { registry, justBefore } = await openFixture();
    const config = await pushBlob(registry);
    justBefore('L#', () => push(registry, imageOf(config))); // the delete has marked it, and has looked again
    expect(await refusal(deleteBlob(registry, REPOSITORY, config.digest))).toBe('DENIED');
    expect(await requireBlob(registry, REPOSITORY, config.digest)).toMatchObject({ size: config.size });
  });

  it('keeps its blob where a delete has found it under way, and it commits before that removes', async () => {
    const { registry, justBefore } = await openFixture();
    const config = await pushBlob(registry);
    let deleted: string | undefined;
    justBefore('M#', async () => {
      // The push is about to commit. The delete ends it, but for another push of the same manifest, which is faster.
      justBefore('L#', () => push(registry, imageOf(config)));
      deleted = await refusal(deleteBlob(registry, REPOSITORY, config.digest));
    });
    await push(registry, imageOf(config));
    expect(deleted).toBe('DENIED');
    expect(await requireBlob(registry, REPOSITORY, config.digest)).toMatchObject({ size: config.size });
  });

  it('is refused where its blob was deleted, though another push of it has begun since', async () => {
    const { registry, justBefore } = await openFixture();
    const config = await pushBlob(registry);
    justBefore('M#', async () => {
      await deleteBlob(registry, REPOSITORY, config.digest);
      expect(await refusal(push(registry, imageOf(config)))).toBe('MANIFEST_BLOB_UNKNOWN');
    });
    expect(await refusal(push(registry, imageOf(config)))).toBe('MANIFEST_BLOB_UNKNOWN');
  });

  it('goes on where a delete has died that had marked its blob, and so does the next delete', async () => {
    const { registry, table } = await openFixture();
    const config = await pushBlob(registry);
    const mark = { update: blobKey(REPOSITORY, config.digest), set: { going: 'dead' } };
    await table.write([mark]);
    const digest = await push(registry, imageOf(config));
    expect(await table.get(blobKey(REPOSITORY, config.digest))).toMatchObject({ going: '' });
    await deleteManifest(registry, REPOSITORY, digest);
    await table.write([mark]);
    await deleteBlob(registry, REPOSITORY, config.digest);
    expect(await refusal(requireBlob(registry, REPOSITORY, config.digest))).toBe('BLOB_UNKNOWN');
  });

  it('and others of the same new manifest, all at once, end in one manifest with all their tags', async () => {
    const { registry } = await openFixture();
    const config = await pushBlob(registry);
    const tags = Array.from({ length: 20 }, (_, index) => `v${index}` as Tag);
    await Promise.all(tags.map((tag) => push(registry, imageOf(config), tag)));
    for (const tag of tags)
      expect(await findManifest(registry, REPOSITORY, { kind: 'tag', tag })).toBeDefined();
    expect(await refusal(deleteBlob(registry, REPOSITORY, config.digest))).toBe('DENIED');
  });

  it('of which a hundred have died with one blob does not hold its delete off', async () => {
    const { registry, table } = await openFixture();
    const config = await pushBlob(registry);
    for (let index = 0; index < 100; index += 1) {
      const dead = digestOf('sha256', Buffer.from(`dead ${index}`));
      await table.write([
        { put: edgeKey(REPOSITORY, config.digest, dead), attributes: { touched: 0 } },
        { put: pushKey(REPOSITORY, dead), attributes: { push: 'dead', touched: 0 } },
      ]);
    }
    await deleteBlob(registry, REPOSITORY, config.digest);
    expect(await refusal(requireBlob(registry, REPOSITORY, config.digest))).toBe('BLOB_UNKNOWN');
  });

  it('of an index is refused where a child is deleted just before the commit', async () => {
    const { registry, justBefore } = await openFixture();
    const child = imageOf(await pushBlob(registry));
    const digest = await push(registry, child);
    justBefore(`M#${digestOf('sha256', indexOf(child))}`, () => deleteManifest(registry, REPOSITORY, digest));
    expect(await refusal(push(registry, indexOf(child)))).toBe('MANIFEST_BLOB_UNKNOWN');
  });

  it('of an index keeps its child where that is deleted just after the commit', async () => {
    const { registry, justBefore } = await openFixture();
    const child = imageOf(await pushBlob(registry));
    const digest = await push(registry, child);
    justBefore(`M#${digest}`, () => push(registry, indexOf(child))); // the delete has looked, and is about to mark it
    expect(await refusal(deleteManifest(registry, REPOSITORY, digest))).toBe('DENIED');
    expect(await findManifest(registry, REPOSITORY, manifestOf(child))).toBeDefined();
  });

  it('of an index keeps its child that a delete has marked, and takes the mark off', async () => {
    const { registry, justBefore } = await openFixture();
    const child = imageOf(await pushBlob(registry));
    const digest = await push(registry, child);
    justBefore('G#', () => push(registry, indexOf(child))); // the delete has marked it, and has looked again
    expect(await refusal(deleteManifest(registry, REPOSITORY, digest))).toBe('DENIED');
    expect(await findManifest(registry, REPOSITORY, manifestOf(child))).toBeDefined();
  });

  it('is found by sweeps of two epochs that pass just before its commit: it starts again, and touches anew', async () => {
    const fixture = await openFixture();
    const { registry, table, justBefore } = fixture;
    const config = await pushBlob(registry);
    justBefore('M#', async () => {
      for (const _ of ['first', 'second']) {
        fixture.clock += DAY;
        const options = { epochMs: DAY, quarantineMs: 0, until: Number.POSITIVE_INFINITY };
        // Somebody else is interested in the blob: it stays.
        await requireBlobForPush(registry, REPOSITORY, config.digest);
        await sweepRepository(registry, REPOSITORY, options);
      }
    });
    await push(registry, imageOf(config));
    expect(await table.get(blobKey(REPOSITORY, config.digest))).toMatchObject({ touched: 2 });
    expect(await refusal(deleteBlob(registry, REPOSITORY, config.digest))).toBe('DENIED'); // it has its edge
  });

  it('starts again where two epochs began before it was found to be under way', async () => {
    const { registry, table, justBefore } = await openFixture();
    const config = await pushBlob(registry);
    const advance = { update: repositoryKey(REPOSITORY), add: { epoch: 2 } };
    justBefore('E#', () => table.write([advance]));
    await push(registry, imageOf(config));
    expect(await table.get(blobKey(REPOSITORY, config.digest))).toMatchObject({ touched: 2 });
    expect(await table.get(manifestKey(REPOSITORY, digestOf('sha256', imageOf(config))))).toMatchObject({
      touched: 2,
    });
  });

  it('goes on where one sweep passed: what it touched is safe for one more', async () => {
    const { registry, table, justBefore } = await openFixture();
    const config = await pushBlob(registry);
    justBefore('M#', () => table.write([{ update: repositoryKey(REPOSITORY), add: { epoch: 1 } }]));
    await push(registry, imageOf(config));
    expect(await table.get(blobKey(REPOSITORY, config.digest))).toMatchObject({ touched: 0 });
  });

  it('and the same push at the same moment end in one manifest, also where its bytes are an object', async () => {
    const { registry, justBefore } = await openFixture();
    const bytes = imageOf(await pushBlob(registry), { annotations: { padding: 'x'.repeat(50_000) } });
    justBefore('M#', () => push(registry, bytes, 'second'));
    await push(registry, bytes, 'first');
    const found = await findManifest(registry, REPOSITORY, manifestOf(bytes));
    for (const tag of ['first', 'second'] as Tag[]) {
      expect(await findManifest(registry, REPOSITORY, { kind: 'tag', tag })).toEqual(found);
    }
  });
});

describe('a delete of a manifest', () => {
  it('takes a tag along that is put on it just before it goes', async () => {
    const { registry, justBefore } = await openFixture();
    const config = await pushBlob(registry);
    const digest = await push(registry, imageOf(config), 'v1');
    justBefore('G#', () => push(registry, imageOf(config), 'v2'));
    await deleteManifest(registry, REPOSITORY, digest);
    expect(await findManifest(registry, REPOSITORY, { kind: 'tag', tag: 'v2' as Tag })).toBeUndefined();
  });

  it('with very many tags takes one of them along that comes back just before they go', async () => {
    const { registry, justBefore } = await openFixture();
    const config = await pushBlob(registry);
    const tags = Array.from({ length: 40 }, (_, index) => `v${10 + index}`);
    await push(registry, imageOf(config), ...tags.slice(0, 20));
    const digest = await push(registry, imageOf(config), ...tags.slice(20));
    await push(registry, imageOf(config, { annotations: { version: '2' } }), 'v10'); // its entry in the index stays
    justBefore('I#', () => push(registry, imageOf(config), 'v10'));
    await deleteManifest(registry, REPOSITORY, digest);
    expect(await findManifest(registry, REPOSITORY, { kind: 'digest', digest })).toBeUndefined();
    expect(await findManifest(registry, REPOSITORY, { kind: 'tag', tag: 'v10' as Tag })).toBeUndefined();
  });
});

describe('many pushes that were refused, and left that they are under way', () => {
  const leftBy = (name: RepositoryName, target: Digest, count: number): Operation[] =>
    Array.from({ length: count }, (_, index) => digestOf('sha256', Buffer.from(`refused ${index}`))).flatMap(
      (manifest) => [
        { put: pushKey(name, manifest), attributes: { push: manifest, touched: 0 } },
        { put: edgeKey(name, target, manifest), attributes: { touched: 0 } },
      ],
    );

  it('do not make a delete of what they refer to lose: it ends all of them at once', async () => {
    const { registry, table } = await openFixture();
    const config = await pushBlob(registry);
    const left = leftBy(REPOSITORY, config.digest, 1000);
    for (let at = 0; at < left.length; at += 100) await table.write(left.slice(at, at + 100));
    await deleteBlob(registry, REPOSITORY, config.digest);
    expect(registry.steady()).toBe(0); // it never waited to try again
    expect(await table.query({ ...pushesOf(REPOSITORY), limit: 1 })).toEqual([]);
    expect(await refusal(requireBlob(registry, REPOSITORY, config.digest))).toBe('BLOB_UNKNOWN');
  });

  it('are not ended where somebody takes the mark off meanwhile: the delete looks again', async () => {
    const { registry, table, justBefore } = await openFixture();
    const config = await pushBlob(registry);
    const left = leftBy(REPOSITORY, config.digest, 200);
    for (let at = 0; at < left.length; at += 100) await table.write(left.slice(at, at + 100));
    justBefore('Y#', async () => {
      await push(registry, imageOf(config), 'v1');
    });
    expect(await refusal(deleteBlob(registry, REPOSITORY, config.digest))).toBe('DENIED');
    expect(await requireBlob(registry, REPOSITORY, config.digest)).toMatchObject({ size: config.size });
  });
});
