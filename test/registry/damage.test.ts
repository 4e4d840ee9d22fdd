import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Tag } from '../../functions/oci/reference.ts';
import {
  deleteBlob,
  mountBlob,
  readBlob,
  requireBlob,
  requireBlobForPush,
} from '../../functions/registry/blobs.ts';
import { digestKey, manifestKey, tagKey } from '../../functions/registry/keys.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { findManifest, readManifest, requireManifestForPush } from '../../functions/registry/manifests.ts';
import { drainOutbox } from '../../functions/registry/outbox.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { restore } from '../../functions/registry/restore.ts';
import type { ObjectKey } from '../../functions/storage/blob-store.ts';
import { DirectoryBlobStore } from '../../local/directory-blob-store.ts';
import { type ReadableFile, realDisk } from '../../local/disk.ts';
import { bytes, currentKey, cut, DAY, digest, dyingOf, keyIn, openDamaged, readIn } from './damage.ts';
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
  through,
} from './fixture.ts';

describe('where bytes are damaged', () => {
  it('a reader of a blob that was deleted in the meantime is told that, and nothing else', async () => {
    const { registry } = await openDamaged(REPOSITORY, OTHER);
    const blob = await requireBlob(registry, REPOSITORY, digest);
    await deleteBlob(registry, REPOSITORY, digest);
    expect(await refusal(readBlob(registry, REPOSITORY, blob))).toBe('BLOB_UNKNOWN');
  });

  it('a reader of a blob that was healed in the meantime gets it', async () => {
    const { registry } = await openDamaged(REPOSITORY, OTHER);
    const blob = await requireBlob(registry, REPOSITORY, digest);
    await pushBlob(registry, OTHER, bytes);
    expect(Buffer.from(await new Response(await readBlob(registry, REPOSITORY, blob)).bytes())).toEqual(
      bytes,
    );
  });

  it('it is marked once, in the table, when a read finds out', async () => {
    const fixture = await openDamaged(REPOSITORY);
    let writes = 0;
    const write: Registry['table']['write'] = (operations) => {
      writes += 1;
      return fixture.table.write(operations);
    };
    const registry = { ...fixture.registry, table: through(fixture.table, { write }) };
    for (let times = 0; times < 3; times += 1)
      expect(await refusal(readIn(registry, REPOSITORY))).toBe('UNKNOWN');
    expect(writes).toBe(1);
    expect(await fixture.table.get(digestKey(digest))).toMatchObject({ damaged: fixture.old });
  });

  it('nobody mounts it', async () => {
    const { registry } = await openDamaged(REPOSITORY);
    const mount = { repository: OTHER, digest, from: REPOSITORY, choose: async () => REPOSITORY };
    expect(await mountBlob(registry, mount)).toBe(false);
    await pushBlob(registry, REPOSITORY, bytes);
    expect(await mountBlob(registry, mount)).toBe(true);
  });
});

