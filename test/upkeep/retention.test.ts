import { beforeEach, describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import type { Tag } from '../../functions/oci/reference.ts';
import { requireBlob } from '../../functions/registry/blobs.ts';
import { findManifest } from '../../functions/registry/manifests.ts';
import { type Policy, putPolicy, type Retention } from '../../functions/registry/policies.ts';
import { recordPull } from '../../functions/registry/pulls.ts';
import { deleteTag, findTag } from '../../functions/registry/tags.ts';
import { keyOf, type Operation } from '../../functions/storage/table.ts';
import type { Finding } from '../../functions/upkeep/finding.ts';
import { planOf } from '../../functions/upkeep/retention.ts';
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
  through,
} from '../registry/fixture.ts';

const DAY = 24 * 60 * 60 * 1000;

let fixture: Fixture;

beforeEach(async () => {
  fixture = await openFixture();
});

const setPolicy = (retention: Retention) =>
  putPolicy(fixture.registry, { name: 'p', repositories: ['team/*'], retention } satisfies Policy);

/** Days go by with a sweep on each; tells what went. */
async function days(count: number, { dryRun = false, registry = fixture.registry } = {}): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (let day = 0; day < count; day += 1) {
    fixture.clock += DAY;
    await sweepRepository(registry, REPOSITORY, {
      epochMs: DAY,
      quarantineMs: 3 * DAY,
      until: Number.POSITIVE_INFINITY,
      dryRun,
      report: (finding) => findings.push(finding),
    });
  }
  return findings.filter(({ action }) => action === 'delete');
}

/** An image of its own, under the tags. */
async function pushImage(...tags: string[]) {
  const config = await pushBlob(fixture.registry);
  const bytes = imageOf(config);
  return { digest: await push(fixture.registry, bytes, ...tags), bytes, config };
}

const exists = async (digest: Digest) =>
  (await findManifest(fixture.registry, REPOSITORY, { kind: 'digest', digest })) !== undefined;
const tagged = async (tag: string) => (await findTag(fixture.registry, REPOSITORY, tag as Tag))?.digest;
const signatureTag = (digest: Digest) => `${digest.replace(':', '-')}.sig`;

describe('retention', () => {
  it('keeps the last tags of a rule, and in the end the bytes of the others go', async () => {
    await setPolicy({ tags: [{ match: ['v*'], keepLast: 2 }], untaggedAfterDays: 1 });
    const images: Awaited<ReturnType<typeof pushImage>>[] = [];
    for (const tag of ['v1', 'v2', 'v3']) {
      fixture.clock += 1000;
      images.push(await pushImage(tag));
    }
    const main = await pushImage('main');
    await days(3);
    expect([await tagged('v1'), await tagged('v2')]).toEqual([undefined, images[1]?.digest]);
    await days(8);
    const kept = await Promise.all(images.map(({ digest }) => exists(digest)));
    expect([...kept, await exists(main.digest)]).toEqual([false, true, true, true]);
    const first = images[0]?.config.digest as Digest;
    expect(await refusal(requireBlob(fixture.registry, REPOSITORY, first))).toBe('BLOB_UNKNOWN');
  });

  it('keeps with an index its children, with a manifest its referrers and signatures, and lets them go together', async () => {
    await setPolicy({ tags: [{ match: ['*'], keepNewerThanDays: 4 }], untaggedAfterDays: 1 });
    const { bytes: child, digest: childDigest } = await pushImage();
    const index = await push(fixture.registry, indexOf(child), 'v1');
    const subject = {
      mediaType: 'application/vnd.oci.image.index.v1+json',
      digest: index,
      size: indexOf(child).length,
    };
    const sbom = await push(fixture.registry, imageOf(await pushBlob(fixture.registry), { subject }));
    const { digest: signature } = await pushImage(signatureTag(index));
    await days(3);
    const all = [childDigest, index, sbom, signature];
    expect(await Promise.all(all.map(exists))).toEqual([true, true, true, true]);
    const gone = await days(5);
    expect(await Promise.all(all.map(exists))).toEqual([false, false, false, false]);
    expect(await tagged(signatureTag(index))).toBeUndefined();
    const order = gone.filter(({ kind }) => kind === 'manifest').map(({ digest }) => digest);
    expect(order[0]).toBe(index);
  });

  it('leaves untagged manifests alone unless a policy says how long they stay, then counts from the loss of the last tag', async () => {
    await setPolicy({ tags: [{ match: ['none'], keepLast: 1 }] });
    const { digest } = await pushImage('v1');
    await days(10);
    await deleteTag(fixture.registry, REPOSITORY, 'v1' as Tag);
    await days(10);
    expect(await exists(digest)).toBe(true);
    const { digest: second } = await pushImage('v2');
    await days(20);
    await deleteTag(fixture.registry, REPOSITORY, 'v2' as Tag);
    await setPolicy({ untaggedAfterDays: 5 });
    await days(4);
    expect([await exists(digest), await exists(second)]).toEqual([false, true]);
    await days(2);
    expect(await exists(second)).toBe(false);
  });

  it('keeps what was pulled of late, by tag or by digest', async () => {
    await setPolicy({ tags: [{ match: ['*'], keepPulledWithinDays: 4 }], untaggedAfterDays: 1 });
    const [byTag, byDigest, never] = [await pushImage('a'), await pushImage('b'), await pushImage('c')];
    const { registry } = fixture;
    await days(3);
    await recordPull(registry, REPOSITORY, { kind: 'tag', tag: 'a' as Tag });
    await recordPull(registry, REPOSITORY, { kind: 'digest', digest: byDigest.digest });
    await days(4);
    expect([await tagged('a'), await tagged('b'), await tagged('c')]).toEqual([
      byTag.digest,
      byDigest.digest,
      undefined,
    ]);
    await days(4);
    expect([await tagged('a'), await tagged('b'), await exists(never.digest)]).toEqual([
      undefined,
      undefined,
      false,
    ]);
  });

  it('tells in a dry run what would go, and deletes nothing', async () => {
    await setPolicy({ tags: [{ match: ['*'], keepNewerThanDays: 1 }], untaggedAfterDays: 1 });
    const { digest } = await pushImage('v1');
    await days(3, { dryRun: true });
    const expected = {
      action: 'delete',
      kind: 'tag',
      tag: 'v1',
      digest,
      reason: 'no clause of policy p keeps it',
    };
    expect(await planOf(fixture.registry, REPOSITORY)).toContainEqual(expect.objectContaining(expected));
    expect(await tagged('v1')).toBe(digest);
  });
});

