import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { importEcr } from '../../cli/policy-import/ecr.ts';
import { importGar } from '../../cli/policy-import/gar.ts';
import { importHarbor } from '../../cli/policy-import/harbor.ts';
import type { Imported } from '../../cli/policy-import/imported.ts';
import { faultsIn } from '../../functions/management/retention-checks.ts';
import { Retention as Schema } from '../../functions/management/retention-schema.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { type Policy, policiesFor } from '../../functions/registry/policies.ts';
import type { Retention } from '../../functions/registry/retention-policy.ts';
import { type MadeImage, runRetention } from '../upkeep/retention-world.ts';

const TARGET = { name: 'imported', repositories: ['*'] };

/** Images that go, by what was imported; all of it is what the registry takes. */
function gone({ policies }: Imported, images: readonly MadeImage[], repository = 'team/app'): string[] {
  for (const { retention } of policies) {
    expect(Schema.safeParse(retention)).toMatchObject({ success: true });
    expect(faultsIn(retention as Retention)).toEqual([]);
  }
  const covering = policiesFor(policies as readonly Policy[], repository as RepositoryName);
  const { images: left } = runRetention(covering, images);
  return images.map(({ name }) => name).filter((name) => !left.includes(name));
}

const image = (name: string, days: number, ...tags: string[]): MadeImage => ({ name, days, tags });

interface Selection {
  readonly tagStatus: string;
  readonly tagPrefixList?: readonly string[];
  readonly tagPatternList?: readonly string[];
  readonly countType: string;
  readonly countNumber: number;
}

const lifecycle = (...selections: readonly Selection[]) => ({
  rules: selections.map((selection, index) => ({
    ...{ rulePriority: index + 1, description: `Rule ${index + 1}`, action: { type: 'expire' } },
    selection: { ...selection, ...(selection.countType === 'sinceImagePushed' && { countUnit: 'days' }) },
  })),
});

const many = (tagPrefixList: readonly string[], countNumber: number): Selection => ({
  ...{ tagStatus: 'tagged', tagPrefixList, countType: 'imageCountMoreThan', countNumber },
});

const old = (rest: Partial<Selection> & { tagStatus: string }, countNumber: number): Selection => ({
  ...{ countType: 'sinceImagePushed', countNumber },
  ...rest,
});

/** The examples of https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_examples.html and what is told of each. */
const THREE = [
  image('A', 10, 'beta-1', 'prod-1'),
  image('B', 9, 'beta-2', 'prod-2'),
  image('C', 8, 'beta-3'),
];
const ECR_EXAMPLES: readonly [string, object, readonly MadeImage[], readonly string[]][] = [
  [
    'the age of images with a tag',
    lifecycle(old({ tagStatus: 'tagged', tagPatternList: ['prod*'] }, 14)),
    [image('A', 20, 'prod-1'), image('B', 13, 'prod-2'), image('C', 20, 'dev')],
    ['A'],
  ],
  [
    'the age of images without one',
    lifecycle(old({ tagStatus: 'untagged' }, 14)),
    [image('A', 20), image('B', 13), image('C', 20, 'dev')],
    ['A'],
  ],
  [
    'one image without a tag',
    lifecycle({ tagStatus: 'untagged', countType: 'imageCountMoreThan', countNumber: 1 }),
    [image('A', 3), image('B', 2), image('C', 1), image('D', 9, 'x')],
    ['A', 'B'],
  ],
  ['several rules, A', lifecycle(many(['prod'], 1), many(['beta'], 1)), THREE, ['A']],
  ['several rules, B', lifecycle(many(['beta'], 1), many(['prod'], 1)), THREE, ['A', 'B']],
  [
    'several tags in a rule, A',
    lifecycle(old({ tagStatus: 'tagged', tagPrefixList: ['alpha', 'beta'] }, 5)),
    [
      ...[image('A', 12, 'alpha-1'), image('B', 11, 'beta-1'), image('C', 10, 'alpha-2', 'beta-2')],
      ...[image('D', 4, 'alpha-3'), image('E', 3, 'beta-3'), image('F', 2, 'alpha-4', 'beta-4')],
    ],
    ['C'],
  ],
  [
    'several tags in a rule, B',
    lifecycle(many(['alpha', 'beta'], 1)),
    [
      image('A', 10, 'alpha-1', 'beta-1', 'gamma-1'),
      image('B', 9, 'alpha-2', 'beta-2'),
      image('C', 8, 'alpha-3', 'beta-3', 'gamma-2'),
    ],
    ['A', 'B'],
  ],
  [
    'all images, A',
    lifecycle({ tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 1 }),
    [image('A', 4, 'alpha-1'), image('B', 3, 'beta-1'), image('C', 2), image('D', 1, 'alpha-2')],
    ['A', 'B', 'C'],
  ],
  [
    'all images, B',
    lifecycle(many(['alpha'], 1), old({ tagStatus: 'untagged' }, 1), {
      ...{ tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 1 },
    }),
    [
      ...[image('A', 4, 'alpha-1', 'beta-1'), image('B', 3), image('C', 2, 'alpha-2')],
      ...[image('D', 1, 'git-hash'), image('E', 0.9)],
    ],
    ['A', 'B', 'D'],
  ],
];

