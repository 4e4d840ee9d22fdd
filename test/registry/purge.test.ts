import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import type { RepositoryName, Tag } from '../../functions/oci/reference.ts';
import { readBlob, requireBlob } from '../../functions/registry/blobs.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { putManifest } from '../../functions/registry/manifest-push.ts';
import { findManifest } from '../../functions/registry/manifests.ts';
import { drainOutbox } from '../../functions/registry/outbox.ts';
import { purgeEverywhere, purgeIn } from '../../functions/registry/purge.ts';
import { restore } from '../../functions/registry/restore.ts';
import { findTag } from '../../functions/registry/tags.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import {
  type Fixture,
  imageOf,
  indexOf,
  OTHER,
  openFixture,
  pushBlob,
  REPOSITORY,
  refusal,
} from './fixture.ts';

const DAY = 24 * 60 * 60_000;

let fixture: Fixture;

beforeEach(async () => {
  fixture = await openFixture();
});

const FOREVER = { until: Number.POSITIVE_INFINITY };

type Descriptor = Awaited<ReturnType<typeof pushBlob>>;

async function pushTo(repository: RepositoryName, bytes: Uint8Array, ...tags: string[]): Promise<Digest> {
  const push = { repository, bytes, contentType: '', digest: undefined, tags: tags as Tag[] };
  return (await putManifest(fixture.registry, push)).digest;
}

/** Of these layers, and a config of its own. */
async function image(repository: RepositoryName, ...layers: Descriptor[]): Promise<Buffer> {
  return imageOf(await pushBlob(fixture.registry, repository), { layers });
}

const hasBlob = async (repository: RepositoryName, { digest }: { digest: Digest }) =>
  (await refusal(requireBlob(fixture.registry, repository, digest))) === undefined;
const hasManifest = async (repository: RepositoryName, digest: Digest) =>
  (await findManifest(fixture.registry, repository, { kind: 'digest', digest })) !== undefined;
const objects = async () => (await fixture.registry.blobs.list(undefined, 1000)).length;
const purged = (entries: readonly { outcome: string; digest: Digest }[]) =>
  entries.filter(({ outcome }) => outcome === 'purged').map(({ digest }) => digest);