describe('a disk that fails while a blob is sent', () => {
  it('fails the answer, and has the next push heal the blob, although the size of its file is right', async () => {
    const fixture = await openFixture();
    await pushBlob(fixture.registry, REPOSITORY, bytes);
    await pushBlob(fixture.registry, OTHER, bytes);
    const failing = (file: ReadableFile): ReadableFile => ({
      ...file,
      read: () => Promise.reject(Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' })),
    });
    const openToRead: typeof realDisk.openToRead = async (path) => {
      const file = await realDisk.openToRead(path);
      return file && failing(file);
    };
    const blobs = await DirectoryBlobStore.open(fixture.root, { ...realDisk, openToRead });
    const failed = { ...fixture.registry, blobs };
    await expect(readIn(failed, REPOSITORY)).rejects.toThrow(/cannot be read: Error: EIO/);
    await expect
      .poll(() => fixture.table.get(digestKey(digest)))
      .toMatchObject({ damaged: expect.any(String) });
    for (const name of [REPOSITORY, OTHER])
      expect(await refusal(requireBlobForPush(fixture.registry, name, digest))).toBe('BLOB_UNKNOWN');
    const before = await currentKey(fixture);
    await pushBlob(fixture.registry, OTHER, bytes);
    expect(await keyIn(fixture, REPOSITORY)).not.toBe(before);
    expect(await requireBlobForPush(fixture.registry, REPOSITORY, digest)).toBeDefined();
  });
});

describe('a large manifest whose object is damaged', () => {
  const TAGS = Array.from({ length: 15 }, (_, index) => `v${index}`);

  async function openDamagedManifest() {
    const fixture = await openFixture();
    const text = randomBytes(20_000).toString('base64');
    const image = imageOf(await pushBlob(fixture.registry), { annotations: { text } });
    const manifest = await push(fixture.registry, image, ...TAGS);
    const objectOf = async () => {
      const found = await fixture.table.get(manifestKey(REPOSITORY, manifest));
      return found?.['objectKey'] as ObjectKey;
    };
    await cut(fixture, await objectOf());
    return { fixture, image, manifest, objectOf };
  }

  const objectOn = async ({ table }: Fixture, tag: string) =>
    (await table.get(tagKey(REPOSITORY, tag as Tag)))?.['objectKey'];

  const readTag = async (registry: Registry, tag: string) => {
    const found = await findManifest(registry, REPOSITORY, { kind: 'tag', tag: tag as Tag });
    return found && Buffer.from(await new Response(await readManifest(registry, found)).bytes());
  };

  it('is not there for who may push it, and healed by a push, under all its tags', async () => {
    const { fixture, image, manifest, objectOf } = await openDamagedManifest();
    const { registry } = fixture;
    expect(await refusal(readTag(registry, 'v0'))).toBe('UNKNOWN');
    expect(await refusal(requireManifestForPush(registry, REPOSITORY, manifest))).toBe('MANIFEST_UNKNOWN');
    await push(registry, image, 'v3', 'new');
    for (const tag of [...TAGS, 'new']) {
      expect(await readTag(registry, tag)).toEqual(image);
      expect(await objectOn(fixture, tag)).toBe(await objectOf());
    }
    fixture.clock += DAY;
    await drainOutbox(registry);
    for (const tag of [...TAGS, 'new']) expect(await readTag(registry, tag)).toEqual(image);
  });

  it('leaves alone a tag that has moved to another manifest', async () => {
    const { fixture, image } = await openDamagedManifest();
    const { registry } = fixture;
    const text = randomBytes(20_000).toString('base64');
    const other = imageOf(await pushBlob(registry), { annotations: { text } });
    await push(registry, other, 'v0');
    await push(registry, image, 'v3');
    expect([await readTag(registry, 'v0'), await readTag(registry, 'v1')]).toEqual([other, image]);
  });

  it('is healed under all its tags by a push that dies half-way, before its old object is deleted', async () => {
    const { fixture, image, objectOf } = await openDamagedManifest();
    const old = await objectOf();
    await push(dyingOf(fixture), image, 'v3');
    expect(await objectOn(fixture, 'v0')).toBe(old);
    expect(await readTag(fixture.registry, 'v0')).toEqual(image);
    fixture.clock += DAY;
    await drainOutbox(fixture.registry);
    expect(await objectOn(fixture, 'v0')).toBe(await objectOf());
    expect(await isStored(fixture.registry, old)).toBe(false);
  });

  it('is not brought back from its grave, and whoever tries is told why', async () => {
    const { fixture, image, manifest } = await openDamagedManifest();
    const { registry } = fixture;
    await deleteManifest(registry, REPOSITORY, manifest);
    const wanted = { tag: 'v0' as Tag };
    const options = { until: Number.POSITIVE_INFINITY };
    await expect(restore(registry, REPOSITORY, wanted, options)).rejects.toThrow(/lost or damaged .*push/);
    await push(registry, image, 'v0');
    expect(await readTag(registry, 'v0')).toEqual(image);
  });
});