describe('a lifecycle policy of ECR', () => {
  it.each(ECR_EXAMPLES)(
    'of the documentation does what it is told to do there: %s',
    (_, policy, images, expected) => {
      expect(gone(importEcr(policy as never, TARGET), images)).toEqual(expected);
    },
  );

  it('does on generated images what a plain reading of the documentation does', () => {
    fc.assert(
      fc.property(worlds, lifecycles, (images, selections) => {
        expect(gone(importEcr(lifecycle(...selections), TARGET), images)).toEqual(
          expiredBy(selections, images),
        );
      }),
      { numRuns: Number(process.env['RETENTION_RUNS'] ?? 400) },
    );
  });

  it('is taken as the command line of AWS prints it', () => {
    const lifecyclePolicyText = JSON.stringify(lifecycle(many(['v'], 3)));
    const { policies } = importEcr({ registryId: '1', lifecyclePolicyText }, TARGET);
    expect(policies).toEqual([
      {
        ...TARGET,
        retention: { tags: [{ match: ['v*'], by: 'image', keepLast: 3, among: { tags: ['v*'] } }] },
      },
    ]);
  });

  it.each([
    [
      { rules: [{ ...lifecycle(many(['v'], 3)).rules[0], action: { type: 'transition' } }] },
      /^rules\.0\.action\.type: /,
    ],
    [
      lifecycle({ tagStatus: 'any', countType: 'sinceImageTransitioned', countNumber: 3 }),
      /^rules\.0\.selection\.countType: /,
    ],
    [lifecycle(many([], 3)), /^rules\.0\.selection: needs tagPrefixList/],
    [lifecycle(many(['a', 'b'], 3), many(['c'], 1)), /^rules\.0: asks for several tags on one image/],
    [{ rules: 'x' }, /^rules: is no list/],
    [{ lifecyclePolicyText: '[]' }, /^lifecyclePolicyText: is no object/],
  ])('that cannot be said is refused with its place: %j', (policy, message) => {
    expect(() => importEcr(policy as never, TARGET)).toThrow(message);
  });
});

const names = fc.constantFrom(
  'alpha-1',
  'alpha-2',
  'beta-1',
  'beta-2',
  'gamma-1',
  'release-1',
  'v0.1',
  'main',
);
const worlds: fc.Arbitrary<readonly MadeImage[]> = fc
  .uniqueArray(fc.integer({ min: 1, max: 20 }), { maxLength: 7 })
  .chain((days) =>
    fc.uniqueArray(fc.tuple(names, fc.nat(6)), { selector: ([tag]) => tag }).map((tags) =>
      days.map((each, index) => ({
        ...{ name: `image-${index}`, days: each },
        tags: tags.filter(([, on]) => on === index).map(([tag]) => tag),
      })),
    ),
  );

const prefixes = fc.constantFrom('alpha', 'beta', 'gamma', 'b', 'release');
const counts = fc.oneof(
  fc.record({ countType: fc.constant('imageCountMoreThan'), countNumber: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ countType: fc.constant('sinceImagePushed'), countNumber: fc.integer({ min: 1, max: 15 }) }),
);
const tagged = fc
  .tuple(prefixes, counts)
  .map(([prefix, count]) => ({ tagStatus: 'tagged', tagPrefixList: [prefix], ...count }));
const several = fc.tuple(fc.uniqueArray(prefixes, { minLength: 2, maxLength: 2 }), counts);
const others = fc
  .tuple(fc.constantFrom('untagged', 'any'), counts)
  .map(([tagStatus, count]) => ({ tagStatus, ...count }));
