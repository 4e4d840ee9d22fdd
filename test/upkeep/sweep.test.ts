import { describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import type { Tag } from '../../functions/oci/reference.ts';
import { requireBlob, requireBlobForPush } from '../../functions/registry/blobs.ts';
import { deleteManifest } from '../../functions/registry/manifest-deletion.ts';
import { findManifest } from '../../functions/registry/manifests.ts';
import { drainOutbox } from '../../functions/registry/outbox.ts';
import type { Finding } from '../../functions/upkeep/finding.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import {
  type Fixture,
  imageOf,
  indexOf,
  isStored,
  openFixture,
  push,
  pushBlob,
  REPOSITORY,
  refusal,
} from '../registry/fixture.ts';

const DAY = 24 * 60 * 60 * 1000;

/** A day goes by, and the repository is swept; tells what went. */
async function sweepNextDay(fixture: Fixture, dryRun = false): Promise<readonly Finding[]> {
  const findings = await sweepAt(fixture, fixture.clock + DAY, dryRun);
  return findings.filter(({ action }) => action === 'delete');
}

/** All that a sweep at that moment says. */
async function sweepAt(fixture: Fixture, clock: number, dryRun = false): Promise<readonly Finding[]> {
  fixture.clock = clock;
  const findings: Finding[] = [];
  const until = fixture.clock + DAY;
  const options = { epochMs: DAY, quarantineMs: 0, until, dryRun, report: (f: Finding) => findings.push(f) };
  expect(await sweepRepository(fixture.registry, REPOSITORY, options)).toBe('done');
  return findings;
}

const linked = ({ registry }: Fixture, digest: Digest) =>
  refusal(requireBlob(registry, REPOSITORY, digest)).then((code) => code === undefined);