describe('a purge', () => {
  it('of a layer takes all images that use it, in every repository, their tags, graves and bytes, at once', async () => {
    const { registry } = fixture;
    const secret = randomBytes(100);
    const [here, there] = [
      await pushBlob(registry, REPOSITORY, secret),
      await pushBlob(registry, OTHER, secret),
    ];
    const base = await pushBlob(registry);
    const first = await pushTo(REPOSITORY, await image(REPOSITORY, here, base), 'v1', 'latest');
    const buried = await pushTo(REPOSITORY, await image(REPOSITORY, here), 'old');
    await deleteManifest(registry, REPOSITORY, buried);
    const platform = await image(OTHER, there);
    const child = await pushTo(OTHER, platform);
    const index = await pushTo(OTHER, indexOf(platform), 'multi');
    const innocent = await pushTo(REPOSITORY, await image(REPOSITORY, base), 'clean');

    const { entries, remaining } = await purgeEverywhere(registry, here.digest, FOREVER);
    expect(remaining).toBe(false);
    expect(purged(entries)).toEqual(expect.arrayContaining([first, buried, child, index, here.digest]));
    expect(await hasBlob(REPOSITORY, here)).toBe(false);
    expect(await hasBlob(OTHER, there)).toBe(false);
    for (const [repository, digest] of [
      [REPOSITORY, first],
      [OTHER, child],
      [OTHER, index],
    ] as const)
      expect(await hasManifest(repository, digest)).toBe(false);
    expect(await findTag(registry, REPOSITORY, 'latest' as Tag)).toBeUndefined();
    for (const digest of [first, buried]) {
      expect(await refusal(restore(registry, REPOSITORY, { digest }, FOREVER))).toBe('DENIED');
    }
    // What stays: the base, and the image of it with its config.
    expect(await hasManifest(REPOSITORY, innocent)).toBe(true);
    expect(await hasBlob(REPOSITORY, base)).toBe(true);
    expect(await objects()).toBe(2);
  });

  it('of an image takes its layers and config, keeps what others use, and says so', async () => {
    const { registry } = fixture;
    const [own, shared] = [await pushBlob(registry), await pushBlob(registry)];
    const digest = await pushTo(REPOSITORY, await image(REPOSITORY, own, shared), 'v1');
    const other = await pushTo(REPOSITORY, await image(REPOSITORY, shared), 'v2');
    const { entries } = await purgeIn(registry, REPOSITORY, digest, FOREVER);
    expect(entries).toContainEqual(
      expect.objectContaining({ digest, kind: 'manifest', outcome: 'purged', tags: ['v1'] }),
    );
    expect(entries).toContainEqual(
      expect.objectContaining({ digest: shared.digest, outcome: 'kept', reason: `${other} uses it, too` }),
    );
    expect([await hasBlob(REPOSITORY, own), await hasBlob(REPOSITORY, shared)]).toEqual([false, true]);
    expect(await objects()).toBe(2);
  });

  it('of an index takes its platforms, but not one that another index lists', async () => {
    const { registry } = fixture;
    const [a, b] = [await image(REPOSITORY), await image(REPOSITORY)];
    const [first, second] = [await pushTo(REPOSITORY, a), await pushTo(REPOSITORY, b)];
    const index = await pushTo(REPOSITORY, indexOf(a, b), 'v1');
    await pushTo(REPOSITORY, indexOf(b), 'v2');
    await purgeIn(registry, REPOSITORY, index, FOREVER);
    const there = [index, first, second].map((digest) => hasManifest(REPOSITORY, digest));
    expect(await Promise.all(there)).toEqual([false, false, true]);
  });

  it('in one repository leaves the bytes where another has them, and a dry run changes nothing', async () => {
    const { registry } = fixture;
    const secret = randomBytes(100);
    const [here, there] = [
      await pushBlob(registry, REPOSITORY, secret),
      await pushBlob(registry, OTHER, secret),
    ];
    const digest = await pushTo(REPOSITORY, await image(REPOSITORY, here), 'v1');
    const planned = await purgeIn(registry, REPOSITORY, digest, { ...FOREVER, dryRun: true });
    expect(await hasManifest(REPOSITORY, digest)).toBe(true);
    const done = await purgeIn(registry, REPOSITORY, digest, FOREVER);
    expect(done.entries).toEqual(planned.entries);
    expect(await hasBlob(OTHER, there)).toBe(true);
    expect(await objects()).toBe(1);
  });

  it('finds what was deleted before, whose bytes wait in the outbox', async () => {
    const { registry } = fixture;
    const secret = await pushBlob(registry);
    const digest = await pushTo(REPOSITORY, await image(REPOSITORY, secret), 'v1');
    await deleteManifest(registry, REPOSITORY, digest);
    const lease = { epochMs: DAY, quarantineMs: 0, ...FOREVER };
    for (let day = 0; day < 4; day += 1) {
      fixture.clock += DAY;
      await sweepRepository(registry, REPOSITORY, lease);
    }
    expect(await hasBlob(REPOSITORY, secret)).toBe(false);
    expect(await objects()).toBe(2);
    await purgeEverywhere(registry, secret.digest, FOREVER);
    expect(await objects()).toBe(1);
  });

  it('wins over a push that is under way: that begins again, and is told what is missing', async () => {
    const { registry } = fixture;
    const secret = await pushBlob(registry);
    const bytes = await image(REPOSITORY, secret);
    fixture.justBefore('M#', () => purgeEverywhere(registry, secret.digest, FOREVER));
    expect(await refusal(pushTo(REPOSITORY, bytes, 'v1'))).toBe('MANIFEST_BLOB_UNKNOWN');
    expect(await hasBlob(REPOSITORY, secret)).toBe(false);
  });

  it('takes an index, too, that comes while its child goes', async () => {
    const { registry } = fixture;
    const platform = await image(REPOSITORY);
    const child = await pushTo(REPOSITORY, platform);
    let index: Digest | undefined;
    fixture.justBefore('M#', async () => {
      index = await pushTo(REPOSITORY, indexOf(platform), 'v1');
    });
    await purgeIn(registry, REPOSITORY, child, FOREVER);
    expect(await hasManifest(REPOSITORY, child)).toBe(false);
    expect(await hasManifest(REPOSITORY, index as Digest)).toBe(false);
  });

  it('takes nothing where one of the images that use a layer may not be deleted', async () => {
    const { registry } = fixture;
    const secret = await pushBlob(registry);
    const made = [
      await image(REPOSITORY, secret),
      await image(REPOSITORY, secret),
      await image(REPOSITORY, secret),
    ];
    const digests: Digest[] = [];
    for (const [n, bytes] of made.entries()) digests.push(await pushTo(REPOSITORY, bytes, `v${n}`));
    for (const forbidden of digests) {
      const permit = async (_: RepositoryName, digest: Digest) => {
        if (digest === forbidden) throw new Error('immutable');
      };
      const purge = purgeIn(registry, REPOSITORY, secret.digest, { ...FOREVER, permit });
      expect(await refusal(purge)).toContain('immutable');
      for (const digest of digests) expect(await hasManifest(REPOSITORY, digest)).toBe(true);
    }
  });

  it('that dies at any step is finished by the next', async () => {
    for (let dies = 1; dies < 12; dies += 1) {
      fixture = await openFixture();
      const { registry } = fixture;
      const secret = await pushBlob(registry);
      const digest = await pushTo(REPOSITORY, await image(REPOSITORY, secret), 'v1');
      let left = dies;
      const table = {
        ...registry.table,
        write: async (operations: Parameters<typeof registry.table.write>[0]) => {
          left -= 1;
          if (left === 0) throw new Error('dead');
          return registry.table.write(operations);
        },
      };
      const dying = { ...registry, table };
      await purgeEverywhere(dying, secret.digest, FOREVER).catch(() => undefined);
      await purgeEverywhere(registry, secret.digest, FOREVER);
      expect([dies, await hasBlob(REPOSITORY, secret), await hasManifest(REPOSITORY, digest)]).toEqual([
        dies,
        false,
        false,
      ]);
      expect(await refusal(restore(registry, REPOSITORY, { digest }, FOREVER))).toBe('DENIED');
      // The config alone may wait its day.
      expect(await objects()).toBeLessThanOrEqual(1);
      fixture.clock += 2 * DAY;
      await drainOutbox(registry);
    }
  });

  it('of what is larger than an item takes its object', async () => {
    const { registry } = fixture;
    const config = await pushBlob(registry);
    const bytes = imageOf(config, { annotations: { text: 'x'.repeat(20_000) } });
    const digest = await pushTo(REPOSITORY, bytes, 'v1');
    expect(digest).toBe(digestOf('sha256', bytes));
    await purgeIn(registry, REPOSITORY, digest, FOREVER);
    expect(await objects()).toBe(0);
  });
});

it('a blob that is purged cannot be read by who looked it up before', async () => {
  const { registry } = fixture;
  const secret = await pushBlob(registry);
  const blob = await requireBlob(registry, REPOSITORY, secret.digest);
  await purgeEverywhere(registry, secret.digest, FOREVER);
  expect(await refusal(readBlob(registry, REPOSITORY, blob))).toBe('BLOB_UNKNOWN');
});
