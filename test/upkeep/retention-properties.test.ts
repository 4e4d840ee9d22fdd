import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TagRule } from '../../functions/registry/retention-policy.ts';
import { RetentionRules } from '../../functions/upkeep/retention-rules.ts';
import { DAY, digestNamed, type MadeImage, NOW, runRetention } from './retention-world.ts';

// Rules held against a plain reading of docs/policies.md, over generated repositories.

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const days = fc.integer({ min: 1, max: 12 });
const names = fc.constantFrom(
  'v1.0.0',
  '1.0.1',
  'v1.1.0',
  'v2.0.0-rc.1',
  'v2.0.0',
  'a-1',
  'a-2',
  'b-1',
  'a-b-1',
  'main',
);

const images: fc.Arbitrary<readonly MadeImage[]> = fc
  .array(fc.record({ days, pulledDays: maybe(days), env: fc.constantFrom('dev', 'prod') }), { maxLength: 8 })
  .chain((made) =>
    fc.uniqueArray(fc.tuple(names, fc.nat(7)), { selector: ([tag]) => tag }).map((tags) =>
      made.map(({ env, pulledDays, ...rest }, index) => ({
        ...rest,
        name: `image-${index}`,
        tags: tags.filter(([, on]) => on === index).map(([tag]) => tag),
        ...(pulledDays !== undefined && { pulledDays: Math.min(pulledDays, rest.days) }),
        image: { labels: { env } },
      })),
    ),
  );

const patterns = fc.subarray(['*', 'v*', 'a-*', '[ab]-?', '*[0-9]', 'main'], { minLength: 1, maxLength: 2 });
const count = fc.integer({ min: 1, max: 3 });
const rules: fc.Arbitrary<TagRule> = fc.record(
  {
    match: patterns,
    except: fc.subarray(['main', 'a-*', '*.1'], { minLength: 1 }),
    by: fc.constantFrom('tag' as const, 'image' as const),
    per: fc.constantFrom('major', 'minor', '(*)-*', '([ab])*'),
    among: fc.constantFrom({ tags: ['*'] }, { tags: ['a-*'] }),
    where: fc.constantFrom({ labels: { env: ['dev'] } }, { labels: { env: ['p*', 'x'] } }),
    keepLast: count,
    keepLastPulled: count,
    keepHighest: count,
    keepNewerThanDays: days,
    keepPulledWithinDays: days,
  },
  { requiredKeys: ['match'] },
);

const glob = (pattern: string) =>
  new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*').replaceAll('?', '.')}$`);
const any = (list: readonly string[] | undefined, tag: string) =>
  (list ?? []).some((each) => glob(each).test(tag));
const version = (tag: string) => /^v?(\d+)\.(\d+)\.(\d+)(-.*)?$/.exec(tag);

function groupOf(rule: TagRule, tag: string): string | undefined {
  const parts = version(tag);
  if (rule.keepHighest !== undefined && !parts) return undefined;
  if (rule.per === 'major') return parts?.[1];
  if (rule.per === 'minor') return parts ? `${parts[1]}.${parts[2]}` : undefined;
  return rule.per === undefined ? '' : glob(rule.per).exec(tag)?.[1];
}

interface One {
  readonly tag: string;
  readonly of: MadeImage;
}

/** Those whose rule it is: all names by which it is about them. */
function namesBy(rule: TagRule, { tag, of }: One): readonly string[] {
  const all = rule.by === 'image' ? of.tags : [tag];
  if (rule.where && !any(rule.where.labels?.['env'], of.image?.labels?.['env'] ?? '')) return [];
  if (all.some((each) => any(rule.except, each))) return [];
  return all.filter((each) => any(rule.match, each) && groupOf(rule, each) !== undefined);
}

type Order = (one: One) => readonly (number | string)[];

const byTime: Order = ({ of }) => [-of.days];
const byPull: Order = ({ of }) => [-(of.pulledDays ?? of.days)];
const byVersion: Order = ({ tag }) => {
  const [, major, minor, patch, before] = version(tag) ?? [];
  return [Number(major), Number(minor), Number(patch), before === undefined ? 1 : 0];
};

function isAbove(a: readonly (number | string)[], b: readonly (number | string)[]): boolean {
  const index = a.findIndex((value, at) => value !== b[at]);
  return index >= 0 && (a[index] ?? 0) > (b[index] ?? 0);
}

/** Whether one has one of so many places: fewer things than that are above it. */
function hasPlace(rule: TagRule, one: One, all: readonly One[], order: Order, places: number): boolean {
  const counted = all.filter(
    (each) =>
      groupOf(rule, each.tag) === groupOf(rule, one.tag) &&
      (rule.among ? any(rule.among.tags, each.tag) : namesBy(rule, each).includes(each.tag)),
  );
  const id = (each: One) => (rule.by === 'image' ? digestNamed(each.of.name) : each.tag);
  const key = (each: One) => [...order(each), id(each)];
  const best = (image: MadeImage) =>
    all.filter(({ of }) => of === image).filter((each) => counted.includes(each) || each === one);
  const own =
    rule.by === 'image'
      ? best(one.of)
          .map(key)
          .reduce((a, b) => (isAbove(b, a) ? b : a))
      : key(one);
  const above = new Set(counted.filter((each) => isAbove(key(each), own)).map(id));
  above.delete(id(one));
  return above.size < places;
}

