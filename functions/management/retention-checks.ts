import { anyGlobOf } from '../oci/glob.ts';
import {
  MAX_PLACES,
  type Retention,
  type RunLimits,
  type TagRule,
  type UntaggedRule,
} from '../registry/retention-policy.ts';

/** A place in a retention, and what is wrong there, with the cure. */
export interface Fault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

const COUNTS = ['keepLast', 'keepLastPulled', 'keepHighest'] as const;
const AGES = ['keepNewerThanDays', 'keepPulledWithinDays', 'keepCreatedWithinDays'] as const;
const CLAUSES = [...COUNTS, ...AGES];
const UNTAGGED_CLAUSES = CLAUSES.filter((key) => key !== 'keepPulledWithinDays' && key !== 'keepHighest');

/** What each rule by itself may say, and makes no sense. What is stored from before is obeyed all the same. */
export function faultsIn(retention: Retention): readonly Fault[] {
  const { tags = [], untagged = [], untaggedAfterDays, run } = retention;
  return [
    ...tags.flatMap((rule, index) => faultsOf(rule, CLAUSES).map(under('tags', index))),
    ...tags.flatMap((rule, index) => tagFaults(rule, retention).map(under('tags', index))),
    ...untagged.flatMap((rule, index) => faultsOf(rule, UNTAGGED_CLAUSES).map(under('untagged', index))),
    ...untagged.flatMap((rule, index) => amongFaults(rule).map(under('untagged', index))),
    ...emptyRetention(retention),
    ...tooMany(retention),
    ...(untaggedAfterDays === 0
      ? [
          {
            path: ['untaggedAfterDays'],
            message: 'of 0 deletes a manifest as soon as it is pushed by digest: say 1 or more',
          },
        ]
      : []),
    ...windowFaults(run),
  ];
}

const under =
  (...path: readonly (string | number)[]) =>
  (fault: Fault): Fault => ({ ...fault, path: [...path, ...fault.path] });

/** Zeros keep nothing, and a rule needs something to say. */
function faultsOf(rule: TagRule | UntaggedRule, clauses: readonly string[]): Fault[] {
  const said = Object.entries(rule).filter(([key]) => clauses.includes(key));
  const zeros = said.filter(([, value]) => value === 0);
  const faults: Fault[] = zeros.map(([key]) => ({
    path: [key],
    message: 'of 0 keeps nothing: leave it out, or say "keepNone": true where that is meant',
  }));
  if (rule.keepNone && said.length > 0)
    faults.push({
      path: ['keepNone'],
      message: `contradicts ${said.map(([key]) => key).join(', ')}: leave one of them out`,
    });
  if (!rule.keepNone && said.length === 0)
    faults.push({ path: [], message: `needs at least one of ${clauses.join(', ')}, or "keepNone": true` });
  if (rule.among && !COUNTS.some((key) => said.some(([each]) => each === key)))
    faults.push({
      path: ['among'],
      message: 'says what is counted, but the rule counts nothing: leave it out',
    });
  return faults;
}

function amongFaults({ among }: UntaggedRule): Fault[] {
  if (!among || among.untagged) return [];
  return [
    { path: ['among', 'untagged'], message: 'must be true: the rule is about manifests without a tag' },
  ];
}

function tagFaults(rule: TagRule, { pins }: Retention): Fault[] {
  const { by, per, among, keepHighest, keepLast, keepLastPulled, match, except = [] } = rule;
  const counts = [keepHighest, keepLast, keepLastPulled].some((count) => count !== undefined);
  const hidden = match.findIndex(
    (pattern) => except.includes(pattern) || except.includes('*') || pins?.includes('*'),
  );
  const faults: (Fault | false)[] = [
    rule.with !== undefined &&
      by !== 'image' && { path: ['with'], message: 'needs "by": "image": one tag matches alone' },
    per !== undefined &&
      !counts && { path: ['per'], message: `needs one of ${COUNTS.join(', ')}: nothing else has places` },
    among?.untagged === true &&
      (per !== undefined || keepHighest !== undefined) && {
        path: ['among', 'untagged'],
        message:
          'has no meaning with per or keepHighest: a manifest without a tag has no version and no group',
      },
    among?.untagged === true &&
      by !== 'image' && {
        path: ['among', 'untagged'],
        message: 'needs "by": "image": it counts images, not tags',
      },
    hidden >= 0 && { path: ['match', hidden], message: 'can match nothing: pins or except take all of it' },
  ];
  return faults.filter((fault) => fault !== false);
}

/** A policy whose rules match every tag, keep none, and pin none, is a mistake, or a deletion of all by another name. */
function emptyRetention({ pins = [], tags = [] }: Retention): Fault[] {
  const isAll = (rule: TagRule) =>
    anyGlobOf(rule.match)('any-tag.0') && rule.match.includes('*') && !rule.except && !rule.where;
  const index = tags.findIndex((rule) => isAll(rule) && rule.keepNone);
  const isKept = pins.length > 0 || tags.some((rule) => !rule.keepNone);
  if (index < 0 || isKept) return [];
  const message =
    'deletes every tag, since it matches all and nothing is kept or pinned: delete the repositories, if that is meant';
  return [{ path: ['tags', index, 'keepNone'], message }];
}

/** What all rules may count together has room in a saved ranking. */
function tooMany({ tags = [], untagged = [] }: Retention): Fault[] {
  let places = 0;
  const rules = [
    ...tags.map((rule, index) => ({ rule, path: ['tags', index] })),
    ...untagged.map((rule, index) => ({
      rule: { ...rule, match: [] } as TagRule,
      path: ['untagged', index],
    })),
  ];
  for (const { rule, path } of rules) {
    for (const key of COUNTS) {
      places += (rule[key] ?? 0) * (key === 'keepHighest' ? 4 : 1);
      if (places <= MAX_PLACES) continue;
      const message = `is too large: all rules of a policy give ${MAX_PLACES} places at most, a place of keepHighest counts four times`;
      return [{ path: [...path, key], message }];
    }
  }
  return [];
}

function windowFaults({ hours }: RunLimits = {}): Fault[] {
  if (!hours || hours[0] !== hours[1]) return [];
  return [
    {
      path: ['run', 'hours'],
      message: 'begins and ends at one hour: leave it out where every hour is meant',
    },
  ];
}
