import { describe, expect, it } from 'vitest';
import type { Digest } from '../../functions/oci/digest.ts';
import type { Tag } from '../../functions/oci/reference.ts';
import { manifestKey, referrerKey, tagKey } from '../../functions/registry/keys.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { findManifest } from '../../functions/registry/manifests.ts';
import { listReferrers } from '../../functions/registry/referrers.ts';
import { deleteTag, listTags } from '../../functions/registry/tags.ts';
import { type Fixture, imageOf, openFixture, push, pushBlob, REPOSITORY } from './fixture.ts';

const page = { limit: 1000 };
const tagged = (text: string) => ({ kind: 'tag', tag: text as Tag }) as const;
const names = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, n) => `${prefix}${n + 100}`);

describe('a tag', () => {
  it('keeps the history of its moves and of its delete, and none of a push that moves nothing', async () => {
    const fixture = await openFixture();
    const { registry } = fixture;
    const config = await pushBlob(registry);
    const [first, second] = [imageOf(config), imageOf(config, { annotations: { n: '2' } })];
    const digests: (Digest | undefined)[] = [];
    for (const bytes of [first, first, second, first]) {
      fixture.clock += 1000;
      digests.push(await push(registry, bytes, 'latest'));
    }
    fixture.clock += 1000;
    await deleteTag(registry, REPOSITORY, 'latest' as Tag);
    expect(await historyOf(fixture)).toEqual([digests[0], digests[2], digests[3], undefined]);
  });

  it('says who put it where it is, and so does its history', async () => {
    const fixture = await openFixture();
    const bytes = imageOf(await pushBlob(fixture.registry));
    await push({ ...fixture.registry, actor: 'user:alice' }, bytes, 'latest');
    const stored = await fixture.table.get(tagKey(REPOSITORY, 'latest' as Tag));
    expect(stored).toMatchObject({ taggedBy: 'user:alice' });
    fixture.clock += 1; // moves in one millisecond have no order
    await deleteTag({ ...fixture.registry, actor: 'robot:ci' }, REPOSITORY, 'latest' as Tag);
    const range = { partition: `R#${REPOSITORY}`, prefix: 'H#latest#', limit: 10 };
    const items = await fixture.table.query(range);
    expect(items.map(({ attributes }) => attributes['by'])).toEqual(['user:alice', 'robot:ci']);
  });

  it('moved to another manifest stays when the first one is deleted', async () => {
    const { registry } = await openFixture();
    const config = await pushBlob(registry);
    const first = await push(registry, imageOf(config), 'latest', 'old');
    const second = await push(registry, imageOf(config, { annotations: { n: '2' } }), 'latest');
    await deleteManifest(registry, REPOSITORY, first);
    expect(await listTags(registry, REPOSITORY, page)).toEqual({ entries: ['latest'] });
    expect(await findManifest(registry, REPOSITORY, tagged('latest'))).toMatchObject({ digest: second });
  });

  it('pushed just before its manifest is deleted goes with it', async () => {
    const { registry, justBefore } = await openFixture();
    const bytes = imageOf(await pushBlob(registry));
    const digest = await push(registry, bytes, 'v1');
    justBefore('#', () => push(registry, bytes, 'v2'));
    await deleteManifest(registry, REPOSITORY, digest);
    expect(await listTags(registry, REPOSITORY, page)).toEqual({ entries: [] });
  });
});

describe('a manifest', () => {
  it('with more tags than fit into one transaction takes all of them along', async () => {
    const { registry, table } = await openFixture();
    const bytes = imageOf(await pushBlob(registry));
    let digest = '' as Digest;
    for (const prefix of ['a', 'b', 'c']) digest = await push(registry, bytes, ...names(prefix, 20));
    expect((await listTags(registry, REPOSITORY, page)).entries).toHaveLength(60);
    await deleteManifest(registry, REPOSITORY, digest);
    expect(await listTags(registry, REPOSITORY, page)).toEqual({ entries: [] });
    expect(await table.get(manifestKey(REPOSITORY, digest))).toBeUndefined();
    expect(await table.query({ partition: `R#${REPOSITORY}`, prefix: 'I#', limit: 1 })).toEqual([]);
  });

  it('with over 100 references is checked and held in several steps', async () => {
    const { registry, table } = await openFixture();
    const config = await pushBlob(registry);
    const layers = await Promise.all(Array.from({ length: 130 }, () => pushBlob(registry)));
    const digest = await push(registry, imageOf(config, { layers }), 'many');
    const edges = await table.query({ partition: `R#${REPOSITORY}`, prefix: 'E#', limit: 1000 });
    expect(edges.filter(({ key }) => key.sort.endsWith(digest))).toHaveLength(131);
  });
});

describe('a referrer', () => {
  it('with large annotations is listed with all of them', async () => {
    const { registry, table } = await openFixture();
    const config = await pushBlob(registry);
    const annotations = { note: 'x'.repeat(40_000), $bytes: 'eA==' };
    const subject = { ...config, mediaType: 'application/vnd.oci.image.manifest.v1+json' };
    const digest = await push(registry, imageOf(config, { subject, annotations }));
    const { attributes } = { attributes: await table.get(referrerKey(REPOSITORY, subject.digest, digest)) };
    expect(JSON.stringify(attributes).length).toBeLessThan(1000);
    const listed = await listReferrers(registry, { name: REPOSITORY, subject: subject.digest });
    expect(listed.descriptors).toMatchObject([{ digest, annotations }]);
  });

  it('lists are cut into pages that together hold each once', async () => {
    const { registry } = await openFixture();
    const config = await pushBlob(registry);
    const subject = { ...config, mediaType: 'application/vnd.oci.image.manifest.v1+json' };
    const pushed = new Set<string>();
    for (const n of names('', 120)) {
      const annotations = { n, note: 'x'.repeat(15_000) };
      pushed.add(await push(registry, imageOf(config, { subject, annotations })));
    }
    const query = { name: REPOSITORY, subject: subject.digest };
    const first = await listReferrers(registry, query);
    expect(first.next).toBeDefined();
    const second = await listReferrers(registry, { ...query, ...(first.next && { last: first.next }) });
    const listed = [...first.descriptors, ...second.descriptors].map(({ digest }) => digest);
    expect(new Set(listed)).toEqual(pushed);
    expect(listed).toHaveLength(pushed.size);
    expect(second.next).toBeUndefined();
  });
});

async function historyOf({ table }: Fixture): Promise<unknown[]> {
  const items = await table.query({ partition: `R#${REPOSITORY}`, prefix: 'H#latest#', limit: 100 });
  return items.map(({ attributes }) => attributes['digest']);
}
