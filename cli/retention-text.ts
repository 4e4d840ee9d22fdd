import type { Policy, TagRule, UntaggedRule } from '../api/types.ts';

type Fact = readonly [name: string, value: string | undefined];

/** What a policy says of retention, a line for each rule. */
export function retentionFacts(retention: Policy['retention']): readonly Fact[] {
  if (!retention) return [];
  const { pins, tags = [], untagged = [], untaggedAfterDays: days, ignorePullsBy, run } = retention;
  const goes = days === undefined ? 'stays' : `goes after ${days} days`;
  return [
    ['pinned', pins?.join(' ')],
    ...tags.map((rule): Fact => ['keeps', `of ${subjectText(rule)}: ${clausesText(rule)}`]),
    ...untagged.map((rule): Fact => ['untagged', `keeps ${clausesText(rule)}${whereText(rule)}`]),
    ['untagged', days === undefined && untagged.length > 0 ? undefined : goes],
    ['pulls without', ignorePullsBy?.join(' ')],
    ['at most', run?.maxDeletions === undefined ? undefined : `${run.maxDeletions} deletions a run`],
    ['hours', run?.hours && `${run.hours[0]} to ${run.hours[1]} UTC`],
  ];
}

function subjectText(rule: TagRule): string {
  const { match, except, by, with: others } = rule;
  const parts = [
    by === 'image' ? `images with ${match.join(' or ')}` : match.join(' '),
    others && `and ${others.join(' and ')}`,
    except && `but not ${except.join(' ')}`,
  ];
  return `${parts.filter(Boolean).join(' ')}${whereText(rule)}`;
}

const whereText = ({ where }: UntaggedRule) => (where ? ` where ${JSON.stringify(where)}` : '');

function clausesText(rule: UntaggedRule & Partial<TagRule>): string {
  const per = rule.per === undefined ? '' : ` per ${rule.per}`;
  const clauses = [
    rule.keepLast !== undefined && `the last ${rule.keepLast}${per}`,
    rule.keepLastPulled !== undefined && `the last pulled ${rule.keepLastPulled}${per}`,
    rule.keepHighest !== undefined && `the highest ${rule.keepHighest}${per}`,
    rule.keepNewerThanDays !== undefined && `newer than ${rule.keepNewerThanDays} days`,
    rule.keepPulledWithinDays !== undefined && `pulled within ${rule.keepPulledWithinDays} days`,
    rule.keepCreatedWithinDays !== undefined && `built within ${rule.keepCreatedWithinDays} days`,
    rule.keepNone && 'none',
  ];
  const among = rule.among ? ` (among ${amongText(rule.among)})` : '';
  return `${clauses.filter(Boolean).join(', or ')}${among}`;
}

function amongText({ tags, untagged }: NonNullable<UntaggedRule['among']>): string {
  return [tags && `tags ${tags.join(' ')}`, untagged && 'those without a tag'].filter(Boolean).join(' and ');
}
