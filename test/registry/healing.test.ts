import { randomBytes } from 'node:crypto';
import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import type { RepositoryName, Tag } from '../../functions/oci/reference.ts';
import {
  deleteBlob,
  mountBlob,
  readBlob,
  requireBlob,
  requireBlobForPush,
} from '../../functions/registry/blobs.ts';
import { blobKey, digestKey, manifestKey, tagKey } from '../../functions/registry/keys.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { findManifest, readManifest, requireManifestForPush } from '../../functions/registry/manifests.ts';
import { drainOutbox } from '../../functions/registry/outbox.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { restore } from '../../functions/registry/restore.ts';
import type { ObjectKey } from '../../functions/storage/blob-store.ts';
import { keyOf } from '../../functions/storage/table.ts';
import { DirectoryBlobStore } from '../../local/directory-blob-store.ts';
import { type DiskFile, realDisk } from '../../local/disk.ts';
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

const DAY = 24 * 60 * 60_000;
const THIRD = 'team/third' as RepositoryName;
const bytes = randomBytes(500);
const digest = digestOf('sha256', bytes);

const keyIn = async ({ table }: Pick<Fixture, 'table'>, name: RepositoryName) =>
  (await table.get(blobKey(name, digest)))?.['objectKey'] as ObjectKey | undefined;
const currentKey = async ({ table }: Pick<Fixture, 'table'>) =>
  (await table.get(digestKey(digest)))?.['objectKey'] as ObjectKey | undefined;

async function readIn(
  registry: Registry,
  name: RepositoryName,
  wanted: Digest = digest,
): Promise<Uint8Array> {
  const body = await readBlob(registry, name, await requireBlob(registry, name, wanted));
  return new Response(body).bytes();
}

const cut = ({ root }: Fixture, key: ObjectKey | undefined) => truncate(join(root, key ?? ''), 7);

/** A blob that several repositories have, and whose object is cut. */
async function openDamaged(...names: RepositoryName[]): Promise<Fixture & { readonly old: ObjectKey }> {
  const fixture = await openFixture();
  for (const name of names) await pushBlob(fixture.registry, name, bytes);
  const old = (await currentKey(fixture)) as ObjectKey;
  await cut(fixture, old);
  return Object.assign(fixture, { old });
}

/** The registry as a process has it that dies once a write has put a new object in the place of an old one. */
function dyingOf({ registry, table }: Fixture): Registry {
  let isDead = false;
  const write: Registry['table']['write'] = async (operations) => {
    if (isDead) throw new Error('this process is dead');
    const outcome = await table.write(operations);
    isDead = operations.some((one) => 'update' in one && one.set?.['objectKey'] !== undefined);
    return outcome;
  };
  return { ...registry, table: through(table, { write }) };
}

/** The registry as the job has it that drains the outbox on AWS: it may query, update and delete. */
function hourlyJobOf({ registry, table }: Fixture): Registry {
  const denied = () => Promise.reject(new Error('AccessDenied'));
  const write: Registry['table']['write'] = (operations) =>
    operations.every((one) => 'update' in one || 'remove' in one) ? table.write(operations) : denied();
  return { ...registry, table: through(table, { get: denied, getMany: denied, write }) };
}