const lifecycles: fc.Arbitrary<readonly Selection[]> = fc.oneof(
  several.map(([tagPrefixList, count]) => [{ tagStatus: 'tagged', tagPrefixList, ...count }]),
  fc
    .tuple(fc.array(fc.oneof(tagged, tagged, others), { minLength: 1, maxLength: 4 }))
    .map(([rules]) =>
      rules.toSorted((a, b) => Number(a.tagStatus === 'any') - Number(b.tagStatus === 'any')),
    ),
);

/** All rules mark by themselves; an image that meets what a rule asks of its tags is for no rule behind it. */
function expiredBy(selections: readonly Selection[], images: readonly MadeImage[]): string[] {
  const isMet = ({ tagStatus, tagPrefixList = [] }: Selection, { tags }: MadeImage) => {
    if (tagStatus === 'any') return true;
    if (tagStatus === 'untagged') return tags.length === 0;
    return tagPrefixList.every((prefix) => tags.some((tag) => tag.startsWith(prefix)));
  };
  return images
    .filter((each) => {
      const selection = selections.find((rule) => isMet(rule, each));
      if (!selection) return false;
      if (selection.countType === 'sinceImagePushed') return each.days >= selection.countNumber;
      const met = images.filter((other) => isMet(selection, other));
      return met.filter((other) => other.days < each.days).length >= selection.countNumber;
    })
    .map(({ name }) => name);
}

interface Cleanup {
  readonly name: string;
  readonly action: { readonly type: string };
  readonly condition?: {
    readonly tagState?: string;
    readonly tagPrefixes?: readonly string[];
    readonly packageNamePrefixes?: readonly string[];
    readonly olderThan?: string;
    readonly newerThan?: string;
  };
  readonly mostRecentVersions?: {
    readonly packageNamePrefixes?: readonly string[];
    readonly keepCount: number;
  };
}

/** The example of https://cloud.google.com/artifact-registry/docs/repositories/cleanup-policy. */
const GAR_EXAMPLE: readonly Cleanup[] = [
  {
    name: 'delete-prerelease',
    action: { type: 'Delete' },
    condition: { tagState: 'tagged', tagPrefixes: ['alpha', 'v0'], olderThan: '30d' },
  },
  {
    name: 'keep-tagged-release',
    action: { type: 'Keep' },
    condition: { tagState: 'tagged', tagPrefixes: ['release'], packageNamePrefixes: ['webapp', 'mobile'] },
  },
  {
    name: 'keep-minimum-versions',
    action: { type: 'Keep' },
    mostRecentVersions: { packageNamePrefixes: ['webapp', 'mobile', 'sandbox'], keepCount: 5 },
  },
];

describe('cleanup policies of Artifact Registry', () => {
  const versions = [
    ...[image('new', 10, 'alpha-9'), image('two', 20), image('three', 25, 'x'), image('four', 26, 'y')],
    ...[image('five', 31, 'alpha-5'), image('six', 40, 'alpha-6'), image('release', 50, 'v0.1', 'release-1')],
    ...[image('seven', 60, 'v0.0'), image('eight', 70, 'main'), image('nine', 80)],
  ];

  it('of the documentation do what they are told to do there, in each package', () => {
    const imported = importGar(GAR_EXAMPLE, { name: 'gar', repositories: ['registry/*'] });
    const goneOf = (name: string) => gone(imported, versions, `registry/${name}`);
    expect(goneOf('webapp')).toEqual(['six', 'seven']);
    expect(goneOf('mobile-ios')).toEqual(['six', 'seven']);
    expect(goneOf('sandbox')).toEqual(['six', 'release', 'seven']);
    expect(goneOf('other')).toEqual(['five', 'six', 'release', 'seven']);
    expect(gone(imported, versions, 'elsewhere/webapp')).toEqual([]);
  });

  it('do on generated versions what a plain reading of the documentation does', () => {
    fc.assert(
      fc.property(worlds, cleanups, (images, policies) => {
        const imported = importGar(policies, TARGET);
        fc.pre(!imported.policies.some(deletesAll));
        expect(gone(imported, images, 'webapp/x')).toEqual(cleanedBy(policies, images, 'webapp/x'));
      }),
      { numRuns: Number(process.env['RETENTION_RUNS'] ?? 400) },
    );
  });

  it('are taken as the API has them', () => {
    const cleanupPolicies = {
      old: { id: 'old', action: 'DELETE', condition: { tagState: 'ANY', olderThan: '2592000s' } },
    };
    expect(importGar({ name: 'r', cleanupPolicies }, TARGET).policies).toEqual([
      {
        ...TARGET,
        retention: {
          tags: [{ match: ['*'], by: 'image', keepNewerThanDays: 30 }],
          untagged: [{ keepNewerThanDays: 30 }],
        },
      },
    ]);
  });

  it.each([
    [[], /has none that deletes/],
    [
      [{ action: { type: 'Delete' }, condition: { olderThan: '90m' } }],
      /^0\.condition\.olderThan: 90m is no whole number of days/,
    ],
    [
      [{ action: { type: 'Delete' }, condition: { newerThan: '1d' } }],
      /^0\.condition\.newerThan: cannot be said/,
    ],
    [
      [{ action: { type: 'Delete' }, condition: { versionNamePrefixes: ['a'] } }],
      /^0\.condition\.versionNamePrefixes: is not known/,
    ],
    [{ x: { action: 'KEPT' } }, /^x\.action: is neither Delete nor Keep/],
  ])('that cannot be said are refused with their place: %j', (policy, message) => {
    expect(() => importGar(policy, TARGET)).toThrow(message);
  });
});

