import { beforeEach, describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import type { Tag } from '../../functions/oci/reference.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { findManifest } from '../../functions/registry/manifests.ts';
import { deletePolicy, type Policy, putPolicy } from '../../functions/registry/policies.ts';
import { deleteRepository } from '../../functions/registry/repository-deletion.ts';
import { tagHistory } from '../../functions/registry/tag-history.ts';
import { deleteTag, findTag } from '../../functions/registry/tags.ts';
import { type Fixture, imageOf, openFixture, push, pushBlob, REPOSITORY, refusal } from './fixture.ts';

const POLICY: Policy = {
  name: 'releases',
  repositories: ['team/app'],
  immutable: { tags: ['v*'], except: ['v0*'] },
};

let fixture: Fixture;
let first: Buffer;
let second: Buffer;

beforeEach(async () => {
  fixture = await openFixture();
  first = imageOf(await pushBlob(fixture.registry));
  second = imageOf(await pushBlob(fixture.registry));
  await putPolicy(fixture.registry, POLICY);
});

const digest = (bytes: Uint8Array) => digestOf('sha256', bytes);
const on = async (tag: string) => (await findTag(fixture.registry, REPOSITORY, tag as Tag))?.digest;
const messageOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'not refused',
    (error: Error) => error.message,
  );

describe('a push of an immutable tag', () => {
  it('puts it once, and again on the same manifest', async () => {
    const { registry } = fixture;
    await push(registry, first, 'v1');
    await push(registry, first, 'v1');
    expect(await on('v1')).toBe(digest(first));
    expect(await tagHistory(registry, REPOSITORY, 'v1' as Tag)).toHaveLength(1);
  });

  it('is DENIED on another manifest, and says by which policy, and where the tag stays', async () => {
    const { registry } = fixture;
    await push(registry, first, 'v1');
    expect(await refusal(push(registry, second, 'v1'))).toBe('DENIED');
    expect(await messageOf(push(registry, second, 'v1'))).toBe(
      `tag v1 of team/app is immutable by the policy "releases": it stays on ${digest(first)}; push under another tag`,
    );
    expect(await on('v1')).toBe(digest(first));
  });

  it('moves none of the other tags that it comes with, and leaves no manifest', async () => {
    const { registry } = fixture;
    await push(registry, first, 'v1');
    expect(await refusal(push(registry, second, 'latest', 'v1'))).toBe('DENIED');
    expect(await on('latest')).toBeUndefined();
    const manifest = { kind: 'digest', digest: digest(second) } as const;
    expect(await findManifest(registry, REPOSITORY, manifest)).toBeUndefined();
  });

  it('at the same moment as another first push of it is DENIED, and the other stays', async () => {
    const { registry, justBefore } = fixture;
    justBefore('T#', () => push(registry, second, 'v1'));
    expect(await refusal(push(registry, first, 'v1'))).toBe('DENIED');
    expect(await on('v1')).toBe(digest(second));
  });

  it('of which another has pushed the same at the same moment is as good as the other', async () => {
    const { registry, justBefore } = fixture;
    justBefore('T#', () => push(registry, first, 'v1'));
    await push(registry, first, 'v1');
    expect(await on('v1')).toBe(digest(first));
  });
});

describe('a tag moves freely', () => {
  it.each(['latest', 'v0.9'])('where the policy does not hold it: %s', async (tag) => {
    await push(fixture.registry, first, tag);
    await push(fixture.registry, second, tag);
    expect(await on(tag)).toBe(digest(second));
    await deleteTag(fixture.registry, REPOSITORY, tag as Tag);
    expect(await on(tag)).toBeUndefined();
  });

  it('where the policy does not cover the repository, or is gone', async () => {
    const { registry } = fixture;
    await push(registry, first, 'v1');
    await putPolicy(registry, { ...POLICY, repositories: ['team/application', 'app'] });
    await push(registry, second, 'v1');
    await putPolicy(registry, POLICY);
    expect(await refusal(push(registry, first, 'v1'))).toBe('DENIED');
    await deletePolicy(registry, POLICY.name);
    await push(registry, first, 'v1');
    expect(await on('v1')).toBe(digest(first));
  });

  it('not where another policy excepts it: what one refuses, is refused', async () => {
    const { registry } = fixture;
    await putPolicy(registry, { ...POLICY, name: 'all', immutable: { tags: ['*'], except: ['v*'] } });
    await push(registry, first, 'v1', 'v0');
    expect(await refusal(push(registry, second, 'v1'))).toBe('DENIED');
    await push(registry, second, 'v0');
  });
});

describe('a delete is DENIED', () => {
  beforeEach(() => push(fixture.registry, first, 'v1', 'latest'));

  it('of an immutable tag, not of another', async () => {
    const { registry } = fixture;
    expect(await messageOf(deleteTag(registry, REPOSITORY, 'v1' as Tag))).toContain('cannot be deleted');
    expect(await on('v1')).toBe(digest(first));
    await deleteTag(registry, REPOSITORY, 'latest' as Tag);
  });

  it('of a manifest with such a tag, which keeps the others, too', async () => {
    const { registry } = fixture;
    expect(await refusal(deleteManifest(registry, REPOSITORY, digest(first)))).toBe('DENIED');
    expect(await on('latest')).toBe(digest(first));
  });

  it('of a manifest that got such a tag at the same moment', async () => {
    const { registry, justBefore } = fixture;
    await push(registry, second, 'latest');
    justBefore('M#', () => push(registry, second, 'v2'));
    expect(await refusal(deleteManifest(registry, REPOSITORY, digest(second)))).toBe('DENIED');
    expect(await on('v2')).toBe(digest(second));
  });

  it('of a manifest whose 101st tag is such a one; none of the others has gone', async () => {
    const { registry } = fixture;
    const tags = Array.from({ length: 100 }, (_, n) => `a${String(n).padStart(3, '0')}`);
    for (let start = 0; start < 100; start += 20)
      await push(registry, second, ...tags.slice(start, start + 20));
    await push(registry, second, 'v2');
    expect(await refusal(deleteManifest(registry, REPOSITORY, digest(second)))).toBe('DENIED');
    expect(await on('a000')).toBe(digest(second));
  });

  it('of the repository that has one, until the policy is changed', async () => {
    const { registry } = fixture;
    expect(await refusal(deleteRepository(registry, REPOSITORY))).toBe('DENIED');
    expect(await on('latest')).toBe(digest(first));
    await putPolicy(registry, { ...POLICY, immutable: { tags: ['v*'], except: ['v1'] } });
    expect(await deleteRepository(registry, REPOSITORY)).toBe('done');
    expect(await on('v1')).toBeUndefined();
  });

  it('not of a manifest that an immutable tag has left before it was one', async () => {
    const { registry } = fixture;
    await push(registry, second, 'v0.1');
    await push(registry, first, 'v0.1');
    await putPolicy(registry, { ...POLICY, immutable: { tags: ['*'] } });
    await deleteManifest(registry, REPOSITORY, digest(second));
    expect(await on('v0.1')).toBe(digest(first));
  });

  it('not of a manifest that an immutable tag never was on', async () => {
    const { registry } = fixture;
    const other: Digest = await push(registry, second, 'nightly');
    await deleteManifest(registry, REPOSITORY, other);
    expect(await on('nightly')).toBeUndefined();
  });
});