describe('a sweep', () => {
  it('removes a blob that no manifest uses, not before a whole epoch has gone by, and its bytes a day later', async () => {
    const fixture = await openFixture();
    const { digest } = await pushBlob(fixture.registry);
    const { objectKey } = await requireBlob(fixture.registry, REPOSITORY, digest);
    expect(await sweepNextDay(fixture)).toEqual([]);
    expect(await linked(fixture, digest)).toBe(true);
    expect(await sweepNextDay(fixture)).toMatchObject([{ kind: 'blob', digest, size: 100 }]);
    expect(await linked(fixture, digest)).toBe(false);
    await drainOutbox(fixture.registry);
    expect(await isStored(fixture.registry, objectKey)).toBe(true);
    fixture.clock += DAY + 1;
    await drainOutbox(fixture.registry);
    expect(await isStored(fixture.registry, objectKey)).toBe(false);
  });

  it('says from when on a blob may go, deletes it from then on, and says since when nobody has asked for it', async () => {
    const fixture = await openFixture();
    const { digest } = await pushBlob(fixture.registry);
    const pushed = fixture.clock;
    const [young] = await sweepAt(fixture, pushed);
    const reason = young?.reason ?? '';
    expect(young).toMatchObject({
      action: 'keep',
      digest,
      reason: expect.stringMatching(/ it may go from .* on$/),
    });
    const from = Date.parse(/from (\S+ \S+) UTC on/.exec(reason)?.[1]?.concat('Z') ?? '');
    expect(from).toBeGreaterThan(pushed + DAY);
    await sweepAt(fixture, from - DAY);
    expect(await sweepAt(fixture, from - 60_000)).toMatchObject([{ action: 'keep' }]);
    const [old] = await sweepAt(fixture, from);
    const since = new Date(from - DAY).toISOString().slice(0, 16).replace('T', ' ');
    expect(old).toMatchObject({
      action: 'delete',
      reason: `no manifest uses it, and nobody has asked for it since ${since} UTC`,
    });
  });

  it('leaves alone what manifests use, of an index too', async () => {
    const fixture = await openFixture();
    const config = await pushBlob(fixture.registry);
    await push(fixture.registry, imageOf(config));
    const index = await push(fixture.registry, indexOf(imageOf(config)), 'v1');
    for (let day = 0; day < 5; day += 1) expect(await sweepNextDay(fixture)).toEqual([]);
    expect(await linked(fixture, config.digest)).toBe(true);
    const child = digestOf('sha256', imageOf(config));
    for (const digest of [child, index]) {
      expect(await findManifest(fixture.registry, REPOSITORY, { kind: 'digest', digest })).toBeDefined();
    }
  });

  it('counts a HEAD by somebody who may push as use', async () => {
    const fixture = await openFixture();
    const { digest } = await pushBlob(fixture.registry);
    for (let day = 0; day < 5; day += 1) {
      await requireBlobForPush(fixture.registry, REPOSITORY, digest);
      expect(await sweepNextDay(fixture)).toEqual([]);
    }
    expect(await sweepNextDay(fixture)).toMatchObject([{ digest }]);
  });

  it('removes what a deleted manifest leaves: its edges, and its blobs where nothing else uses them', async () => {
    const fixture = await openFixture();
    const [own, shared] = [await pushBlob(fixture.registry), await pushBlob(fixture.registry)];
    const digest = await push(fixture.registry, imageOf(own, { layers: [shared] }), 'v1');
    await push(fixture.registry, imageOf(shared), 'v2');
    await deleteManifest(fixture.registry, REPOSITORY, digest);
    await sweepNextDay(fixture);
    const gone = await sweepNextDay(fixture);
    expect(gone.filter(({ kind }) => kind === 'blob')).toMatchObject([{ digest: own.digest }]);
    expect(gone.filter(({ kind }) => kind === 'edge')).toHaveLength(2);
    expect(await linked(fixture, shared.digest)).toBe(true);
    expect(await sweepNextDay(fixture)).toEqual([]);
  });

  it('raises the epoch once a day, however often it runs', async () => {
    const fixture = await openFixture();
    const { digest } = await pushBlob(fixture.registry);
    await sweepNextDay(fixture);
    for (let hour = 0; hour < 23; hour += 1) {
      fixture.clock += DAY / 24;
      await sweepRepository(fixture.registry, REPOSITORY, {
        epochMs: DAY,
        quarantineMs: 0,
        until: fixture.clock + DAY,
      });
    }
    expect(await linked(fixture, digest)).toBe(true);
  });

  it('tells in a dry run what would go, and touches nothing', async () => {
    const fixture = await openFixture();
    const { digest } = await pushBlob(fixture.registry);
    await sweepNextDay(fixture);
    expect(await sweepNextDay(fixture, true)).toMatchObject([{ kind: 'blob', digest }]);
    expect(await linked(fixture, digest)).toBe(true);
    expect(await sweepNextDay(fixture)).toMatchObject([{ digest }]);
  });

  it('keeps a blob that is asked for just before it would go', async () => {
    const fixture = await openFixture();
    const { digest } = await pushBlob(fixture.registry);
    await sweepNextDay(fixture);
    fixture.justBefore('B#', () => requireBlobForPush(fixture.registry, REPOSITORY, digest));
    await sweepNextDay(fixture);
    expect(await linked(fixture, digest)).toBe(true);
  });

  it('goes on where it ran out of time', async () => {
    const fixture = await openFixture();
    const manifest = imageOf(await pushBlob(fixture.registry));
    const digest = await push(fixture.registry, manifest, 'v1');
    await deleteManifest(fixture.registry, REPOSITORY, digest);
    await sweepNextDay(fixture);
    fixture.clock += DAY;
    const options = { epochMs: DAY, quarantineMs: 0, until: 0 };
    const outcomes: string[] = [];
    for (let run = 0; outcomes.at(-1) !== 'done'; run += 1) {
      expect(run).toBeLessThan(10);
      outcomes.push(await sweepRepository(fixture.registry, REPOSITORY, options));
    }
    expect(outcomes.length).toBeGreaterThan(1);
    expect(await refusal(push(fixture.registry, manifest, 'v1' satisfies string as Tag))).toBe(
      'MANIFEST_BLOB_UNKNOWN',
    );
  });
});