/** That is refused where it is set. */
const deletesAll = ({ retention }: Imported['policies'][number]) =>
  faultsIn(retention as Retention).some(({ message }) => message.startsWith('deletes every tag'));

const ages = fc.integer({ min: 1, max: 15 }).map((days) => `${days}d`);
const condition = (age: 'olderThan' | 'newerThan') =>
  fc.record(
    {
      tagState: fc.constantFrom('any', 'tagged', 'untagged'),
      packageNamePrefixes: fc.constantFrom(['web'], ['mobile'], ['webapp/x', 'mobile']),
      [age]: ages,
    },
    { requiredKeys: [] },
  );
const withTags = (age: 'olderThan' | 'newerThan') =>
  fc
    .tuple(condition(age), fc.subarray(['alpha', 'b', 'release'], { minLength: 1 }))
    .map(([rest, tagPrefixes]) => ({
      ...{ ...rest, tagState: 'tagged', tagPrefixes },
    }));
const deleting = fc
  .oneof(condition('olderThan'), withTags('olderThan'))
  .map((each) => ({ action: { type: 'Delete' }, condition: each }));
const keeping = fc.oneof(
  fc
    .oneof(condition('newerThan'), withTags('newerThan'))
    .map((each) => ({ action: { type: 'Keep' }, condition: each })),
  fc
    .integer({ min: 1, max: 3 })
    .map((keepCount) => ({ action: { type: 'Keep' }, mostRecentVersions: { keepCount } })),
);
const cleanups: fc.Arbitrary<readonly Cleanup[]> = fc
  .tuple(fc.array(deleting, { minLength: 1, maxLength: 3 }), fc.array(keeping, { maxLength: 3 }))
  .map(
    ([deletes, keeps]) =>
      [...keeps, ...deletes].map((each, index) => ({ name: `${index}`, ...each })) as Cleanup[],
  );

function cleanedBy(policies: readonly Cleanup[], images: readonly MadeImage[], name: string): string[] {
  const isPackage = (list: readonly string[] | undefined) =>
    !list || list.some((prefix) => name.startsWith(prefix));
  const matches = ({ condition, mostRecentVersions }: Cleanup, each: MadeImage) => {
    if (mostRecentVersions) {
      const newer = images.filter(({ days }) => days < each.days).length;
      return isPackage(mostRecentVersions.packageNamePrefixes) && newer < mostRecentVersions.keepCount;
    }
    const { tagState = 'any', tagPrefixes, packageNamePrefixes, olderThan, newerThan } = condition ?? {};
    const isState = tagState === 'any' || (tagState === 'tagged') === each.tags.length > 0;
    const hasTag =
      !tagPrefixes || each.tags.some((tag) => tagPrefixes.some((prefix) => tag.startsWith(prefix)));
    const isOld = olderThan === undefined || each.days >= Number.parseInt(olderThan, 10);
    const isNew = newerThan === undefined || each.days < Number.parseInt(newerThan, 10);
    return isPackage(packageNamePrefixes) && isState && hasTag && isOld && isNew;
  };
  const by = (type: string, each: MadeImage) =>
    policies.some((policy) => policy.action.type === type && matches(policy, each));
  return images.filter((each) => by('Delete', each) && !by('Keep', each)).map(({ name: each }) => each);
}

