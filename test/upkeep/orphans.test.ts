import { randomBytes, randomUUID } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { digestOf } from '../../functions/oci/digest.ts';
import { deleteBlob, mountBlob, requireBlob } from '../../functions/registry/blobs.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { finishUpload } from '../../functions/registry/upload-closing.ts';
import { startUpload } from '../../functions/registry/uploads.ts';
import type { ObjectKey } from '../../functions/storage/blob-store.ts';
import { knownObjects } from '../../functions/upkeep/known-objects.ts';
import { type Mismatch, scanObjects } from '../../functions/upkeep/orphans.ts';
import {
  bodyOf,
  type Fixture,
  imageOf,
  OTHER,
  openFixture,
  push,
  pushBlob,
  REPOSITORY,
} from '../registry/fixture.ts';

const DAY = 24 * 60 * 60_000;

const fresh = () => `blobs/${randomUUID()}` as ObjectKey;

/** The scan, two days after what there is was written, so that nothing is too young. */
async function scan({ registry }: Fixture, lot?: number): Promise<readonly Mismatch[]> {
  const found: Mismatch[] = [];
  const later = { ...registry, now: () => Date.now() + 2 * DAY };
  await scanObjects(later, { report: (mismatch) => found.push(mismatch), ...(lot && { lot }) });
  return found;
}

const objectOf = async ({ registry }: Fixture, digest: Parameters<typeof requireBlob>[2]) =>
  (await requireBlob(registry, REPOSITORY, digest)).objectKey;

/** An image whose manifest is an object of its own. */
const largeImage = (config: Parameters<typeof imageOf>[0]) =>
  imageOf(config, { annotations: { text: randomBytes(20_000).toString('base64') } });

/** Runs `act` once, just before the table is read for the first item that begins so. */
function beforeReading({ registry }: Fixture, prefix: string, act: () => Promise<unknown>): void {
  const query = registry.table.query.bind(registry.table);
  const spy = vi.spyOn(registry.table, 'query');
  spy.mockImplementation(async (range) => {
    if (range.prefix === prefix) {
      spy.mockImplementation(query);
      await act();
    }
    return query(range);
  });
}

describe('the scan of a registry where all is well', () => {
  it('tells of nothing: blobs, large manifests, deleted ones, uploads under way and what waits for its end are known', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    const [first, second] = [await pushBlob(registry), await pushBlob(registry)];
    await push(registry, largeImage(first), 'v1');
    await deleteManifest(registry, REPOSITORY, await push(registry, largeImage(first), 'v2'));
    const { upload } = await startUpload(registry, REPOSITORY);
    await registry.blobs.append(upload, bodyOf(randomBytes(10)), {
      isCurrent: async () => true,
      commit: async () => true,
    });
    await deleteBlob(registry, REPOSITORY, second.digest);
    expect(await scan(fixture)).toEqual([]);
    expect(await scan(fixture, 2)).toEqual([]); // in lots, each compared with the whole table
  });
});

describe('the scan tells of', () => {
  it('an object that nothing names, once it is a day old', async () => {
    const fixture = await openFixture();
    await pushBlob(fixture.registry);
    const key = fresh();
    await fixture.registry.blobs.put(key, randomBytes(7));
    const found: Mismatch[] = [];
    const young = { ...fixture.registry, now: Date.now };
    await scanObjects(young, { report: (mismatch) => found.push(mismatch) });
    expect(found).toEqual([]);
    for (const lot of [1, 2, 100]) {
      expect(await scan(fixture, lot)).toMatchObject([{ is: 'unknown', objectKey: key, size: 7 }]);
    }
  });

  it('a blob whose object is gone, and one whose object is cut, in each repository that holds it', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    const [gone, cut] = [await pushBlob(registry), await pushBlob(registry)];
    await mountBlob(registry, {
      repository: OTHER,
      digest: gone.digest,
      from: REPOSITORY,
      choose: async () => REPOSITORY,
    });
    const [goneKey, cutKey] = [await objectOf(fixture, gone.digest), await objectOf(fixture, cut.digest)];
    await registry.blobs.delete([goneKey]);
    await registry.blobs.delete([cutKey]);
    await registry.blobs.put(cutKey, randomBytes(99));
    const found = await scan(fixture, 1);
    expect(found).toHaveLength(3);
    const missing = { is: 'missing', kind: 'blob', digest: gone.digest, objectKey: goneKey, tags: [] };
    expect(found).toContainEqual({ ...missing, repository: REPOSITORY });
    expect(found).toContainEqual({ ...missing, repository: OTHER });
    expect(found).toContainEqual({
      ...{ is: 'damaged', kind: 'blob', digest: cut.digest, objectKey: cutKey, tags: [] },
      repository: REPOSITORY,
    });
  });

  it('a large manifest whose object is gone', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    const put = vi.spyOn(registry.blobs, 'put');
    const digest = await push(registry, largeImage(await pushBlob(registry)), 'v1');
    await registry.blobs.delete([put.mock.calls[0]?.[0] as ObjectKey]);
    expect(await scan(fixture)).toMatchObject([{ is: 'missing', kind: 'manifest', digest }]);
  });
});