function stays(given: readonly TagRule[], one: One, all: readonly One[]): boolean {
  const about = given.filter((rule) => namesBy(rule, one).length > 0);
  const kept = about.some((rule) =>
    namesBy(rule, one).some((tag) => {
      const named = { tag, of: one.of };
      const same = all.find((each) => each.tag === tag) ?? named;
      return (
        (rule.keepLast !== undefined && hasPlace(rule, same, all, byTime, rule.keepLast)) ||
        (rule.keepLastPulled !== undefined && hasPlace(rule, same, all, byPull, rule.keepLastPulled)) ||
        (rule.keepHighest !== undefined && hasPlace(rule, same, all, byVersion, rule.keepHighest)) ||
        one.of.days < (rule.keepNewerThanDays ?? 0) ||
        one.of.days < (rule.keepPulledWithinDays ?? 0) ||
        (rule.keepPulledWithinDays !== undefined && (one.of.pulledDays ?? 99) < rule.keepPulledWithinDays + 1)
      );
    }),
  );
  return about.length === 0 || kept;
}

const policiesOf = (given: readonly TagRule[]) => [
  { name: 'p', repositories: ['*'], retention: { tags: given } },
];

describe('rules of a generated repository', () => {
  it('keep what a plain reading of them keeps', () => {
    fc.assert(
      fc.property(images, fc.array(rules, { minLength: 1, maxLength: 3 }), (world, given) => {
        const all = world.flatMap((of) => of.tags.map((tag) => ({ tag, of })));
        const expected = all.filter((one) => stays(given, one, all)).map(({ tag }) => tag);
        expect(runRetention(policiesOf(given), world).tags).toEqual(expected.sort());
      }),
      { numRuns: Number(process.env['RETENTION_RUNS'] ?? 2000) },
    );
  });

  it('come to the same from any order, and from any state that was saved between', () => {
    fc.assert(
      fc.property(images, rules, fc.nat(), (world, rule, cut) => {
        const facts = world.flatMap(({ name, tags, days: ago }) =>
          tags.map((tag) => ({
            tag,
            taggedAt: NOW - ago * DAY,
            digest: digestNamed(name),
            pulledAt: 'never',
            siblings: [],
          })),
        ) as unknown as Parameters<RetentionRules['observe']>[0][];
        const whole = new RetentionRules(policiesOf([rule]), NOW);
        for (const each of facts) whole.observe(each);
        const turned = facts.toReversed();
        const first = new RetentionRules(policiesOf([rule]), NOW);
        for (const each of turned.slice(0, cut % (facts.length + 1))) first.observe(each);
        const second = new RetentionRules(policiesOf([rule]), NOW, first.state());
        for (const each of turned.slice(cut % (facts.length + 1))) second.observe(each);
        for (const each of facts) expect(second.judge(each)).toEqual(whole.judge(each));
      }),
    );
  });
});

describe('a repository that is too large to be ranked at once', () => {
  const tags = (branches: number, each: number): readonly MadeImage[] =>
    Array.from({ length: branches * each }, (_, index) => ({
      name: `image-${index}`,
      tags: [`${'branch'.repeat(8)}-${index % branches}-${Math.floor(index / branches)}`],
      days: Math.floor(index / branches) + 1,
    }));

  it('is ranked in passes of at most 200 KB, and all of them together are exact', () => {
    const world = tags(4000, 3);
    const policies = policiesOf([{ match: ['*'], per: '(*)-*', keepLast: 2 }]);
    const rules = new RetentionRules(policies, NOW);
    for (const { name, tags: on } of world) {
      const [tag] = on;
      rules.observe({ tag: tag as never, digest: digestNamed(name), taggedAt: NOW });
    }
    expect(rules.state().length).toBeLessThan(200_000);
    expect(rules.nextState()).toBeDefined();
    const left = runRetention(policies, world).tags;
    expect(left).toHaveLength(8000);
    expect(left.every((tag) => !tag.endsWith('-2'))).toBe(true);
  });

  it('keeps exactly as many as it is told of ten times as many, and knows no rank beyond', () => {
    const rules = new RetentionRules(policiesOf([{ match: ['*'], keepLast: 4000 }]), NOW);
    const facts = tags(20_000, 1).map(({ name, tags: [tag] }, index) => ({
      ...{ tag: tag as never, digest: digestNamed(name), taggedAt: NOW - index },
    }));
    for (const each of facts) rules.observe(each);
    const verdicts = facts.map((each) => rules.judge(each));
    expect(verdicts.map((verdict) => 'keeps' in verdict && verdict.keeps)).toEqual(
      facts.map((_, index) => index < 4000),
    );
    expect(verdicts.at(-1)).toMatchObject({ of: 20_000 });
    expect(verdicts.at(-1)).not.toHaveProperty('rank');
    expect(rules.state().length).toBeLessThan(200_000);
  });

  it('loses nothing to a rule that was stored before there was a limit', () => {
    const rules = new RetentionRules(policiesOf([{ match: ['*'], keepLast: 1_000_000 }]), NOW);
    const facts = { tag: 'a' as never, digest: digestNamed('a'), taggedAt: 0 };
    rules.observe(facts);
    expect(rules.judge(facts)).toMatchObject({ keeps: true });
  });

  it('keeps all that a rule matches where the rules together count too much', () => {
    const rules = Array.from({ length: 20 }, (_, index) => ({ match: [`*${index}`], keepLast: 4000 }));
    const ranked = new RetentionRules(policiesOf(rules), NOW);
    const facts = tags(15_000, 1).map(({ name, tags: [tag] }) => ({
      ...{ tag: tag as never, digest: digestNamed(name), taggedAt: NOW },
    }));
    for (const each of facts) ranked.observe(each);
    expect(ranked.state().length).toBeLessThan(200_000);
    expect(facts.every((each) => 'keeps' in ranked.judge(each))).toBe(true);
  });
});
