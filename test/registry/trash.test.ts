import { beforeEach, describe, expect, it } from 'vitest';
import type { Digest } from '../../functions/oci/digest.ts';
import type { Tag } from '../../functions/oci/reference.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { findManifest } from '../../functions/registry/manifests.ts';
import { putPolicy } from '../../functions/registry/policies.ts';
import { restore } from '../../functions/registry/restore.ts';
import { deleteTag, findTag } from '../../functions/registry/tags.ts';
import { listTrash, type Trashed } from '../../functions/registry/trash.ts';
import { type Fixture, imageOf, openFixture, push, pushBlob, REPOSITORY, refusal } from './fixture.ts';

const DAY = 24 * 60 * 60_000;
const FOREVER = { until: Number.POSITIVE_INFINITY };

let fixture: Fixture;

beforeEach(async () => {
  fixture = await openFixture();
});

/** Each in its own moment: a history is in the order of time. */
async function pushImage(...tags: string[]): Promise<Digest> {
  const digest = await push(fixture.registry, imageOf(await pushBlob(fixture.registry)), ...tags);
  fixture.clock += 1;
  return digest;
}

/** All pages of so many entries. */
async function trash(limit = 100): Promise<Trashed[]> {
  const entries: Trashed[] = [];
  for (let last: string | undefined; ; ) {
    const page = await listTrash(fixture.registry, REPOSITORY, { quarantineMs: 7 * DAY, limit, last });
    entries.push(...page.entries);
    expect(page.entries.length).toBeLessThanOrEqual(limit);
    if (page.next === undefined) return entries;
    last = page.next;
  }
}

describe('the trash', () => {
  it('lists deleted manifests and tags, who deleted them, and until when they can come back', async () => {
    const actor = { ...fixture.registry, actor: 'user:alice' };
    const gone = await pushImage('v1', 'v2');
    const stays = await pushImage('main', 'old');
    await deleteManifest(actor, REPOSITORY, gone);
    await deleteTag(actor, REPOSITORY, 'old' as Tag);
    const deleted = { deletedAt: fixture.clock, deletedBy: 'user:alice' };
    const until = fixture.clock + 7 * DAY;
    const expected = [
      { kind: 'manifest', digest: gone, ...deleted, until },
      { kind: 'tag', tag: 'old', digest: stays, ...deleted },
      { kind: 'tag', tag: 'v1', digest: gone, ...deleted, until },
      { kind: 'tag', tag: 'v2', digest: gone, ...deleted, until },
    ];
    expect(await trash()).toMatchObject(expected);
    expect((await trash())[1]).not.toHaveProperty('until');
    expect(await trash(1)).toMatchObject(expected);
  });

  it('has nothing that is back, or that cannot come back', async () => {
    const digest = await pushImage('v1', 'v2');
    await deleteTag(fixture.registry, REPOSITORY, 'v1' as Tag);
    await deleteTag(fixture.registry, REPOSITORY, 'v2' as Tag);
    fixture.clock += 1;
    await restore(fixture.registry, REPOSITORY, { tag: 'v1' as Tag, digest }, FOREVER);
    expect((await trash()).map(({ tag }) => tag)).toEqual(['v2']);
  });

  it('lists tags of a long history, page by page', async () => {
    for (let count = 0; count < 30; count += 1) {
      const tags = [`t${count}a`, `t${count}b`];
      await pushImage(...tags);
      await deleteTag(fixture.registry, REPOSITORY, `t${count}a` as Tag);
    }
    const tags = await trash(7);
    expect(tags).toHaveLength(30);
    expect(new Set(tags.map(({ tag }) => tag)).size).toBe(30);
  });
});

describe('a restore past a quota of tags', () => {
  const limit = (tags: number) =>
    putPolicy(fixture.registry, { name: 'few', repositories: ['*'], quota: { each: { tags } } });
  const isThere = async (digest: Digest) =>
    (await findManifest(fixture.registry, REPOSITORY, { kind: 'digest', digest })) !== undefined;

  it('is refused, names the policy, and leaves no manifest without its tag', async () => {
    const digest = await pushImage('v1');
    await deleteManifest(fixture.registry, REPOSITORY, digest);
    await limit(1);
    await pushImage('other');
    const wanted = { tag: 'v1' as Tag };
    await expect(restore(fixture.registry, REPOSITORY, wanted, FOREVER)).rejects.toThrow(/policy "few"/);
    await expect(restore(fixture.registry, REPOSITORY, wanted, { ...FOREVER, dryRun: true })).rejects.toThrow(
      /policy "few"/,
    );
    expect(await isThere(digest)).toBe(false);
    await limit(2);
    await restore(fixture.registry, REPOSITORY, wanted, FOREVER);
    expect((await findTag(fixture.registry, REPOSITORY, 'v1' as Tag))?.digest).toBe(digest);
  });

  it('counts the tags of signatures, too, and brings none of them where there is no room for all', async () => {
    const digest = await pushImage('v1');
    const signature = await pushImage(`${digest.replace(':', '-')}.sig`);
    await deleteManifest(fixture.registry, REPOSITORY, digest);
    await deleteManifest(fixture.registry, REPOSITORY, signature);
    await limit(1);
    expect(await refusal(restore(fixture.registry, REPOSITORY, { tag: 'v1' as Tag }, FOREVER))).toBe(
      'DENIED',
    );
    expect([await isThere(digest), await isThere(signature)]).toEqual([false, false]);
    await limit(2);
    await restore(fixture.registry, REPOSITORY, { tag: 'v1' as Tag }, FOREVER);
    expect([await isThere(digest), await isThere(signature)]).toEqual([true, true]);
  });

  it('loses a race with a push for the last tag, and then the manifest is not there without it', async () => {
    const digest = await pushImage('v1');
    await deleteManifest(fixture.registry, REPOSITORY, digest);
    await limit(1);
    fixture.justBefore('M#', () => pushImage('other'));
    expect(await refusal(restore(fixture.registry, REPOSITORY, { tag: 'v1' as Tag }, FOREVER))).toBe(
      'DENIED',
    );
    expect(await isThere(digest)).toBe(false);
  });
});
