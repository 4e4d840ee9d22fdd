import { beforeEach, describe, expect, it } from 'vitest';
import { MAX_TAGS_PER_PUT } from '../../functions/limits.ts';
import type { Tag } from '../../functions/oci/reference.ts';
import { putPolicy, type QuotaLimits } from '../../functions/registry/policies.ts';
import { deleteTag, listTags } from '../../functions/registry/tags.ts';
import { type Fixture, imageOf, openFixture, push, pushBlob, REPOSITORY, refusal } from './fixture.ts';

let fixture: Fixture;
let image: Buffer;
let other: Buffer;

beforeEach(async () => {
  fixture = await openFixture();
  image = imageOf(await pushBlob(fixture.registry));
  other = imageOf(await pushBlob(fixture.registry));
});

const setQuota = (limits: QuotaLimits) =>
  putPolicy(fixture.registry, { name: 'few', repositories: ['team/*'], quota: { each: limits } });

const tags = async () => (await listTags(fixture.registry, REPOSITORY, { limit: 100 })).entries;

describe('a quota of tags', () => {
  it('takes new tags up to the limit; a push with one too many puts none, and leaves no manifest', async () => {
    const { registry } = fixture;
    await setQuota({ tags: 2 });
    await push(registry, image, 'a');
    const refused = push(registry, other, 'b', 'c');
    await expect(refused).rejects.toThrow(
      'the quota of the policy "few" allows 2 tags in the repository team/app; ' +
        'with 1 in use there is no room for 2 more',
    );
    expect(await tags()).toEqual(['a']);
    await push(registry, other, 'b');
  });

  it('does not stand against moving a tag, or a push without one', async () => {
    const { registry } = fixture;
    await setQuota({ tags: 1 });
    await push(registry, image, 'a');
    await push(registry, other, 'a');
    await push(registry, image);
    expect(await refusal(push(registry, image, 'b'))).toBe('DENIED');
  });

  it('counts tags, whatever the use of bytes', async () => {
    const { registry } = fixture;
    await push(registry, image);
    await setQuota({ tags: 1, bytes: 10 }); // there are 200 bytes of blobs, and the manifest's
    await push(registry, image, 'a');
    expect(await refusal(pushBlob(registry))).toBe('DENIED');
  });

  it('is not exceeded by a push that found its tag, which is deleted just before, and its room taken', async () => {
    const { registry, justBefore } = fixture;
    await setQuota({ tags: 1 });
    await push(registry, image, 'a');
    justBefore('T#', async () => {
      await deleteTag(registry, REPOSITORY, 'a' as Tag);
      fixture.clock += 120_000; // so that the other counts afresh
      await push(registry, image, 'b');
    });
    expect(await refusal(push(registry, other, 'a'))).toBe('DENIED');
    expect(await tags()).toEqual(['b']);
  });

  it('is not exceeded by two first pushes of two tags at the same moment', async () => {
    const { registry, justBefore } = fixture;
    await setQuota({ tags: 1 });
    justBefore('T#', () => push(registry, other, 'b'));
    expect(await refusal(push(registry, image, 'a'))).toBe('DENIED');
    expect(await tags()).toEqual(['b']);
  });

  it('counts one where the same tag is pushed first by two at the same moment', async () => {
    const { registry, justBefore } = fixture;
    await setQuota({ tags: 2 });
    justBefore('T#', () => push(registry, other, 'a'));
    await push(registry, image, 'a');
    await push(registry, image, 'b');
    expect(await tags()).toEqual(['a', 'b']);
  });

  it('of as many policies as a push can count takes as many tags as a push can have', async () => {
    const { registry } = fixture;
    const repositories = ['team/*'];
    await setQuota({ tags: 100 });
    for (let n = 0; n < 4; n += 1)
      await putPolicy(registry, { name: `q${n}`, repositories, quota: { together: { tags: 100 } } });
    const names = Array.from({ length: MAX_TAGS_PER_PUT }, (_, n) => `t${n}`);
    const subject = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: '', size: 1 };
    const digest = await push(registry, image, 'first');
    const large = imageOf(await pushBlob(registry), {
      subject: { ...subject, digest },
      annotations: { padding: 'x'.repeat(50_000) },
    });
    await push(registry, large, ...names);
    expect(await tags()).toHaveLength(MAX_TAGS_PER_PUT + 1);
  });
});
