import { beforeEach, describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { requireManifest } from '../../functions/registry/manifests.ts';
import { deletePolicy, putPolicy } from '../../functions/registry/policies.ts';
import { deleteRepository } from '../../functions/registry/repository-deletion.ts';
import { restore } from '../../functions/registry/restore.ts';
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
const sha256 = (bytes: Uint8Array) => digestOf('sha256', bytes);

let fixture: Fixture;
/** Two platforms, of which nothing was pushed but the configs, and the index of both. */
let here: Buffer;
let missing: Buffer;
let index: Buffer;

beforeEach(async () => {
  fixture = await openFixture();
  const { registry } = fixture;
  [here, missing] = [imageOf(await pushBlob(registry)), imageOf(await pushBlob(registry))];
  index = indexOf(here, missing);
});

const allow = () =>
  putPolicy(fixture.registry, { name: 'mirror', repositories: ['team/*'], sparseIndexes: true });
const isThere = async (digest: Digest) =>
  (await refusal(requireManifest(fixture.registry, REPOSITORY, { kind: 'digest', digest }))) === undefined;
const remove = (bytes: Buffer) => refusal(deleteManifest(fixture.registry, REPOSITORY, sha256(bytes)));

async function sweepDaily(days: number): Promise<void> {
  for (let day = 0; day < days; day += 1) {
    fixture.clock += DAY;
    const until = fixture.clock + DAY;
    await sweepRepository(fixture.registry, REPOSITORY, { epochMs: DAY, quarantineMs: 7 * DAY, until });
  }
}

describe('an index of which platforms are missing', () => {
  it('is refused without a policy, with one for other repositories, and with the cure', async () => {
    const { registry } = fixture;
    await putPolicy(registry, { name: 'other', repositories: ['mirror/*'], sparseIndexes: true });
    await push(registry, here);
    await expect(push(registry, index)).rejects.toMatchObject({
      code: 'MANIFEST_BLOB_UNKNOWN',
      entries: [{ message: expect.stringContaining('sparseIndexes'), detail: { digest: sha256(missing) } }],
    });
  });

  it('is taken by a policy, and an image that lacks a layer is not', async () => {
    const { registry } = fixture;
    await allow();
    expect(await push(registry, index, 'v1')).toBe(sha256(index));
    expect(await isThere(sha256(missing))).toBe(false);
    const layer = { mediaType: 'application/octet-stream', digest: sha256(Buffer.from('no')), size: 2 };
    const image = imageOf(await pushBlob(registry), { layers: [layer] });
    expect(await refusal(push(registry, image))).toBe('MANIFEST_BLOB_UNKNOWN');
  });

  it('holds a platform that is there, and one that comes later', async () => {
    const { registry } = fixture;
    await allow();
    await push(registry, here);
    await push(registry, index, 'v1');
    expect(await remove(here)).toBe('DENIED');
    await push(registry, missing);
    expect(await remove(missing)).toBe('DENIED');
    await deletePolicy(registry, 'mirror');
    expect(await remove(missing)).toBe('DENIED');
    await deleteManifest(registry, REPOSITORY, sha256(index));
    expect(await remove(missing)).toBeUndefined();
  });

  it('lives through sweeps and retention, and so do its platforms, whenever they came', async () => {
    const { registry } = fixture;
    await putPolicy(registry, {
      name: 'mirror',
      repositories: ['team/*'],
      retention: { untaggedAfterDays: 1 },
      sparseIndexes: true,
    });
    await push(registry, here);
    await push(registry, index, 'v1');
    await sweepDaily(4);
    const late = imageOf(await pushBlob(registry));
    const other = indexOf(late);
    await push(registry, other, 'v2');
    await push(registry, late);
    await sweepDaily(4);
    const all = [here, index, late, other].map((bytes) => isThere(sha256(bytes)));
    expect(await Promise.all(all)).toEqual([true, true, true, true]);
  });

  it('is pushed all the same where a platform is deleted meanwhile, which then is missing', async () => {
    const { registry } = fixture;
    await allow();
    await push(registry, here);
    fixture.justBefore('M#', () => deleteManifest(registry, REPOSITORY, sha256(here)));
    await push(registry, index, 'v1');
    expect([await isThere(sha256(index)), await isThere(sha256(here))]).toEqual([true, false]);
    await push(registry, here);
    expect(await remove(here)).toBe('DENIED');
  });

  it('is restored with what is there, as long as the policy holds', async () => {
    const { registry } = fixture;
    await allow();
    await push(registry, here);
    await push(registry, index, 'v1');
    await deleteManifest(registry, REPOSITORY, sha256(index));
    expect(await remove(here)).toBeUndefined();
    const bringBack = () =>
      refusal(
        restore(registry, REPOSITORY, { digest: sha256(index) } as never, {
          until: fixture.clock + DAY,
          dryRun: false,
        }),
      );
    await deletePolicy(registry, 'mirror');
    expect(await bringBack()).toBe('DENIED');
    await allow();
    expect(await bringBack()).toBeUndefined();
    expect([await isThere(sha256(index)), await isThere(sha256(here))]).toEqual([true, true]);
  });

  it('goes with its repository', async () => {
    const { registry } = fixture;
    await allow();
    await push(registry, here);
    await push(registry, index, 'v1');
    await deleteRepository(registry, REPOSITORY);
    expect(await isThere(sha256(index))).toBe(false);
  });
});
