import { beforeEach, describe, expect, it } from 'vitest';
import type { Digest } from '../../functions/oci/digest.ts';
import type { Tag } from '../../functions/oci/reference.ts';
import { requireBlob } from '../../functions/registry/blobs.ts';
import { repositoryKey, sweepProgressKey } from '../../functions/registry/keys.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { type Policy, putPolicy, type Retention } from '../../functions/registry/policies.ts';
import { confirmPolicy } from '../../functions/registry/policy-confirmations.ts';
import { findRepository } from '../../functions/registry/repositories.ts';
import { restore } from '../../functions/registry/restore.ts';
import { endHoldOn, holdManifest } from '../../functions/registry/retention-holds.ts';
import { deleteTag, findTag } from '../../functions/registry/tags.ts';
import { DEFAULT_LEASE } from '../../functions/upkeep/lease.ts';
import { sweepDue } from '../../functions/upkeep/round.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import {
  type Fixture,
  imageOf,
  openFixture,
  push,
  pushBlob,
  REPOSITORY,
  refusal,
} from '../registry/fixture.ts';

const HOUR = 60 * 60 * 1000;
const FOREVER = { ...DEFAULT_LEASE, until: Number.POSITIVE_INFINITY };

let fixture: Fixture;

beforeEach(async () => {
  fixture = await openFixture();
});

/** Days go by, with a round every four hours; answers how many sweeps there were. */
async function days(count: number): Promise<number> {
  let swept = 0;
  for (let hour = 0; hour < 24 * count; hour += 4) {
    fixture.clock += 4 * HOUR;
    swept += await sweepDue(fixture.registry, FOREVER);
  }
  return swept;
}

async function pushImage(tag: string): Promise<{ digest: Digest; blob: Digest }> {
  const config = await pushBlob(fixture.registry);
  return { digest: await push(fixture.registry, imageOf(config), tag), blob: config.digest };
}

async function setPolicy(retention: Retention, name = 'p'): Promise<void> {
  const policy: Policy = { name, repositories: ['*'], retention };
  await putPolicy(fixture.registry, policy);
  await confirmPolicy(fixture.registry, name, policy);
}

const isThere = async (tag: string) =>
  (await findTag(fixture.registry, REPOSITORY, tag as Tag)) !== undefined;
const hasBlob = async (blob: Digest) =>
  (await refusal(requireBlob(fixture.registry, REPOSITORY, blob))) === undefined;
const dueInDays = async () =>
  (((await findRepository(fixture.registry, REPOSITORY))?.sweepDue ?? 0) - fixture.clock) / (24 * HOUR);

describe('a repository in which nothing changes', () => {
  it('is swept twice, and then once in 45 days', async () => {
    await setPolicy({ tags: [{ match: ['*'], keepLast: 3 }], untaggedAfterDays: 1 });
    await pushImage('v1');
    expect(await days(6)).toBeLessThanOrEqual(4);
    expect(await dueInDays()).toBeGreaterThan(38);
    expect(await days(90)).toBe(2);
  });

  it('is swept when the first age ends, and its tag goes then', async () => {
    await setPolicy({ tags: [{ match: ['*'], keepNewerThanDays: 20 }] });
    await pushImage('v1');
    await days(10);
    await pushImage('v2');
    await days(9);
    expect(await dueInDays()).toBeLessThan(2);
    expect(await isThere('v1')).toBe(true);
    await days(2);
    expect([await isThere('v1'), await isThere('v2')]).toEqual([false, true]);
    await days(10);
    expect(await isThere('v2')).toBe(false);
  });

  it('keeps its images, whatever else comes later', async () => {
    const { blob } = await pushImage('v1');
    await days(100);
    expect(await hasBlob(blob)).toBe(true);
    expect(await findRepository(fixture.registry, REPOSITORY)).toMatchObject({ epoch: expect.any(Number) });
  });

  it('that is where somebody counts pulls is swept each day: nobody is disturbed by a pull', async () => {
    await setPolicy({ tags: [{ match: ['*'], keepLastPulled: 2 }] });
    await pushImage('v1');
    await days(5);
    expect(await days(10)).toBe(10);
  });
});

