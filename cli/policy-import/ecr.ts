import type { TagRule, UntaggedRule } from '../../api/types.ts';
import {
  type Clauses,
  countAt,
  type Imported,
  type Json,
  listAt,
  objectAt,
  prefixPattern,
  refuse,
  refuseOthers,
  type Target,
  textsAt,
} from './imported.ts';

// https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html: all rules are looked at together; an image that
// meets what a rule asks of its tags is never deleted by a rule behind it, but counts there.

interface Rule {
  readonly place: string;
  readonly priority: number;
  readonly status: 'tagged' | 'untagged' | 'any';
  /** All of which a tag of the image must match. */
  readonly patterns: readonly string[];
  readonly clause: Clauses;
  readonly counts: boolean;
}

const ALL = { tags: ['*'], untagged: true };

/** A lifecycle policy, or the answer of `get-lifecycle-policy` that has it. */
export function importEcr(content: Json, { name, repositories }: Target): Imported {
  const { lifecyclePolicyText: text } = content;
  const policy = typeof text === 'string' ? objectAt(JSON.parse(text), 'lifecyclePolicyText') : content;
  const all = listAt(policy['rules'], 'rules')
    .map(ruleAt)
    .toSorted((a, b) => a.priority - b.priority)
    .map((rule, index, rules) => ({ rule, before: rules.slice(0, index) }));
  const idle = all.flatMap(({ rule, before }) => {
    const first = before.find((each) => takesAllOf(each, rule));
    return first ? [`${rule.place} never deletes anything: ${first.place} comes first`] : [];
  });
  const acting = all.filter(({ rule, before }) => !before.some((each) => takesAllOf(each, rule)));
  const tags = acting.flatMap(({ rule, before }) =>
    rule.status === 'untagged' ? [] : [tagRuleOf(rule, before)],
  );
  const untagged = acting.flatMap(({ rule, before }) => {
    const isClaimed = before.some(({ status }) => status !== 'tagged');
    return rule.status === 'tagged' || isClaimed ? [] : [untaggedRuleOf(rule)];
  });
  const retention = { ...(tags.length > 0 && { tags }), ...(untagged.length > 0 && { untagged }) };
  const notes = untagged.length > 0 ? [UNTAGGED_AGE, ...idle] : idle;
  return { policies: [{ name, repositories: [...repositories], retention }], notes };
}

const UNTAGGED_AGE =
  'an image without a tag is as old as its push, the loss of its last tag, or its last pull, whichever is latest';

function takesAllOf(first: Rule, second: Rule): boolean {
  if (first.status !== second.status) return first.status === 'any';
  if (first.status !== 'tagged') return true;
  return first.patterns.every((pattern) => second.patterns.includes(pattern));
}

function tagRuleOf(rule: Rule, before: readonly Rule[]): TagRule {
  const [first = '*', ...others] = rule.patterns;
  const several = before.find(({ patterns }) => patterns.length > 1);
  if (several)
    refuse(
      several.place,
      `asks for several tags on one image, and ${rule.place} comes after it: put it last, or into a policy of its own`,
    );
  const except = before.flatMap(({ patterns }) => patterns);
  const counted = rule.status === 'any' ? ALL : { tags: [first] };
  if (rule.counts && others.length > 0 && except.length > 0)
    refuse(
      rule.place,
      'counts images with several tags, behind another rule: put it first, or into a policy of its own',
    );
  return {
    match: [first],
    ...(except.length > 0 && { except }),
    ...(others.length > 0 && { with: others }),
    by: 'image',
    ...rule.clause,
    ...(rule.counts && others.length === 0 && { among: counted }),
  };
}

function untaggedRuleOf({ clause, counts, status, place }: Rule): UntaggedRule {
  const { keepPulledWithinDays: pulled, ...rest } = clause;
  if (pulled !== undefined) return { keepNewerThanDays: pulled }; // the last pull is part of its age
  if (counts && status === 'any') return { ...rest, among: ALL };
  return Object.keys(rest).length > 0 ? rest : refuse(place, 'cannot be said of images without a tag');
}

function ruleAt(value: unknown, index: number): Rule {
  const place = `rules.${index}`;
  const rule = objectAt(value, place);
  refuseOthers(rule, ['rulePriority', 'description', 'selection', 'action'], place);
  const action = objectAt(rule['action'], `${place}.action`);
  if (action['type'] !== 'expire')
    refuse(
      `${place}.action.type`,
      `${action['type']} is not known: there is no archive, only what is kept and what expires`,
    );
  const selection = objectAt(rule['selection'], `${place}.selection`);
  const known = [
    'tagStatus',
    'tagPrefixList',
    'tagPatternList',
    'storageClass',
    'countType',
    'countUnit',
    'countNumber',
  ];
  refuseOthers(selection, known, `${place}.selection`);
  if ((selection['storageClass'] ?? 'standard') !== 'standard')
    refuse(`${place}.selection.storageClass`, 'there is one storage class');
  const status = selection['tagStatus'];
  if (status !== 'tagged' && status !== 'untagged' && status !== 'any')
    return refuse(`${place}.selection.tagStatus`, 'is none of tagged, untagged, any');
  const { clause, counts } = clauseOf(selection, `${place}.selection`);
  const priority = countAt(rule['rulePriority'], `${place}.rulePriority`);
  return { place, priority, status, patterns: patternsOf(selection, status, place), clause, counts };
}

function patternsOf(selection: Json, status: Rule['status'], place: string): readonly string[] {
  const prefixes = textsAt(selection['tagPrefixList'], `${place}.selection.tagPrefixList`);
  const patterns = textsAt(selection['tagPatternList'], `${place}.selection.tagPatternList`);
  const all = [...prefixes.map(prefixPattern), ...patterns];
  if (status !== 'tagged') return status === 'any' ? ['*'] : [];
  return all.length > 0 ? all : refuse(`${place}.selection`, 'needs tagPrefixList or tagPatternList');
}

function clauseOf(selection: Json, place: string): Pick<Rule, 'clause' | 'counts'> {
  const count = countAt(selection['countNumber'], `${place}.countNumber`);
  const type = selection['countType'];
  if (count === 0) refuse(`${place}.countNumber`, 'of 0 keeps nothing');
  if (type === 'imageCountMoreThan') return { clause: { keepLast: count }, counts: true };
  if ((selection['countUnit'] ?? 'days') !== 'days') refuse(`${place}.countUnit`, 'is not days');
  if (type === 'sinceImagePushed') return { clause: { keepNewerThanDays: count }, counts: false };
  if (type === 'sinceImagePulled') return { clause: { keepPulledWithinDays: count }, counts: false };
  return refuse(`${place}.countType`, `${type} cannot be said: there is no archive`);
}
