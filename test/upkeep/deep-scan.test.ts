import { randomBytes } from 'node:crypto';
import { appendFile, open, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import { mountBlob, readBlob, requireBlob, requireBlobForPush } from '../../functions/registry/blobs.ts';
import { blobKey, manifestKey } from '../../functions/registry/keys.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import type { ObjectKey } from '../../functions/storage/blob-store.ts';
import type { Compared } from '../../functions/upkeep/comparison.ts';
import { type Mismatch, scanObjects } from '../../functions/upkeep/orphans.ts';
import {
  type Fixture,
  imageOf,
  indexOf,
  OTHER,
  openFixture,
  push,
  pushBlob,
  REPOSITORY,
  refusal,
  through,
} from '../registry/fixture.ts';

type Options = Omit<Parameters<typeof scanObjects>[1], 'report'>;

async function scan(registry: Registry, options: Options = {}) {
  const found: Mismatch[] = [];
  const result = await scanObjects(registry, {
    deep: {},
    mark: true,
    ...options,
    report: (mismatch) => found.push(mismatch),
  });
  return { found, ...result };
}

const objectOf = async ({ table }: Fixture, digest: Digest) =>
  (await table.get(blobKey(REPOSITORY, digest)))?.['objectKey'] as ObjectKey;

/** Turns one bit over. */
async function flip(path: string, at = 0): Promise<void> {
  const file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 1;
  await file.write(byte, 0, 1, at);
  await file.close();
}

const digestsIn = (found: readonly Mismatch[]) =>
  new Set(found.flatMap((mismatch) => (mismatch.is === 'unknown' ? [] : [mismatch.digest])));

const largeImage = (config: Parameters<typeof imageOf>[0]) =>
  imageOf(config, { annotations: { text: randomBytes(20_000).toString('base64') } });

describe('a deep scan', () => {
  it('finds every one of 1,000 turned bits, and what is missing, shorter or longer, and nothing else', async () => {
    const fixture = await openFixture();
    const { registry, root } = fixture;
    const all = await Promise.all(Array.from({ length: 1200 }, () => pushBlob(registry)));
    const damaged = all.slice(0, 1000);
    const [missing, shorter, longer] = all.slice(1000, 1003).map(({ digest }) => digest);
    const pathOf = async (digest?: Digest) => join(root, digest ? await objectOf(fixture, digest) : '');
    for (const [index, { digest }] of damaged.entries()) await flip(await pathOf(digest), index % 100);
    await rm(await pathOf(missing));
    await truncate(await pathOf(shorter), 99);
    await appendFile(await pathOf(longer), 'x');
    const { found, compared } = await scan(registry, { lot: 500 });
    expect(found).toHaveLength(1003);
    expect(digestsIn(found)).toEqual(
      new Set([...damaged.map(({ digest }) => digest), missing, shorter, longer]),
    );
    expect(found.find((one) => 'digest' in one && one.digest === missing)).toMatchObject({ is: 'missing' });
    expect(compared.objects).toBe(1197); // the size of three said enough
  });

  it('marks what it finds, so that the next push heals it, and then finds nothing', async () => {
    const fixture = await openFixture();
    const { registry, root } = fixture;
    const bytes = randomBytes(300);
    const { digest } = await pushBlob(registry, REPOSITORY, bytes);
    await pushBlob(registry, OTHER, bytes);
    await flip(join(root, await objectOf(fixture, digest)));
    expect(await requireBlobForPush(registry, OTHER, digest)).toBeDefined(); // its size is right
    expect((await scan(registry)).found).toMatchObject([
      { is: 'damaged', kind: 'blob', digest, repository: REPOSITORY },
      { is: 'damaged', kind: 'blob', digest, repository: OTHER },
    ]);
    expect(await refusal(requireBlobForPush(registry, OTHER, digest))).toBe('BLOB_UNKNOWN');
    await pushBlob(registry, OTHER, bytes);
    const healed = await readBlob(registry, REPOSITORY, await requireBlob(registry, REPOSITORY, digest));
    expect(Buffer.from(await new Response(healed).bytes())).toEqual(bytes);
    expect((await scan(registry)).found).toEqual([]);
  });

  it('says which tags need what is damaged, by way of an index, too', async () => {
    const fixture = await openFixture();
    const { registry, root } = fixture;
    const config = await pushBlob(registry);
    const image = imageOf(config);
    await push(registry, image, 'v1', 'v2');
    await push(registry, indexOf(image), 'all');
    await push(registry, imageOf(await pushBlob(registry)), 'v2', 'other');
    await flip(join(root, await objectOf(fixture, config.digest)));
    const { found } = await scan(registry);
    expect(found).toEqual([expect.objectContaining({ digest: config.digest, tags: ['v1', 'all'] })]);
  });

  it('finds large manifests, and those that could be restored', async () => {
    const fixture = await openFixture();
    const { registry, root, table } = fixture;
    const config = await pushBlob(registry);
    const [kept, buried] = [largeImage(config), largeImage(config)];
    await push(registry, kept, 'v1');
    await push(registry, buried, 'v2');
    for (const bytes of [kept, buried]) {
      const found = await table.get(manifestKey(REPOSITORY, digestOf('sha256', bytes)));
      await flip(join(root, found?.['objectKey'] as string), 5000);
    }
    await deleteManifest(registry, REPOSITORY, digestOf('sha256', buried));
    const { found } = await scan(registry);
    expect(found).toMatchObject([
      { is: 'damaged', kind: 'manifest', digest: digestOf('sha256', kept), tags: ['v1'] },
      { is: 'damaged', kind: 'grave', digest: digestOf('sha256', buried), tags: [] },
    ]);
    await push(registry, kept, 'v1');
    expect((await scan(registry)).found).toMatchObject([{ kind: 'grave' }]);
  });

  it('looks at a part of the objects where it is told to, and tells how far it has come', async () => {
    const { registry } = await openFixture();
    for (let count = 0; count < 40; count += 1) await pushBlob(registry);
    let turn = 0;
    const told: Compared[] = [];
    const deep = { choose: () => ++turn % 4 === 0, progress: (compared: Compared) => told.push(compared) };
    expect((await scan(registry, { deep })).compared).toEqual({ objects: 10, bytes: 1000 });
    expect(told.map(({ objects }) => objects)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it('reads a blob once, however many repositories have it', async () => {
    const { registry } = await openFixture();
    const { digest } = await pushBlob(registry);
    await mountBlob(registry, {
      repository: OTHER,
      digest,
      from: REPOSITORY,
      choose: async () => REPOSITORY,
    });
    expect((await scan(registry)).compared.objects).toBe(1);
  });

  it('is done with a push that died while it healed', async () => {
    const fixture = await openFixture();
    const { registry, root, table } = fixture;
    const bytes = randomBytes(300);
    const { digest } = await pushBlob(registry, REPOSITORY, bytes);
    await pushBlob(registry, OTHER, bytes);
    await flip(join(root, await objectOf(fixture, digest)));
    await scan(registry);
    let isDead = false;
    const write: Registry['table']['write'] = async (operations) => {
      if (isDead) throw new Error('this process is dead');
      isDead = operations.some((one) => 'update' in one && one.set?.['objectKey'] !== undefined);
      return table.write(operations);
    };
    await pushBlob({ ...registry, table: through(table, { write }) }, OTHER, bytes);
    expect((await table.get(blobKey(OTHER, digest)))?.['objectKey']).not.toBe(
      await objectOf(fixture, digest),
    );
    expect((await scan(registry)).found).toEqual([]);
    expect((await table.get(blobKey(OTHER, digest)))?.['objectKey']).toBe(await objectOf(fixture, digest));
  });

  it('that may not write tells what it finds all the same, and that it could not mark it', async () => {
    const fixture = await openFixture();
    const { digest } = await pushBlob(fixture.registry);
    await flip(join(fixture.root, await objectOf(fixture, digest)));
    const write = () => Promise.reject(new Error('AccessDenied'));
    const readOnly = { ...fixture.registry, table: through(fixture.table, { write }) };
    expect(await scan(readOnly)).toMatchObject({
      found: [{ digest }],
      unmarked: { count: 1, cause: new Error('AccessDenied') },
    });
    expect(await scan(readOnly, { mark: false })).toMatchObject({
      found: [{ digest }],
      unmarked: { count: 0 },
    });
  });
});
