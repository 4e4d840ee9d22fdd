import { expect, it } from 'vitest';
import type { Tag } from '../../functions/oci/reference.ts';
import { repositoryKey } from '../../functions/registry/keys.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { deleteTag, listTags } from '../../functions/registry/tags.ts';
import { type Fixture, imageOf, openFixture, push, pushBlob, REPOSITORY, watchQueries } from './fixture.ts';

/** More than a short page. */
const ALL = { limit: 1000 };

const numbered = (count: number) => Array.from({ length: count }, (_, n) => `v${100 + n}`);

/** Pushes them, twenty at a time, each twenty on a manifest of its own. */
async function pushTags({ registry }: Fixture, tags: readonly string[]): Promise<void> {
  const config = await pushBlob(registry);
  for (let start = 0; start < tags.length; start += 20) {
    const bytes = imageOf(config, { annotations: { start: `${start}` } });
    await push(registry, bytes, ...tags.slice(start, start + 20));
  }
}

it('a list of tags reads the names alone, however many manifests there are', async () => {
  const fixture = await openFixture();
  const tags = numbered(300);
  await pushTags(fixture, tags);
  const { registry, queried } = watchQueries(fixture.registry);
  const page = await listTags(registry, REPOSITORY, ALL);
  expect({ page, queried }).toEqual({ page: { entries: tags }, queried: ['N#'] });
});

it('every page of a list is the same, however long pages are', async () => {
  const fixture = await openFixture();
  const { registry } = fixture;
  const tags = ['pk', 'sk', 'emptyUpdate', 'expiresAt', '__proto__', 'A', 'a', ...numbered(250)].sort();
  await pushTags(fixture, tags);
  for (const limit of [1, 100, 101, 257, 1000]) {
    const listed: string[] = [];
    for (let last: string | undefined; ; ) {
      const { entries, next } = await listTags(registry, REPOSITORY, {
        limit,
        ...(last !== undefined && { last }),
      });
      listed.push(...entries);
      last = next;
      if (last === undefined) break;
    }
    expect(listed, `pages of ${limit}`).toEqual(tags);
  }
});

it('a tag that is deleted, alone or with its manifest, leaves the list', async () => {
  const fixture = await openFixture();
  const { registry } = fixture;
  const config = await pushBlob(registry);
  const digest = await push(registry, imageOf(config), 'a', 'b');
  await push(registry, imageOf(config, { annotations: { n: '2' } }), 'c', 'd');
  await deleteTag(registry, REPOSITORY, 'c' as Tag);
  expect((await listTags(registry, REPOSITORY, ALL)).entries).toEqual(['a', 'b', 'd']);
  await deleteManifest(registry, REPOSITORY, digest);
  expect((await listTags(registry, REPOSITORY, ALL)).entries).toEqual(['d']);
});

it('a tag that moves while it is deleted leaves the list all the same, until it is pushed again', async () => {
  const { registry, justBefore } = await openFixture();
  const config = await pushBlob(registry);
  await push(registry, imageOf(config), 'a');
  justBefore('T#', () => push(registry, imageOf(config, { annotations: { n: '2' } }), 'a'));
  await deleteTag(registry, REPOSITORY, 'a' as Tag);
  expect((await listTags(registry, REPOSITORY, ALL)).entries).toEqual([]);
  await push(registry, imageOf(config), 'a');
  expect((await listTags(registry, REPOSITORY, ALL)).entries).toEqual(['a']);
});

it('a repository that was made before there was such a list is listed by its tags', async () => {
  const fixture = await openFixture();
  const { registry, table } = fixture;
  await pushTags(fixture, ['a', 'b']);
  await table.write([
    { update: repositoryKey(REPOSITORY), set: { namesTags: false } },
    ...(await table.query({ partition: `R#${REPOSITORY}`, prefix: 'N#', limit: 10 })).map(({ key }) => ({
      remove: key,
    })),
  ]);
  expect((await listTags(registry, REPOSITORY, ALL)).entries).toEqual(['a', 'b']);
});

it('where keys alone can be read, a page reads as many of them as it holds, however many tags there are', async () => {
  const fixture = await openFixture();
  const tags = numbered(300);
  await pushTags(fixture, tags);
  const { registry, queried } = watchQueries({ ...fixture.registry, readsKeysAlone: true });
  const page = { limit: 150, last: 'v120' };
  const { entries, next } = await listTags(registry, REPOSITORY, page);
  expect({ entries, next, queried }).toEqual({ entries: tags.slice(21, 171), next: 'v270', queried: ['T#'] });
  const all = await listTags(registry, REPOSITORY, ALL);
  expect(all).toEqual({ entries: tags });
});