describe('a push of the right bytes', () => {
  it.each([
    ['into a repository that has the blob', REPOSITORY],
    ['into one that has it not', THIRD],
  ])('%s heals it in all repositories, and the old object goes a day later', async (_, name) => {
    const fixture = await openDamaged(REPOSITORY, OTHER);
    const { registry, old } = fixture;
    await pushBlob(registry, name, bytes);
    for (const one of new Set([REPOSITORY, OTHER, name])) {
      expect(Buffer.from(await readIn(registry, one))).toEqual(bytes);
      expect(await keyIn(fixture, one)).toBe(await currentKey(fixture));
    }
    expect((await fixture.table.get(digestKey(digest)))?.['links']).toBe(name === THIRD ? 3 : 2);
    expect(await isStored(registry, old)).toBe(true);
    fixture.clock += DAY;
    await drainOutbox(registry);
    expect(await isStored(registry, old)).toBe(false);
    expect(Buffer.from(await readIn(registry, OTHER))).toEqual(bytes);
  });

  it('keeps the object that is there, where that is sound', async () => {
    const fixture = await openFixture();
    await pushBlob(fixture.registry, REPOSITORY, bytes);
    const before = await currentKey(fixture);
    for (const name of [REPOSITORY, OTHER]) await pushBlob(fixture.registry, name, bytes);
    expect(await currentKey(fixture)).toBe(before);
  });

  it('heals what was healed before', async () => {
    const fixture = await openDamaged(REPOSITORY, OTHER);
    for (let times = 0; times < 3; times += 1) {
      await cut(fixture, await currentKey(fixture));
      await pushBlob(fixture.registry, OTHER, bytes);
      expect(Buffer.from(await readIn(fixture.registry, REPOSITORY))).toEqual(bytes);
    }
  });

  it('heals a blob of 250 repositories', async () => {
    const names = Array.from({ length: 250 }, (_, index) => `many/r${index}` as RepositoryName);
    const fixture = await openDamaged(...names);
    await pushBlob(fixture.registry, REPOSITORY, bytes);
    const current = await currentKey(fixture);
    for (const name of names) expect(await keyIn(fixture, name)).toBe(current);
  });
});

describe('a push that dies while it heals', () => {
  it('is done with by the next read of a repository that still has the old object', async () => {
    const fixture = await openDamaged(REPOSITORY, OTHER, THIRD);
    await pushBlob(dyingOf(fixture), REPOSITORY, bytes);
    expect(await keyIn(fixture, OTHER)).toBe(fixture.old);
    expect(Buffer.from(await readIn(fixture.registry, OTHER))).toEqual(bytes);
    expect(await keyIn(fixture, THIRD)).toBe(await currentKey(fixture));
  });

  it('is done with by a client that asks there before a push, and is told that the blob exists', async () => {
    const fixture = await openDamaged(REPOSITORY, OTHER, THIRD);
    await pushBlob(dyingOf(fixture), REPOSITORY, bytes);
    const blob = await requireBlobForPush(fixture.registry, OTHER, digest);
    expect(blob.objectKey).toBe(await currentKey(fixture));
    expect(await keyIn(fixture, THIRD)).toBe(blob.objectKey);
  });

  it('is done with by the next push there', async () => {
    const fixture = await openDamaged(REPOSITORY, OTHER, THIRD);
    await pushBlob(dyingOf(fixture), REPOSITORY, bytes);
    await pushBlob(fixture.registry, OTHER, bytes);
    for (const name of [OTHER, THIRD]) expect(await keyIn(fixture, name)).toBe(await currentKey(fixture));
  });

  it('is done with, at last, before the old object is deleted', async () => {
    const fixture = await openDamaged(REPOSITORY, OTHER);
    await pushBlob(dyingOf(fixture), REPOSITORY, bytes);
    const hourly = hourlyJobOf(fixture);
    await drainOutbox(hourly);
    expect(await keyIn(fixture, OTHER)).toBe(fixture.old);
    fixture.clock += DAY;
    await drainOutbox(hourly);
    expect(await keyIn(fixture, OTHER)).toBe(await currentKey(fixture));
    expect(await isStored(fixture.registry, fixture.old)).toBe(false);
  });

  it('is followed by one whose object is damaged, too: all links move to the newest', async () => {
    const fixture = await openDamaged(REPOSITORY, OTHER, THIRD);
    await pushBlob(dyingOf(fixture), REPOSITORY, bytes);
    await cut(fixture, await currentKey(fixture));
    await pushBlob(dyingOf(fixture), REPOSITORY, bytes);
    fixture.clock += DAY;
    await drainOutbox(fixture.registry);
    for (const name of [REPOSITORY, OTHER, THIRD]) {
      expect(await keyIn(fixture, name)).toBe(await currentKey(fixture));
      expect(Buffer.from(await readIn(fixture.registry, name))).toEqual(bytes);
    }
  });
});

