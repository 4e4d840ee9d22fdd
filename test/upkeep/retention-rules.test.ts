import { describe, expect, it } from 'vitest';
import type { Digest } from '../../functions/oci/digest.ts';
import type { Tag } from '../../functions/oci/reference.ts';
import type { Retention } from '../../functions/registry/policies.ts';
import { RetentionRules, type TagFacts } from '../../functions/upkeep/retention-rules.ts';

const DAY = 24 * 60 * 60 * 1000;
const NOW = 1000 * DAY;
const digest = `sha256:${'0'.repeat(64)}` as Digest;

const digestNumber = (n: number) => `sha256:${`${n}`.repeat(64)}` as Digest;

const rulesOf = (retention: Retention, state?: string) =>
  new RetentionRules([{ name: 'p', repositories: ['*'], retention }], NOW, state);

const tagAt = (tag: string, days: number, more: Partial<TagFacts> = {}): TagFacts => ({
  tag: tag as Tag,
  digest,
  taggedAt: NOW - days * DAY,
  ...more,
});

/** The tags that stay. */
function keptBy(retention: Retention, tags: readonly TagFacts[]): string[] {
  const rules = rulesOf(retention);
  for (const facts of tags) rules.observe(facts);
  return tags.filter((facts) => 'keeps' in rules.judge(facts) && keeps(rules, facts)).map(({ tag }) => tag);
}

function keeps(rules: RetentionRules, facts: TagFacts): boolean {
  const verdict = rules.judge(facts);
  return 'keeps' in verdict && verdict.keeps;
}

describe('the rules of retention', () => {
  it('keep the last so many, and neither pinned, held nor restored tags take a place of them', () => {
    const tags = [1, 2, 3, 4, 5].map((days) => tagAt(`v${days}`, days));
    const others = [
      tagAt('v0', 0),
      tagAt('held', 0, { isHeld: true }),
      tagAt('back', 99, { restoredAt: NOW - DAY }),
    ];
    const kept = keptBy({ pins: ['v0'], tags: [{ match: ['*'], keepLast: 2 }] }, [...tags, ...others]);
    expect(kept).toEqual(['v1', 'v2', 'v0', 'held', 'back']);
  });

  it.each([
    ['of a team', true, ['v1', 'v2', 'v3']],
    ['of an admin of the registry', false, ['v1']],
  ])(
    '%s leave of tags that an admin of the registry has made immutable: %s, %s',
    (_whose, isTeams, expected) => {
      for (const by of ['tag', 'image'] as const) {
        const rules = new RetentionRules(
          [
            { name: 'strict', repositories: ['*'], immutable: { tags: ['v*'] } },
            {
              ...{ name: 'p', repositories: ['*'], ...(isTeams && { isTeams }) },
              retention: { tags: [{ match: ['*'], by, keepLast: 1 }] },
            },
          ],
          NOW,
        );
        const tags = [1, 2, 3].map((days) =>
          tagAt(`v${days}`, days, { digest: digestNumber(days), siblings: [] }),
        );
        for (const facts of tags) rules.observe(facts);
        expect(tags.filter((facts) => keeps(rules, facts)).map(({ tag }) => tag)).toEqual(expected);
      }
    },
  );

  it('go on from a saved state as if there had been one run', () => {
    const retention = { tags: [{ match: ['*'], keepLast: 2 }] };
    const tags = [3, 1, 4, 2].map((days) => tagAt(`v${days}`, days));
    const first = rulesOf(retention);
    for (const facts of tags.slice(0, 2)) first.observe(facts);
    const second = rulesOf(retention, first.state());
    for (const facts of tags.slice(2)) second.observe(facts);
    expect(tags.filter((facts) => keeps(second, facts)).map(({ tag }) => tag)).toEqual(['v1', 'v2']);
    expect(second.judge(tagAt('v4', 4))).toMatchObject({ keeps: false, policy: 'p', rule: 0, of: 4 });
  });

  it('ask for pulls only of what would go otherwise, and count a tag never pulled from when it was put there', () => {
    const rules = rulesOf({ tags: [{ match: ['*'], keepPulledWithinDays: 7 }] });
    expect(keeps(rules, tagAt('new', 1))).toBe(true);
    expect(rules.judge(tagAt('old', 30))).toEqual({ needs: 'pulls' });
    expect(keeps(rules, tagAt('old', 30, { pulledAt: 'never' }))).toBe(false);
    expect(keeps(rules, tagAt('old', 30, { pulledAt: NOW - 7 * DAY }))).toBe(true);
    expect(keeps(rules, tagAt('old', 30, { pulledAt: NOW - 8 * DAY }))).toBe(false);
  });

  it('count a time that has not come yet as now', () => {
    const tags = [tagAt('future', -400), tagAt('now', 0)];
    expect(keptBy({ tags: [{ match: ['*'], keepLast: 1 }] }, tags)).toEqual(['now']);
  });

  it('let an untagged manifest go after the longest time that a policy gives', () => {
    const policies = [1, 9].map((days) => ({
      ...{ name: `p${days}`, repositories: ['*'], retention: { untaggedAfterDays: days } },
    }));
    const rules = new RetentionRules(policies, NOW);
    expect(rules.judgeUntagged({ digest, since: NOW - 8 * DAY })).toMatchObject({ keeps: true });
    expect(rules.judgeUntagged({ digest, since: NOW - 9 * DAY })).toMatchObject({ keeps: false });
  });
});