describe('while the registry is in use, the scan tells of nothing', () => {
  it('when a blob is pushed after the objects were listed', async () => {
    const fixture = await openFixture();
    await pushBlob(fixture.registry);
    beforeReading(fixture, 'B#', () => pushBlob(fixture.registry));
    expect(await scan(fixture)).toEqual([]);
  });

  it('when a blob is deleted after the outbox was read', async () => {
    const fixture = await openFixture();
    const { digest } = await pushBlob(fixture.registry);
    beforeReading(fixture, 'B#', () => deleteBlob(fixture.registry, REPOSITORY, digest));
    expect(await scan(fixture)).toEqual([]);
  });

  it('when a blob wanders into a repository that was read already', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    const { digest } = await pushBlob(registry, OTHER); // read first: it has been there for longer
    fixture.clock += 1000;
    const wanderer = await pushBlob(registry);
    let reads = 0;
    const query = registry.table.query.bind(registry.table);
    vi.spyOn(registry.table, 'query').mockImplementation(async (range) => {
      if (range.prefix === 'B#' && ++reads === 2) {
        const mount = { repository: OTHER, digest: wanderer.digest, from: REPOSITORY };
        expect(await mountBlob(registry, { ...mount, choose: async () => REPOSITORY })).toBe(true);
        await deleteBlob(registry, REPOSITORY, wanderer.digest);
      }
      return query(range);
    });
    expect(await scan(fixture)).toEqual([]);
    expect(reads).toBeGreaterThan(2);
    expect(await requireBlob(registry, OTHER, digest)).toBeDefined();
  });

  it('when an object is deleted, its time having come, after the objects were listed', async () => {
    const fixture = await openFixture();
    const key = fresh();
    await fixture.registry.blobs.put(key, randomBytes(7));
    await pushBlob(fixture.registry);
    beforeReading(fixture, 'B#', () => fixture.registry.blobs.delete([key]));
    expect(await scan(fixture)).toEqual([]);
  });

  it('when a blob that was just pushed is deleted with its object before it is looked at once more', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    await pushBlob(registry);
    const query = registry.table.query.bind(registry.table);
    const spy = vi.spyOn(registry.table, 'query');
    spy.mockImplementation(async (range) => {
      if (range.prefix !== 'B#') return query(range);
      spy.mockImplementation(query);
      const { digest } = await pushBlob(registry);
      const read = await query(range);
      const key = await objectOf(fixture, digest);
      await deleteBlob(registry, REPOSITORY, digest);
      await registry.blobs.delete([key]);
      return read;
    });
    expect(await scan(fixture)).toEqual([]);
  });
});

describe('what the table knows, read once, has', () => {
  async function knownKeys({ registry }: Fixture): Promise<ReadonlySet<string>> {
    const keys = new Set<string>();
    for await (const page of knownObjects(registry.table))
      for (const { objectKey } of page) keys.add(objectKey);
    return keys;
  }

  it('an upload that is finished after the links were read', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    await pushBlob(registry);
    const bytes = randomBytes(9);
    const { id, upload } = await startUpload(registry, REPOSITORY);
    const finish = { repository: REPOSITORY, id, body: bodyOf(bytes), start: undefined };
    beforeReading(fixture, 'M#', () =>
      finishUpload(registry, { ...finish, digest: digestOf('sha256', bytes) }),
    );
    expect(await knownKeys(fixture)).toContain(upload.objectKey);
  });

  it('a blob that is deleted before the links are read', async () => {
    const fixture = await openFixture();
    const { digest } = await pushBlob(fixture.registry);
    const key = await objectOf(fixture, digest);
    beforeReading(fixture, 'B#', () => deleteBlob(fixture.registry, REPOSITORY, digest));
    expect(await knownKeys(fixture)).toContain(key);
  });
});
