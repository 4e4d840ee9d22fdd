import type { TagRule, UntaggedRule } from '../../api/types.ts';
import {
  type Clauses,
  countAt,
  type Imported,
  type Json,
  listAt,
  objectAt,
  refuse,
  type Target,
} from './imported.ts';

// https://goharbor.io/docs/2.12.0/working-with-projects/working-with-images/create-tag-retention-rules/: what no rule of a repository
// retains is deleted; an artifact is retained with all its tags.

interface Rule {
  readonly place: string;
  readonly scope: Pick<Imported['policies'][number], 'repositories' | 'exceptRepositories'>;
  readonly patterns: readonly string[];
  readonly excludes: boolean;
  readonly untagged: boolean;
  readonly clause: Clauses;
}

/** As `GET /api/v2.0/retentions/<id>` answers it. */
export function importHarbor(content: Json, { name, repositories }: Target): Imported {
  const all = listAt(content['rules'], 'rules').map((rule, index) => ({
    rule: objectAt(rule, `rules.${index}`),
    place: `rules.${index}`,
  }));
  const rules = all
    .filter(({ rule }) => rule['disabled'] !== true)
    .map(({ rule, place }) => ruleAt(rule, place, repositories));
  if (rules.length === 0) refuse('rules', 'has none that is in force');
  const scopes = [...new Set(rules.map(({ scope }) => JSON.stringify(scope)))];
  const policies = scopes.map((scope, index) => ({
    name: scopes.length === 1 ? name : `${name}-${index + 1}`,
    ...(JSON.parse(scope) as Rule['scope']),
    retention: retentionOf(rules.filter((rule) => JSON.stringify(rule.scope) === scope)),
  }));
  return { policies, notes: [...new Set(rules.flatMap(notesOf))] };
}

function retentionOf(rules: readonly Rule[]) {
  const untagged = rules.filter((rule) => rule.untagged).map(untaggedRuleOf);
  return {
    tags: [...rules.map(tagRuleOf), { match: ['*'], by: 'image' as const, keepNone: true as const }],
    untagged: [...untagged, { keepNone: true as const }],
  };
}

function tagRuleOf({ patterns, excludes, untagged, clause }: Rule): TagRule {
  if (excludes) return { match: ['*'], except: [...patterns], ...clause };
  const counts = 'keepLast' in clause || 'keepLastPulled' in clause;
  return {
    ...{ match: [...patterns], by: 'image', ...clause },
    ...(counts && { among: { tags: [...patterns], ...(untagged && { untagged }) } }),
  };
}

function untaggedRuleOf({ patterns, clause, place, excludes }: Rule): UntaggedRule {
  const { keepPulledWithinDays: pulled, ...rest } = clause;
  if (pulled !== undefined) return { keepNewerThanDays: pulled }; // the last pull is part of its age
  const counts = 'keepLast' in clause || 'keepLastPulled' in clause;
  if (counts && excludes)
    refuse(
      `${place}.tag_selectors`,
      'counts what it does not exclude together with untagged artifacts: turn "untagged" off, or match instead',
    );
  return { ...rest, ...(counts && { among: { tags: [...patterns], untagged: true } }) };
}

function notesOf({ place, excludes, clause }: Rule): string[] {
  const notes = [
    'artifacts without a tag are as old as their push, the loss of the last tag, or the last pull, whichever is latest',
  ];
  if (excludes)
    notes.push(`${place} excludes tags: here it counts and keeps tags, there artifacts with all their tags`);
  if ('keepPulledWithinDays' in clause || 'keepLastPulled' in clause)
    notes.push(`${place}: what was never pulled counts from its push; there it is not retained`);
  return notes;
}

function ruleAt(rule: Json, place: string, repositories: readonly string[]): Rule {
  if ((rule['action'] ?? 'retain') !== 'retain') refuse(`${place}.action`, 'is not retain');
  const [selector, ...others] = listAt(rule['tag_selectors'] ?? [], `${place}.tag_selectors`).map((each) =>
    objectAt(each, `${place}.tag_selectors`),
  );
  if (others.length > 0) refuse(`${place}.tag_selectors`, 'has several that must all match: one can be said');
  const excludes = selector?.['decoration'] === 'excludes';
  const extras = JSON.parse(String(selector?.['extras'] || '{}')) as { readonly untagged?: boolean };
  const flag = extras.untagged ?? !excludes;
  return {
    place,
    scope: scopeOf(rule, place, repositories),
    patterns: globsOf(String(selector?.['pattern'] ?? '**'), `${place}.tag_selectors`),
    excludes,
    untagged: excludes ? !flag : flag,
    clause: clauseOf(rule, place),
  };
}

function clauseOf(rule: Json, place: string): Clauses {
  const template = String(rule['template']);
  const params = objectAt(rule['params'] ?? {}, `${place}.params`);
  const count = () =>
    countAt(params[template], `${place}.params.${template}`) ||
    refuse(`${place}.params.${template}`, 'of 0 cannot be said');
  switch (template) {
    case 'always':
      return { keepNewerThanDays: 36_500 };
    case 'latestPushedK':
      return { keepLast: count() };
    case 'latestPulledN':
      return { keepLastPulled: count() };
    case 'nDaysSinceLastPush':
      return { keepNewerThanDays: count() };
    case 'nDaysSinceLastPull':
      return { keepPulledWithinDays: count() };
    default:
      return refuse(`${place}.template`, `${template} cannot be said`);
  }
}

/** Names of Harbor's rules are without the project's; `team-a/*` says which that is. */
function scopeOf(rule: Json, place: string, repositories: readonly string[]): Rule['scope'] {
  const scopes = objectAt(rule['scope_selectors'] ?? {}, `${place}.scope_selectors`);
  const selectors = listAt(scopes['repository'] ?? [], `${place}.scope_selectors.repository`).map((each) =>
    objectAt(each, place),
  );
  const under = (selector: Json) =>
    globsOf(String(selector['pattern']), `${place}.scope_selectors.repository`).flatMap((pattern) => {
      if (/[?[]/.test(pattern))
        refuse(`${place}.scope_selectors.repository`, `${pattern}: only * can be said of repositories`);
      return repositories.map((base) => (base.endsWith('*') ? `${base.slice(0, -1)}${pattern}` : base));
    });
  const [wanted, unwanted] = ['repoMatches', 'repoExcludes'].map((kind) =>
    selectors.filter(({ decoration }) => decoration === kind).flatMap(under),
  );
  return {
    repositories: wanted && wanted.length > 0 ? wanted : [...repositories],
    ...(unwanted && unwanted.length > 0 && { exceptRepositories: unwanted }),
  };
}

const MOST = 100;

/** A pattern of doublestar in ours: `{a,b}` is two. */
function globsOf(pattern: string, place: string): string[] {
  if (pattern.includes('\\')) refuse(place, `${pattern}: escapes cannot be said`);
  const waiting = [pattern.replaceAll('**', '*')];
  const done: string[] = [];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [whole, choices] = /\{([^{}]*)\}/.exec(next) ?? [];
    if (whole === undefined || choices === undefined) done.push(next);
    else
      for (const choice of choices.split(',').toReversed()) waiting.push(next.replace(whole, () => choice));
    if (done.length + waiting.length > MOST) refuse(place, `stands for more than ${MOST} patterns`);
  }
  return done;
}