/** A tag and its manifest that retention is about to delete, days after they were pushed. */
async function doomed() {
  await setPolicy({ tags: [{ match: ['old*'], keepNewerThanDays: 3 }], untaggedAfterDays: 1 });
  const image = await pushImage('old');
  await days(3);
  return image;
}

describe('between plan and removal', () => {
  it('a tag that is put there again stays, with its manifest and all that belongs to it', async () => {
    await setPolicy({ tags: [{ match: ['old*'], keepNewerThanDays: 3 }], untaggedAfterDays: 1 });
    const image = await pushImage('old');
    const { digest: signature } = await pushImage(signatureTag(image.digest));
    await days(2);
    fixture.justBefore('T#old', () => push(fixture.registry, image.bytes, 'old'));
    await days(1);
    expect(await tagged('old')).toBe(image.digest);
    expect(await exists(signature)).toBe(true);
  });

  it('a manifest that gets a tag stays', async () => {
    const image = await doomed();
    expect(await tagged('old')).toBeUndefined();
    fixture.justBefore('M#', () => push(fixture.registry, image.bytes, 'new'));
    await days(1);
    expect(await tagged('new')).toBe(image.digest);
    expect(await exists(image.digest)).toBe(true);
  });

  it('a manifest that an index lists stays', async () => {
    const image = await doomed();
    fixture.justBefore('M#', () => push(fixture.registry, indexOf(image.bytes), 'index'));
    await days(1);
    expect(await exists(image.digest)).toBe(true);
  });

  it('a referrer that comes stays, though its subject goes', async () => {
    const image = await doomed();
    const subject = {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: image.digest,
      size: image.bytes.length,
    };
    const sbom = imageOf(await pushBlob(fixture.registry), { subject });
    fixture.justBefore('M#', () => push(fixture.registry, sbom));
    await days(1);
    expect(await exists(image.digest)).toBe(false);
    expect(await exists(digestOf('sha256', sbom))).toBe(true);
  });

  it('takes no tag along that is put on it just before it goes', async () => {
    const image = await doomed();
    fixture.justBefore('G#', () => push(fixture.registry, image.bytes, 'kept'));
    await days(1);
    expect(await exists(image.digest)).toBe(true);
  });
});

/** An untagged image and its signature whose time is over; the image is pushed again just before the first of `sort` goes. `splits`
 *  the transaction, as if tags went first. Tells what is there in the end. */
async function pushedAgain(sort: string, { splits = false } = {}) {
  await setPolicy({ untaggedAfterDays: 3 });
  const image = await pushImage('v1');
  const { digest: signature } = await pushImage(signatureTag(image.digest));
  await deleteTag(fixture.registry, REPOSITORY, 'v1' as Tag);
  await days(2);
  const { table } = fixture.registry;
  const write: typeof table.write = async (operations) => {
    const isTag = (operation: Operation) => /^[THN]#/.test(keyOf(operation).sort);
    const [tags, rest] = [operations.filter(isTag), operations.filter((each) => !isTag(each))];
    const isBurial = splits && tags.length > 0 && rest.some((each) => keyOf(each).sort.startsWith('G#'));
    if (!isBurial) return table.write(operations);
    await table.write(tags);
    return table.write(rest);
  };
  fixture.justBefore(sort, () => push(fixture.registry, image.bytes, 'v2'));
  await days(1, { registry: { ...fixture.registry, table: through(table, { write }) } });
  return {
    image: await exists(image.digest),
    signature: await exists(signature),
    tag: await tagged(signatureTag(image.digest)),
    digest: signature,
  };
}

describe('an image that is pushed again just before it goes', () => {
  it.each(['G#', 'T#sha256', 'M#'])('keeps its signature, and the tag of that (%s)', async (sort) => {
    const { digest, ...there } = await pushedAgain(sort);
    expect(there).toEqual({ image: true, signature: true, tag: digest });
  });

  it('would lose it if tags went before manifests', async () => {
    expect(await pushedAgain('G#', { splits: true })).toMatchObject({ image: true, tag: undefined });
  });
});
