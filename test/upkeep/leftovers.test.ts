import { expect, it } from 'vitest';
import type { Digest } from '../../functions/oci/digest.ts';
import type { Tag } from '../../functions/oci/reference.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { findManifest } from '../../functions/registry/manifests.ts';
import { putPolicy } from '../../functions/registry/policies.ts';
import { restore } from '../../functions/registry/restore.ts';
import { findTag } from '../../functions/registry/tags.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import { type Fixture, imageOf, openFixture, push, pushBlob, REPOSITORY } from '../registry/fixture.ts';

const DAY = 24 * 60 * 60 * 1000;

async function days(fixture: Fixture, count: number): Promise<void> {
  for (let day = 0; day < count; day += 1) {
    fixture.clock += DAY;
    await sweepRepository(fixture.registry, REPOSITORY, {
      ...{ epochMs: DAY, quarantineMs: 4 * DAY },
      until: Number.POSITIVE_INFINITY,
    });
  }
}

const isThere = async ({ registry }: Fixture, digest: Digest) =>
  (await findManifest(registry, REPOSITORY, { kind: 'digest', digest })) !== undefined;

/** An image with a signature by cosign's tag, an SBOM as a referrer, and one of these that has a tag of its own. */
async function signedImage(fixture: Fixture) {
  const { registry } = fixture;
  const bytes = imageOf(await pushBlob(registry));
  const digest = await push(registry, bytes, 'v1');
  const subject = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: bytes.length };
  const signatureTag = `${digest.replace(':', '-')}.sig` as Tag;
  const signature = await push(registry, imageOf(await pushBlob(registry)), signatureTag);
  const sbom = await push(registry, imageOf(await pushBlob(registry), { subject }));
  const tagged = await push(registry, imageOf(await pushBlob(registry), { subject }), 'report');
  fixture.clock += 1000;
  return { digest, signatureTag, signature, sbom, tagged };
}

it('signatures and SBOMs of an image that was deleted by hand go once its quarantine is over, without a policy', async () => {
  const fixture = await openFixture();
  const image = await signedImage(fixture);
  await days(fixture, 3);
  await deleteManifest(fixture.registry, REPOSITORY, image.digest);
  await days(fixture, 3);
  const owned = [image.signature, image.sbom, image.tagged];
  expect(await Promise.all(owned.map((digest) => isThere(fixture, digest)))).toEqual([true, true, true]);
  await days(fixture, 3);
  expect(await Promise.all(owned.map((digest) => isThere(fixture, digest)))).toEqual([false, false, true]);
  expect(await findTag(fixture.registry, REPOSITORY, image.signatureTag)).toBeUndefined();
});

it('they stay where the image came back, or where a policy says what stays', async () => {
  const fixture = await openFixture();
  const image = await signedImage(fixture);
  await days(fixture, 3);
  await deleteManifest(fixture.registry, REPOSITORY, image.digest);
  await days(fixture, 2);
  await restore(fixture.registry, REPOSITORY, { tag: 'v1' as Tag }, { until: Number.POSITIVE_INFINITY });
  await days(fixture, 10);
  expect(await isThere(fixture, image.sbom)).toBe(true);
  await putPolicy(fixture.registry, { name: 'p', repositories: ['*'], retention: { pins: ['v*'] } });
  await deleteManifest(fixture.registry, REPOSITORY, image.digest);
  await days(fixture, 10);
  expect(await isThere(fixture, image.sbom)).toBe(true);
});