interface HarborRule {
  readonly template: string;
  readonly count: number;
  readonly pattern: string;
  readonly untagged: boolean;
}

const harbor = (rules: readonly HarborRule[], scope = '**') => ({
  id: 1,
  algorithm: 'or',
  rules: rules.map(({ template, count, pattern, untagged }) => ({
    ...{ action: 'retain', template, params: { [template]: count }, disabled: false },
    tag_selectors: [
      { kind: 'doublestar', decoration: 'matches', pattern, extras: JSON.stringify({ untagged }) },
    ],
    scope_selectors: { repository: [{ kind: 'doublestar', decoration: 'repoMatches', pattern: scope }] },
  })),
});

describe('a retention of Harbor', () => {
  const rules: fc.Arbitrary<readonly HarborRule[]> = fc.array(
    fc.record({
      template: fc.constantFrom('latestPushedK', 'latestPulledN', 'nDaysSinceLastPush', 'always'),
      count: fc.integer({ min: 1, max: 4 }),
      pattern: fc.constantFrom('**', 'alpha-*', '{alpha,beta}-*', 'v[0-9]*'),
      untagged: fc.boolean(),
    }),
    { minLength: 1, maxLength: 3 },
  );

  it('does on generated artifacts what a plain reading of the documentation does', () => {
    fc.assert(
      fc.property(worlds, rules, (images, given) => {
        const pulled = images.map((each, index) => ({
          ...each,
          pulledDays: Math.min(each.days, index + 0.5),
        }));
        expect(gone(importHarbor(harbor(given), TARGET), pulled)).toEqual(notRetainedBy(given, pulled));
      }),
      { numRuns: Number(process.env['RETENTION_RUNS'] ?? 400) },
    );
  });

  it('covers the repositories of its project that the rules name, and is a policy for each set of them', () => {
    const both = { rules: [...harbor([LAST], 'web/{a,b}').rules, ...harbor([LAST], '**').rules] };
    const { policies } = importHarbor(both, { name: 'p', repositories: ['team-a/*'] });
    expect(policies.map(({ name, repositories }) => [name, repositories])).toEqual([
      ['p-1', ['team-a/web/a', 'team-a/web/b']],
      ['p-2', ['team-a/*']],
    ]);
  });

  it.each([
    [{ rules: [] }, /^rules: has none that is in force/],
    [harbor([{ ...LAST, template: 'nothing' }]), /^rules\.0\.template: nothing cannot be said/],
    [harbor([LAST], 'web-[a-z]'), /only \* can be said of repositories/],
    [harbor([{ ...LAST, pattern: '{a,b}'.repeat(12) }]), /stands for more than 100 patterns/],
    [harbor([{ ...LAST, count: -1 }]), /^rules\.0\.params\.latestPushedK: is no whole number/],
  ])('that cannot be said is refused with its place: %j', (policy, message) => {
    expect(() => importHarbor(policy, TARGET)).toThrow(message);
  });
});

const LAST: HarborRule = { template: 'latestPushedK', count: 3, pattern: '**', untagged: true };

/** What some rule selects and retains stays, with all its tags; all else goes. */
function notRetainedBy(
  rules: readonly HarborRule[],
  images: readonly (MadeImage & { pulledDays: number })[],
): string[] {
  const tagged: Readonly<Record<string, RegExp>> = {
    '**': /./,
    'alpha-*': /^alpha-/,
    '{alpha,beta}-*': /^(alpha|beta)-/,
    'v[0-9]*': /^v[0-9]/,
  };
  const retains = (
    { template, count, pattern, untagged }: HarborRule,
    each: MadeImage & { pulledDays: number },
  ) => {
    const isSelected = ({ tags }: MadeImage) =>
      tags.length === 0 ? untagged : tags.some((tag) => tagged[pattern]?.test(tag));
    const selected = images.filter(isSelected);
    if (!selected.includes(each)) return false;
    // Of what has no tag, the last pull is part of its age: the import says so.
    const age = ({ tags, days, pulledDays }: typeof each) => (tags.length === 0 ? pulledDays : days);
    if (template === 'latestPushedK')
      return selected.filter((other) => age(other) < age(each)).length < count;
    if (template === 'latestPulledN')
      return selected.filter((other) => other.pulledDays < each.pulledDays).length < count;
    return template === 'always' || age(each) < count;
  };
  return images.filter((each) => !rules.some((rule) => retains(rule, each))).map(({ name }) => name);
}
