import { beforeEach, describe, expect, it } from 'vitest';
import { listAudit } from '../../functions/identity/audit.ts';
import { recordDeletion } from '../../functions/identity/retention-audit.ts';
import type { Digest } from '../../functions/oci/digest.ts';
import type { Tag } from '../../functions/oci/reference.ts';
import { deletePolicy, listPolicies, type Policy, putPolicy } from '../../functions/registry/policies.ts';
import { confirmPolicy, listWaiting } from '../../functions/registry/policy-confirmations.ts';
import { tagHistory } from '../../functions/registry/tag-history.ts';
import { findTag, listTags } from '../../functions/registry/tags.ts';
import { listTrash } from '../../functions/registry/trash.ts';
import type { Finding } from '../../functions/upkeep/finding.ts';
import { beginPreview, previewRequest, readPreview } from '../../functions/upkeep/preview.ts';
import type { UpkeepLine } from '../../functions/upkeep/stage.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import { upkeepText } from '../../functions/upkeep/upkeep-text.ts';
import {
  type Fixture,
  imageOf,
  openFixture,
  push,
  pushBlob,
  REPOSITORY,
  through,
} from '../registry/fixture.ts';

const DAY = 24 * 60 * 60 * 1000;
const LEASE = { epochMs: DAY, quarantineMs: 7 * DAY };

let fixture: Fixture;
let lines: UpkeepLine[];

beforeEach(async () => {
  fixture = await openFixture();
  lines = [];
});

const policy = (tags: NonNullable<Policy['retention']>['tags'], more: object = {}): Policy => ({
  name: 'p',
  repositories: ['team/*'],
  retention: { ...(tags && { tags }), ...more },
});

/** A sweep, and what it tells. */
async function sweep(registry = fixture.registry): Promise<Finding[]> {
  const findings: Finding[] = [];
  await sweepRepository(registry, REPOSITORY, {
    ...LEASE,
    until: Number.POSITIVE_INFINITY,
    report: (finding) => findings.push(finding),
    record: (name, finding) => recordDeletion(registry, name, finding),
    tell: (line) => lines.push(line),
  });
  return findings.filter(
    ({ action, kind }) => action === 'delete' && (kind === 'tag' || kind === 'manifest'),
  );
}

async function nextDay(): Promise<Finding[]> {
  fixture.clock += DAY;
  return sweep();
}

async function pushImage(...tags: string[]): Promise<Digest> {
  const digest = await push(fixture.registry, imageOf(await pushBlob(fixture.registry)), ...tags);
  fixture.clock += 1000;
  return digest;
}

async function pushTags(count: number): Promise<Digest[]> {
  const digests: Digest[] = [];
  for (let index = 0; index < count; index += 1) digests.push(await pushImage(`v${index}`));
  return digests;
}

/** Of few manifests: it is the tags that count. */
async function pushManyTags(count: number): Promise<void> {
  for (let index = 0; index < count; index += 20)
    await pushImage(...Array.from({ length: Math.min(20, count - index) }, (_, at) => `v${index + at}`));
}

const sorted = (texts: readonly string[]) => texts.toSorted((a, b) => (a < b ? -1 : 1));

const tagCount = async () => (await listTags(fixture.registry, REPOSITORY, { limit: 10_000 })).entries.length;
const waiting = () => listWaiting(fixture.registry, 'p', 100);
const keepLast = (count: number) => policy([{ match: ['v*'], keepLast: count }]);

/** All pages of a preview. */
async function preview(asked: readonly Policy[]) {
  const request = previewRequest(await listPolicies(fixture.registry), asked, {
    repository: undefined,
    tellsKept: false,
  });
  const id = await beginPreview(fixture.registry, request);
  const findings: Finding[] = [];
  for (let page = 0; ; ) {
    const found = await readPreview(fixture.registry, { id, page, lease: LEASE, mayRead: () => true });
    if (!found) throw new Error('the preview is over');
    findings.push(...found.findings);
    if (found.next === undefined) return { findings, counts: found.counts };
    page = found.next;
  }
}