describe('while a push heals', () => {
  it('another one of the same bytes does so first: its object stays', async () => {
    const fixture = await openDamaged(REPOSITORY, OTHER);
    const { registry, table } = fixture;
    fixture.justBefore(`B#${digest}`, () => pushBlob({ ...registry, table }, OTHER, bytes));
    await pushBlob(registry, THIRD, bytes);
    const current = await currentKey(fixture);
    for (const name of [REPOSITORY, OTHER, THIRD]) expect(await keyIn(fixture, name)).toBe(current);
    expect((await table.get(digestKey(digest)))?.['links']).toBe(3);
    fixture.clock += 2 * DAY;
    await drainOutbox(registry);
    expect(Buffer.from(await readIn(registry, THIRD))).toEqual(bytes);
  });

  it('the blob is deleted in the only other repository: the object of the push is a new blob', async () => {
    const fixture = await openDamaged(OTHER);
    const { registry, table } = fixture;
    fixture.justBefore(`B#${digest}`, () => deleteBlob({ ...registry, table }, OTHER, digest));
    await pushBlob(registry, REPOSITORY, bytes);
    expect((await table.get(digestKey(digest)))?.['links']).toBe(1);
    fixture.clock += 2 * DAY;
    await drainOutbox(registry);
    expect(Buffer.from(await readIn(registry, REPOSITORY))).toEqual(bytes);
  });

  it('a link goes and another comes between its two steps: neither is lost or brought back', async () => {
    const fixture = await openDamaged(REPOSITORY, OTHER);
    const { registry, table } = fixture;
    const apart = { ...registry, table };
    const write: Registry['table']['write'] = async (operations) => {
      const isSecond = operations.some((one) => keyOf(one).partition === `R#${OTHER}` && 'update' in one);
      if (isSecond) {
        await deleteBlob(apart, OTHER, digest);
        await pushBlob(apart, THIRD, bytes);
      }
      return table.write(operations);
    };
    await pushBlob({ ...registry, table: through(table, { write }) }, REPOSITORY, bytes);
    expect([await keyIn(fixture, OTHER), await keyIn(fixture, THIRD)]).toEqual([
      undefined,
      await currentKey(fixture),
    ]);
    expect((await table.get(digestKey(digest)))?.['links']).toBe(2);
  });

  it('its own object is damaged, and replaced by another push, between its two steps: all links have the newest', async () => {
    const fixture = await openDamaged(REPOSITORY, OTHER);
    const { registry, table } = fixture;
    let isFirst = true;
    const write: Registry['table']['write'] = async (operations) => {
      const isSecond = operations.some((one) => keyOf(one).partition === `R#${OTHER}` && 'update' in one);
      if (isSecond && isFirst) {
        isFirst = false;
        await cut(fixture, await currentKey(fixture));
        await pushBlob(dyingOf(fixture), THIRD, bytes);
      }
      return table.write(operations);
    };
    await pushBlob({ ...registry, table: through(table, { write }) }, REPOSITORY, bytes);
    expect(await keyIn(fixture, OTHER)).toBe(await currentKey(fixture));
    fixture.clock += DAY;
    await drainOutbox(registry);
    for (const name of [REPOSITORY, OTHER, THIRD])
      expect(await keyIn(fixture, name)).toBe(await currentKey(fixture));
  });

  it('the last link goes between its two steps: the new object goes, too', async () => {
    const fixture = await openDamaged(REPOSITORY, OTHER);
    const { registry, old } = fixture;
    await pushBlob(dyingOf(fixture), REPOSITORY, bytes);
    const current = (await currentKey(fixture)) as ObjectKey;
    for (const name of [REPOSITORY, OTHER]) await deleteBlob(registry, name, digest);
    fixture.clock += DAY;
    await drainOutbox(registry);
    expect([await isStored(registry, old), await isStored(registry, current)]).toEqual([false, false]);
  });
});

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
    const failing = async (file: DiskFile): Promise<DiskFile> =>
      ({
        stat: () => file.stat(),
        close: () => file.close(),
        read: () => Promise.reject(Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' })),
      }) as unknown as DiskFile;
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
