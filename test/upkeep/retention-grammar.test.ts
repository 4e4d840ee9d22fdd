import { beforeEach, describe, expect, it } from 'vitest';
import type { Digest } from '../../functions/oci/digest.ts';
import type { Tag } from '../../functions/oci/reference.ts';
import { findManifest } from '../../functions/registry/manifests.ts';
import { type Policy, putPolicy, type Retention } from '../../functions/registry/policies.ts';
import { findTag } from '../../functions/registry/tags.ts';
import type { Finding } from '../../functions/upkeep/finding.ts';
import { planOf } from '../../functions/upkeep/retention.ts';
import { sweepDue } from '../../functions/upkeep/round.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import { type Fixture, imageOf, openFixture, push, pushBlob, REPOSITORY } from '../registry/fixture.ts';

// The rules of docs/retention-rules.md in a registry: what the engine looks up for them, and what goes together.

const DAY = 24 * 60 * 60 * 1000;

let fixture: Fixture;

beforeEach(async () => {
  fixture = await openFixture();
});

/** Confirmed, so that it acts at once. */
async function setPolicy(retention: Retention, more: Partial<Policy> = {}): Promise<void> {
  const policy = { name: 'p', repositories: ['team/*'], retention, ...more };
  await putPolicy(fixture.registry, policy, { confirms: true });
}

async function days(count: number): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (let day = 0; day < count; day += 1) {
    fixture.clock += DAY;
    await sweepRepository(fixture.registry, REPOSITORY, {
      ...{ epochMs: DAY, quarantineMs: 3 * DAY, until: Number.POSITIVE_INFINITY },
      report: (finding) => findings.push(finding),
    });
  }
  return findings.filter(({ action }) => action === 'delete');
}

/** One second after the one before. */
async function pushImage(...tags: string[]): Promise<Digest> {
  fixture.clock += 1000;
  return push(fixture.registry, imageOf(await pushBlob(fixture.registry)), ...tags);
}

const exists = async (digest: Digest) =>
  (await findManifest(fixture.registry, REPOSITORY, { kind: 'digest', digest })) !== undefined;

async function tagsLeft(...tags: string[]): Promise<string[]> {
  const found = await Promise.all(tags.map((tag) => findTag(fixture.registry, REPOSITORY, tag as Tag)));
  return tags.filter((_, index) => found[index]);
}

describe('a rule by image', () => {
  it('deletes an image with all its tags, though nothing says when untagged manifests go', async () => {
    await setPolicy({ tags: [{ match: ['ci-*'], except: ['prod*'], by: 'image', keepLast: 1 }] });
    const old = await pushImage('ci-1', 'nightly', 'zz');
    const excepted = await pushImage('ci-2', 'prod-2');
    const lost = await pushImage('other');
    await push(fixture.registry, imageOf(await pushBlob(fixture.registry)), 'other');
    const last = await pushImage('ci-3', 'latest');
    const planned = await planOf(fixture.registry, REPOSITORY);
    expect(planned.filter(({ action }) => action === 'delete').map(({ tag }) => tag)).toEqual([
      'ci-1',
      'nightly',
      'zz',
    ]);
    await days(4);
    expect(await tagsLeft('ci-1', 'nightly', 'zz', 'ci-2', 'prod-2', 'ci-3', 'latest')).toEqual([
      ...['ci-2', 'prod-2', 'ci-3', 'latest'],
    ]);
    expect(await Promise.all([old, excepted, lost, last].map(exists))).toEqual([false, true, true, true]);
  });

  it('takes an image with more tags than a page whole, by the rule that all of them are under', async () => {
    await setPolicy({
      tags: [
        { match: ['b-*'], by: 'image', keepLast: 1 },
        { match: ['z-*'], except: ['b-*'], among: { tags: ['z-*'] }, by: 'image', keepLast: 1 },
      ],
    });
    const names = Array.from({ length: 18 }, (_, index) => `m-${index + 10}`);
    const old = await pushImage('b-1', ...names, 'z-1');
    for (let index = 0; index < 100; index += 20)
      await pushImage(...Array.from({ length: 20 }, (_, each) => `c-${index + each + 100}`));
    await pushImage('b-2');
    await days(4);
    expect(await tagsLeft('b-1', ...names, 'z-1')).toEqual([]);
    expect(await exists(old)).toBe(false);
  });

  it('spares an image to which somebody has put a tag since', async () => {
    await setPolicy({ tags: [{ match: ['*'], by: 'image', keepNewerThanDays: 1 }] });
    const bytes = imageOf(await pushBlob(fixture.registry));
    const digest = await push(fixture.registry, bytes, 'a');
    await days(1);
    expect(await tagsLeft('a')).toEqual([]);
    await push(fixture.registry, bytes, 'b');
    await setPolicy({ tags: [{ match: ['none'], by: 'image', keepNewerThanDays: 1 }] });
    await days(5);
    expect(await exists(digest)).toBe(true);
  });
});

it('untagged manifests are counted, among themselves and among all images', async () => {
  await setPolicy({ untagged: [{ keepLast: 1 }] });
  const [first, second, third] = [await pushImage(), await pushImage(), await pushImage('v1')];
  await days(4);
  expect(await Promise.all([first, second, third].map(exists))).toEqual([false, true, true]);
  await setPolicy({ untagged: [{ keepLast: 1, among: { tags: ['*'], untagged: true } }] });
  await days(1);
  expect(await Promise.all([second, third].map(exists))).toEqual([false, true]);
});

it('a repository that is excepted is not covered', async () => {
  await setPolicy({ tags: [{ match: ['*'], keepNone: true }] }, { exceptRepositories: ['team/a*'] });
  await pushImage('v1');
  expect(await days(2)).toEqual([]);
});

describe('a run', () => {
  it('deletes no more than it may, and the next one goes on', async () => {
    await setPolicy({ tags: [{ match: ['*'], keepNewerThanDays: 1 }], run: { maxDeletions: 2 } });
    for (const tag of ['a', 'b', 'c', 'd', 'e']) await pushImage(tag);
    const gone = [await days(1), await days(1), await days(1), await days(1)];
    expect(gone.map((findings) => findings.filter(({ kind }) => kind === 'tag').length)).toEqual([
      2, 2, 1, 0,
    ]);
  });

  it('deletes in its hours only, for which the sweep comes back', async () => {
    await setPolicy({ tags: [{ match: ['*'], keepNewerThanDays: 1 }], run: { hours: [22, 2] } });
    await pushImage('a');
    const gone: [number, string][] = [];
    const report = ({ action, tag }: Finding) => {
      if (action === 'delete' && tag) gone.push([new Date(fixture.clock).getUTCHours(), tag]);
    };
    fixture.clock += 2 * DAY;
    fixture.clock -= fixture.clock % DAY;
    fixture.clock += DAY / 2;
    for (let hour = 0; hour < 24; hour += 1) {
      await sweepDue(fixture.registry, {
        ...{ epochMs: DAY, quarantineMs: 3 * DAY, until: Number.POSITIVE_INFINITY, report },
      });
      fixture.clock += DAY / 24;
    }
    expect(gone).toEqual([[22, 'a']]);
  });
});