describe('a policy that has changed', () => {
  it('and would delete more than a tenth waits for a day, and says so once; then it acts', async () => {
    await pushTags(20);
    await putPolicy(fixture.registry, keepLast(15));
    await nextDay();
    expect(await tagCount()).toBe(20);
    expect(await waiting()).toMatchObject([
      { policy: 'p', repository: REPOSITORY, since: fixture.clock, tags: 5, ofTags: 20 },
    ]);
    expect(lines).toMatchObject([{ is: 'waits', repository: REPOSITORY, policies: ['p'], tags: 5 }]);
    expect(upkeepText(lines[0] as UpkeepLine)).toMatch(
      /^the policy p would delete 5 tags .* stowage policy confirm p$/,
    );
    fixture.clock += DAY / 2;
    await sweep();
    expect(await tagCount()).toBe(20);
    fixture.clock += DAY / 2;
    await sweep();
    expect(await tagCount()).toBe(15);
    expect(await waiting()).toEqual([]);
    expect(lines.slice(1)).toMatchObject([
      { is: 'deleted', repository: REPOSITORY, policies: ['p'], tags: 5 },
    ]);
  });

  it('acts at once where it was confirmed, before or while it waits; that is void once it changes again', async () => {
    await pushTags(20);
    await putPolicy(fixture.registry, keepLast(15));
    await nextDay();
    await confirmPolicy(fixture.registry, 'p', keepLast(15));
    await sweep();
    expect(await tagCount()).toBe(15);
    expect(await waiting()).toEqual([]);
    await putPolicy(fixture.registry, keepLast(5));
    await sweep();
    expect(await tagCount()).toBe(15);
    await putPolicy(fixture.registry, keepLast(7), { confirms: true });
    await sweep();
    expect(await tagCount()).toBe(7);
  });

  it('acts at once where it deletes no more than a tenth, and so does one that has not changed', async () => {
    await pushTags(20);
    await putPolicy(fixture.registry, keepLast(18));
    await nextDay();
    expect(await tagCount()).toBe(18);
    for (let index = 20; index < 40; index += 1) await pushImage(`v${index}`);
    await nextDay();
    expect(await tagCount()).toBe(18);
  });

  it('waits with more than a hundred, however few that are of all', async () => {
    await pushManyTags(1200);
    await putPolicy(fixture.registry, keepLast(1099));
    await nextDay();
    expect(await tagCount()).toBe(1200);
    expect(await waiting()).toMatchObject([{ tags: 101, ofTags: 1200 }]);
    await putPolicy(fixture.registry, keepLast(1100));
    await nextDay();
    expect(await tagCount()).toBe(1100);
  });

  it('also where what changed is another policy, which kept more, and is deleted', async () => {
    await pushTags(20);
    const other = { ...policy(undefined, { pins: ['*'] }), name: 'pins' };
    await putPolicy(fixture.registry, other);
    await putPolicy(fixture.registry, keepLast(5));
    await nextDay();
    expect(await waiting()).toEqual([]);
    await deletePolicy(fixture.registry, 'pins');
    await nextDay();
    expect(await tagCount()).toBe(20);
    expect(await listWaiting(fixture.registry, 'pins', 10)).toMatchObject([{ tags: 15 }]);
    await confirmPolicy(fixture.registry, 'pins', undefined);
    await sweep();
    expect(await tagCount()).toBe(5);
  });

  it('is counted over several runs where one is not enough', async () => {
    await pushManyTags(250);
    await putPolicy(fixture.registry, keepLast(5));
    fixture.clock += DAY;
    let runs = 0;
    let outcome = '';
    while (outcome !== 'done') {
      const registry = fixture.registry;
      outcome = await sweepRepository(registry, REPOSITORY, { ...LEASE, until: fixture.clock });
      runs += 1;
      expect(runs).toBeLessThan(100);
    }
    expect(runs).toBeGreaterThan(3);
    expect(await waiting()).toMatchObject([{ tags: 245, ofTags: 250 }]);
    expect(await tagCount()).toBe(250);
  });
});

describe('what retention deletes', () => {
  it('is in the trail with rule, rank, age and last pull, as it was told and as the preview said', async () => {
    await pushTags(30);
    const asked = policy([{ match: ['v*'], keepLast: 20 }], { untaggedAfterDays: 0 });
    await putPolicy(fixture.registry, { ...asked, retention: { pins: ['*'] } });
    for (let day = 0; day < 4; day += 1) await nextDay();
    fixture.clock += DAY;
    const planned = await preview([asked]);
    await putPolicy(fixture.registry, asked);
    await confirmPolicy(fixture.registry, 'p', asked);
    const run = await sweep();
    const key = ({ kind, tag, digest }: { kind: string; tag?: string; digest: string }) =>
      `${kind} ${tag} ${digest}`;
    expect(sorted(run.map(key))).toEqual(sorted(planned.findings.map(key)));
    expect(planned.counts).toMatchObject({ repositories: 1, tags: 10, manifests: 10, bytes: 1000 });
    const { records } = await listAudit(fixture.registry, { since: 0, until: fixture.clock + 1, limit: 100 });
    const deletions = records.flatMap(({ deletion }) => deletion ?? []);
    expect(sorted(deletions.map(key))).toEqual(sorted(run.map(key)));
    expect(records[0]).toMatchObject({
      principal: 'retention:p',
      operation: 'retention.delete',
      outcome: 'allowed',
      repository: REPOSITORY,
    });
    expect(deletions.find(({ tag }) => tag === 'v0')).toMatchObject({
      rule: 0,
      of: 30,
      ageMs: expect.any(Number),
    });
    const history = await tagHistory(fixture.registry, REPOSITORY, 'v0' as Tag);
    expect(history[0]).toMatchObject({ by: 'retention:p' });
    const trash = await listTrash(fixture.registry, REPOSITORY, { quarantineMs: DAY, limit: 1 });
    expect(trash.entries[0]).toMatchObject({ deletedBy: 'retention:p' });
    expect(lines).toMatchObject([{ is: 'deleted', tags: 10, manifests: 10 }]);
  });

  it('is in the trail if and only if it is gone, wherever the run dies', async () => {
    for (let dies = 1; dies < 12; dies += 1) {
      fixture = await openFixture();
      await pushTags(20);
      await putPolicy(fixture.registry, keepLast(3));
      await confirmPolicy(fixture.registry, 'p', keepLast(3));
      fixture.clock += DAY;
      let left = dies;
      const table = through(fixture.registry.table, {
        write: async (operations) => {
          left -= 1;
          if (left === 0) throw new Error('dead');
          return fixture.registry.table.write(operations);
        },
      });
      await sweep({ ...fixture.registry, table }).catch(() => undefined);
      const { records } = await listAudit(fixture.registry, {
        since: 0,
        until: fixture.clock + 1,
        limit: 100,
      });
      expect(records).toHaveLength(20 - (await tagCount()));
    }
  });
});