describe('a repository at rest is swept within an hour, and each day from then on,', () => {
  /** Two images, one of which may go at any time. */
  async function rested() {
    await setPolicy({ tags: [{ match: ['v*'], keepLast: 2 }], untaggedAfterDays: 1 });
    const images = [await pushImage('v1'), await pushImage('v2')] as const;
    await days(10);
    expect(await dueInDays()).toBeGreaterThan(20);
    return images;
  }

  const DEEDS: Record<string, (images: Awaited<ReturnType<typeof rested>>) => Promise<unknown>> = {
    'after a push': () => pushImage('v3'),
    'after a tag was deleted': () => deleteTag(fixture.registry, REPOSITORY, 'v1' as Tag),
    'after a manifest was deleted': ([{ digest }]) => deleteManifest(fixture.registry, REPOSITORY, digest),
  };

  it.each(Object.entries(DEEDS))('%s', async (_, deed) => {
    const images = await rested();
    await deed(images);
    expect(await dueInDays()).toBeLessThan(1 / 24);
    await days(12);
    expect([await isThere('v1'), await hasBlob(images[0].blob)]).toEqual([false, false]);
    expect([await isThere('v2'), await hasBlob(images[1].blob)]).toEqual([true, true]);
  });

  it('after a restore', async () => {
    const [{ digest }] = await rested();
    await deleteManifest(fixture.registry, REPOSITORY, digest);
    await days(6);
    const until = Number.POSITIVE_INFINITY;
    await restore(fixture.registry, REPOSITORY, { tag: 'v1' as Tag }, { until });
    await pushImage('v3');
    await days(20);
    expect([await isThere('v1'), await isThere('v3')]).toEqual([false, true]);
  });

  it('after a hold ends, or is ended', async () => {
    await setPolicy({ tags: [{ match: ['*'], keepNewerThanDays: 3 }] });
    const [held, kept] = [await pushImage('held'), await pushImage('kept')];
    const hold = { reason: 'an audit', until: fixture.clock + 25 * 24 * HOUR };
    await holdManifest(fixture.registry, REPOSITORY, { ...hold, digest: held.digest });
    await holdManifest(fixture.registry, REPOSITORY, { reason: 'an audit', digest: kept.digest });
    await days(20);
    expect(await dueInDays()).toBeGreaterThan(3);
    await days(6);
    expect([await isThere('held'), await isThere('kept')]).toEqual([false, true]);
    await days(20);
    await endHoldOn(fixture.registry, REPOSITORY, kept.digest);
    await days(1);
    expect(await isThere('kept')).toBe(false);
  });

  it('after policies have changed, all that rest', async () => {
    await rested();
    await setPolicy({ tags: [{ match: ['v*'], keepLast: 1 }] });
    await days(1);
    expect([await isThere('v1'), await isThere('v2')]).toEqual([false, true]);
    expect(await days(30)).toBeLessThan(12);
  });
});

describe('a change while the sweep is under way that would let it rest', () => {
  async function aboutToRest(change: () => Promise<unknown>) {
    await setPolicy({ tags: [{ match: ['v*'], keepLast: 1 }] });
    await pushImage('v1');
    for (let day = 0; day < 9 && (await dueInDays()) < 1.5; day += 1) {
      fixture.clock += 24 * HOUR;
      // Last of all it writes to the repository.
      const mayRest = (await findRepository(fixture.registry, REPOSITORY))?.rests;
      if (mayRest) fixture.justBefore('2', change);
      await sweepRepository(fixture.registry, REPOSITORY, FOREVER);
      if (mayRest) return;
    }
  }

  it('keeps it from resting', async () => {
    await aboutToRest(() => pushImage('v2'));
    expect(await dueInDays()).toBeLessThan(1.5);
    await days(2);
    expect([await isThere('v1'), await isThere('v2')]).toEqual([false, true]);
  });

  it('also where it is one of the policies', async () => {
    await aboutToRest(() => setPolicy({ tags: [{ match: ['v*'], keepLast: 2 }] }));
    expect(await dueInDays()).toBeLessThan(1.5);
  });
});

it('does not rest by a sweep that goes on where one stopped, and has passed by what was changed since', async () => {
  await setPolicy({ tags: [{ match: ['v*'], keepNewerThanDays: 5 }] });
  await pushImage('w1');
  while (!(await findRepository(fixture.registry, REPOSITORY))?.rests) await days(1);
  fixture.clock += 24 * HOUR;
  for (let stage: unknown = 0; stage !== 1; ) {
    expect(await sweepRepository(fixture.registry, REPOSITORY, { ...FOREVER, mostCalls: 1 })).toBe(
      'remaining',
    );
    stage = (await fixture.registry.table.get(sweepProgressKey(REPOSITORY)))?.['stage'];
  }
  await pushImage('v1');
  // Another sweep, which began before it, and ended in the epoch before.
  const rests = fixture.clock - 1;
  await fixture.registry.table.write([{ update: repositoryKey(REPOSITORY), set: { rests } }]);
  expect(await sweepRepository(fixture.registry, REPOSITORY, FOREVER)).toBe('done');
  expect(await dueInDays()).toBeLessThanOrEqual(1);
  await days(7);
  expect(await isThere('v1')).toBe(false);
});
