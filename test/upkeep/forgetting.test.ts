import { beforeEach, describe, expect, it } from 'vitest';
import type { RepositoryName, Tag } from '../../functions/oci/reference.ts';
import { requireBlob } from '../../functions/registry/blobs.ts';
import { everythingIn, historiesOf, sweeps, sweptRepositoryIn } from '../../functions/registry/keys.ts';
import { findRepository, openRepository, setVisibility } from '../../functions/registry/repositories.ts';
import { deleteRepository } from '../../functions/registry/repository-deletion.ts';
import { tagHistory } from '../../functions/registry/tag-history.ts';
import { deleteTag } from '../../functions/registry/tags.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import {
  type Fixture,
  imageOf,
  OTHER,
  openFixture,
  push,
  pushBlob,
  REPOSITORY,
  refusal,
} from '../registry/fixture.ts';

const DAY = 24 * 60 * 60 * 1000;

let fixture: Fixture;

beforeEach(async () => {
  fixture = await openFixture();
});

async function days(count: number, name: RepositoryName = REPOSITORY): Promise<void> {
  for (let day = 0; day < count; day += 1) {
    fixture.clock += DAY;
    await sweepRepository(fixture.registry, name, {
      ...{ epochMs: DAY, quarantineMs: 3 * DAY },
      until: Number.POSITIVE_INFINITY,
    });
  }
}

const itemsOf = async (name: RepositoryName) =>
  fixture.table.query({ ...everythingIn(name), limit: 100, keysOnly: true });
const isSwept = async (name: RepositoryName) =>
  (await fixture.table.query({ ...sweeps, limit: 100 })).map(sweptRepositoryIn).includes(name);

describe('a repository in which there is nothing', () => {
  it('is forgotten a week later, where it was deleted', async () => {
    await push(fixture.registry, imageOf(await pushBlob(fixture.registry)), 'v1');
    expect(await deleteRepository(fixture.registry, REPOSITORY)).toBe('done');
    await days(7);
    expect(await findRepository(fixture.registry, REPOSITORY)).toBeDefined();
    await days(3);
    expect(await itemsOf(REPOSITORY)).toEqual([]);
    expect(await isSwept(REPOSITORY)).toBe(false);
  });

  it('and where it never had a manifest, once its blobs are gone', async () => {
    await pushBlob(fixture.registry, OTHER);
    await days(12, OTHER);
    expect(await itemsOf(OTHER)).toEqual([]);
    expect(await isSwept(OTHER)).toBe(false);
    await push(fixture.registry, imageOf(await pushBlob(fixture.registry)), 'v1');
    expect(await isSwept(REPOSITORY)).toBe(true);
  });

  it('stays in the catalog where it was made on purpose, or its images were deleted', async () => {
    await setVisibility(fixture.registry, OTHER, false);
    await push(fixture.registry, imageOf(await pushBlob(fixture.registry)));
    await days(20, OTHER);
    expect(await findRepository(fixture.registry, OTHER)).toMatchObject({ listed: true });
    expect(await isSwept(OTHER)).toBe(true);
  });

  it('is taken into use again by whoever pushes meanwhile, also in the moment it is forgotten', async () => {
    await openRepository(fixture.registry, REPOSITORY);
    await days(5);
    const config = await pushBlob(fixture.registry);
    await push(fixture.registry, imageOf(config), 'v1');
    await days(10);
    expect(await refusal(requireBlob(fixture.registry, REPOSITORY, config.digest))).toBeUndefined();

    await openRepository(fixture.registry, OTHER);
    await days(7, OTHER);
    fixture.justBefore('#', async () => undefined); // the epoch
    fixture.justBefore('#', () => pushBlob(fixture.registry, OTHER));
    await days(1, OTHER);
    expect(await findRepository(fixture.registry, OTHER)).toBeDefined();
    expect(await isSwept(OTHER)).toBe(true);
    // What came lives its epochs, and goes as anything does that nobody uses.
    await days(14, OTHER);
    expect(await itemsOf(OTHER)).toEqual([]);
  });

  it('is made anew by whoever comes later', async () => {
    await openRepository(fixture.registry, REPOSITORY);
    await days(12);
    expect(await findRepository(fixture.registry, REPOSITORY)).toBeUndefined();
    const config = await pushBlob(fixture.registry);
    await push(fixture.registry, imageOf(config), 'v1');
    expect(await isSwept(REPOSITORY)).toBe(true);
    await days(10);
    expect(await refusal(requireBlob(fixture.registry, REPOSITORY, config.digest))).toBeUndefined();
  });
});

describe('the history of tags', () => {
  it('ends after 400 days, but for where a tag that is there has come from', async () => {
    for (let count = 0; count < 3; count += 1) {
      await push(fixture.registry, imageOf(await pushBlob(fixture.registry)), 'latest', 'gone');
      fixture.clock += 1000;
    }
    await deleteTag(fixture.registry, REPOSITORY, 'gone' as Tag);
    await days(390);
    await push(fixture.registry, imageOf(await pushBlob(fixture.registry)), 'latest');
    const moves = async (tag: string) => (await tagHistory(fixture.registry, REPOSITORY, tag as Tag)).length;
    expect([await moves('latest'), await moves('gone')]).toEqual([4, 4]);
    await days(45);
    expect([await moves('latest'), await moves('gone')]).toEqual([2, 0]);
    expect(await fixture.table.query({ ...historiesOf(REPOSITORY), limit: 100 })).toHaveLength(2);
  });

  it('of many pages loses all that is old, whatever a sweep has time for', async () => {
    for (let count = 0; count < 25; count += 1) {
      const tags = Array.from({ length: 20 }, (_, tag) => `t${tag}`);
      await push(fixture.registry, imageOf(await pushBlob(fixture.registry)), ...tags);
      fixture.clock += 1000;
    }
    await days(450);
    for (let tag = 0; tag < 20; tag += 1)
      expect(await tagHistory(fixture.registry, REPOSITORY, `t${tag}` as Tag)).toHaveLength(1);
  });
});