describe('a preview', () => {
  it('goes through many repositories, page by page, changes nothing, and a page can be asked for twice', async () => {
    await pushTags(30);
    const asked = policy([{ match: ['v*'], keepLast: 1 }]);
    const request = previewRequest([], [asked], { repository: undefined, tellsKept: true });
    const id = await beginPreview(fixture.registry, request);
    const read = (page: number) =>
      readPreview(fixture.registry, { id, page, lease: LEASE, mayRead: () => true });
    const first = await read(0);
    expect(await read(0)).toEqual(first);
    expect(first?.counts).toMatchObject({ tags: 29, repositories: 1 });
    expect(
      await readPreview(fixture.registry, { id, page: 0, lease: LEASE, mayRead: () => false }),
    ).toBeUndefined();
    fixture.clock += 2 * DAY;
    expect(await read(0)).toBeUndefined();
    expect(await findTag(fixture.registry, REPOSITORY, 'v0' as Tag)).toBeDefined();
  });

  it('of more than a page tells all of it', async () => {
    await pushManyTags(1300);
    const { findings, counts } = await preview([policy([{ match: ['v*'], keepLast: 1 }])]);
    expect(new Set(findings.map(({ tag }) => tag)).size).toBe(1299);
    expect(counts.tags).toBe(1299);
  });
});

/** Sets a policy that may act at once. */
const setAtOnce = (one: Policy) => putPolicy(fixture.registry, one, { confirms: true });

describe('policies of teams', () => {
  const ofTeam = { ...policy([{ match: ['*'], keepLast: 1 }]), isTeams: true };

  it.each([
    ['what a policy of the registry without rules has made immutable', { immutable: { tags: ['v*'] } }],
    ['anything where a policy of the registry leaves them nothing', { teams: [] }],
  ])('do not delete %s, nor does a preview say so', async (_what, strict) => {
    await pushTags(3);
    await setAtOnce({ name: 'strict', repositories: ['*'], ...strict });
    await setAtOnce(ofTeam);
    fixture.clock += 2 * DAY;
    expect((await preview([ofTeam])).findings).toEqual([]);
    await nextDay();
    expect(await tagCount()).toBe(3);
  });
});

it('where tags are immutable no more, what rules of teams would then delete waits', async () => {
  const strict = { name: 'strict', repositories: ['*'], immutable: { tags: ['v*'] } };
  await pushTags(20);
  await setAtOnce(strict);
  await setAtOnce({ ...keepLast(1), isTeams: true });
  await nextDay();
  await nextDay();
  await putPolicy(fixture.registry, { ...strict, immutable: { tags: ['w*'] } });
  await nextDay();
  expect(await tagCount()).toBe(20);
  expect(lines).toMatchObject([{ is: 'waits', policies: ['strict'] }]);
  await setAtOnce({ ...strict, immutable: { tags: ['w*'] } });
  await nextDay();
  expect(await tagCount()).toBe(1);
});

describe('what was let go on before', () => {
  const rules = keepLast(1);

  it.each([
    ['was deleted', () => deletePolicy(fixture.registry, 'p')],
    ['said something else', () => putPolicy(fixture.registry, policy(undefined, { pins: ['*'] }))],
    ['covered others', () => putPolicy(fixture.registry, { ...rules, repositories: ['others/*'] })],
  ])('asks again where the policy %s meanwhile', async (_what, change) => {
    await pushTags(1);
    await setAtOnce(rules);
    await nextDay();
    await change();
    await nextDay();
    await pushTags(20);
    await nextDay();
    await putPolicy(fixture.registry, rules);
    await nextDay();
    expect(await tagCount()).toBe(20);
    expect(await waiting()).toMatchObject([{ policy: 'p', repository: REPOSITORY }]);
  });
});

it('a pin keeps an image by which a hundred other tags come first', async () => {
  const image = imageOf(await pushBlob(fixture.registry));
  for (let index = 0; index < 120; index += 20) {
    const tags = Array.from({ length: 20 }, (_, at) => `ci-${100 + index + at}`);
    await push(fixture.registry, image, ...tags);
  }
  await push(fixture.registry, image, 'stable');
  await setAtOnce(policy([{ match: ['ci-*'], by: 'image', keepNewerThanDays: 3 }], { pins: ['stable'] }));
  fixture.clock += 40 * DAY;
  await nextDay();
  expect(await tagCount()).toBe(121);
});
