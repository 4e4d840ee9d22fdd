import type { Policy, TagRule, UntaggedRule } from '../../api/types.ts';
import {
  countAt,
  type Imported,
  type Json,
  objectAt,
  prefixPattern,
  type Retention,
  refuse,
  refuseOthers,
  type Target,
  textsAt,
} from './imported.ts';

// https://cloud.google.com/artifact-registry/docs/repositories/cleanup-policy-overview: a version goes that one delete policy matches and
// no keep policy; it is matched with all its tags. Packages are repositories here.

interface Cleanup {
  readonly place: string;
  readonly keeps: boolean;
  readonly packages: readonly string[];
  readonly tagged: boolean;
  readonly untagged: boolean;
  /** Patterns of tags; without any, all. */
  readonly tags: readonly string[];
  /** Delete: what is older; 0 for all. Keep: what is newer; absent for all. */
  readonly days: number | undefined;
  /** Keep: so many versions that are the newest. */
  readonly newest: number | undefined;
}

/** The file of `set-cleanup-policies`, or `cleanupPolicies` of a repository as the API has them. */
export function importGar(content: unknown, target: Target): Imported {
  const cleanups = policiesIn(content).map(([value, place]) => cleanupAt(value, place));
  if (!cleanups.some(({ keeps }) => !keeps)) refuse('policies', 'has none that deletes: nothing would go');
  const prefixes = [...new Set(['', ...cleanups.flatMap(({ packages }) => packages)])].toSorted();
  const found = prefixes.flatMap((prefix) => {
    const applying = cleanups.filter(
      ({ packages }) => packages.length === 0 || packages.some((each) => prefix.startsWith(each)),
    );
    const retention = retentionOf(applying);
    return retention ? [{ retention, ...packagesOf(prefix, prefixes, target) }] : [];
  });
  const policies = merged(found).map((policy, index, all) => ({
    name: all.length === 1 ? target.name : `${target.name}-${index + 1}`,
    ...policy,
  }));
  const notes = [
    'an image without a tag is as old as its push, the loss of its last tag, or its last pull, whichever is latest',
  ];
  return { policies, notes: policies.some(({ retention }) => retention.untagged) ? notes : [] };
}

function policiesIn(content: unknown): (readonly [unknown, string])[] {
  const { cleanupPolicies = content } = (content ?? {}) as { readonly cleanupPolicies?: unknown };
  if (Array.isArray(cleanupPolicies)) return cleanupPolicies.map((value, index) => [value, `${index}`]);
  return Object.entries(objectAt(cleanupPolicies, 'policies')).map(([id, value]) => [value, id]);
}

type Covering = Pick<Policy, 'repositories' | 'exceptRepositories'>;

/** The packages that begin so, and not as a longer prefix does. */
function packagesOf(prefix: string, prefixes: readonly string[], { repositories }: Target): Covering {
  const longer = prefixes.filter((each) => each !== prefix && each.startsWith(prefix));
  const under = (each: string) =>
    repositories.map((base) => (base.endsWith('*') ? `${base.slice(0, -1)}${each}*` : base));
  return {
    repositories: under(prefix),
    ...(longer.length > 0 && { exceptRepositories: longer.flatMap(under) }),
  };
}

type Region = Covering & { readonly retention: Retention };

/** What says the same of several prefixes is one policy. */
function merged(regions: readonly Region[]): readonly Region[] {
  const done: Region[] = [];
  for (const region of regions) {
    const same = done.findIndex(
      ({ retention, exceptRepositories }) =>
        !exceptRepositories &&
        !region.exceptRepositories &&
        JSON.stringify(retention) === JSON.stringify(region.retention),
    );
    const before = done[same];
    if (before) done[same] = { ...before, repositories: [...before.repositories, ...region.repositories] };
    else done.push(region);
  }
  return done;
}

/** `undefined` where nothing would ever go. */
function retentionOf(cleanups: readonly Cleanup[]): Retention | undefined {
  const keeps = cleanups.filter((each) => each.keeps);
  const deletes = cleanups.filter((each) => !each.keeps);
  const whole = keeps.filter(({ days, newest }) => days === undefined && newest === undefined);
  const all = whole.filter(({ tags }) => tags.length === 0);
  const untagged = all.some((each) => each.untagged) ? [] : untaggedRules(deletes, keeps);
  const tags = all.some((each) => each.tagged) ? [] : tagRules(deletes, keeps);
  const pins = [...new Set(whole.flatMap((each) => each.tags))];
  if (tags.length + untagged.length === 0) return undefined;
  return {
    ...(pins.length > 0 && tags.length > 0 && { pins }),
    ...(tags.length > 0 && { tags }),
    ...(untagged.length > 0 && { untagged }),
  };
}

const AMONG = { tags: ['*'], untagged: true };

function newestOf(keeps: readonly Cleanup[]) {
  const counts = keeps.flatMap(({ newest }) => newest ?? []);
  return counts.length === 0 ? {} : { keepLast: Math.max(...counts), among: AMONG };
}

/** The one that deletes the earliest decides of an image, so the others leave out what it is about. */
function tagRules(deletes: readonly Cleanup[], keeps: readonly Cleanup[]): TagRule[] {
  const sorted = deletes.filter(({ tagged }) => tagged).toSorted((a, b) => (a.days ?? 0) - (b.days ?? 0));
  const rules: TagRule[] = [];
  const taken: string[] = [];
  for (const { tags, days = 0 } of sorted) {
    const match = (tags.length > 0 ? tags : ['*']).filter(
      (each) => !taken.includes(each) && !taken.includes('*'),
    );
    if (match.length === 0) continue;
    const about = { match, ...(taken.length > 0 && { except: [...taken] }), by: 'image' as const };
    rules.push(...keeping(about, days, keeps));
    taken.push(...match);
  }
  return rules;
}

/** A rule for what a delete policy is about, and one for each tag that something keeps while it is new. */
function keeping(
  about: Pick<TagRule, 'match' | 'except' | 'by'>,
  days: number,
  keeps: readonly Cleanup[],
): TagRule[] {
  const aged = keeps.filter(({ tagged, days: newer }) => tagged && newer !== undefined);
  const everywhere = aged.filter(({ tags }) => tags.length === 0).map(({ days: newer = 0 }) => newer);
  const newer = Math.max(days, ...everywhere);
  const clauses = { ...(newer > 0 && { keepNewerThanDays: newer }), ...newestOf(keeps) };
  const some = aged.flatMap(({ tags, days: each = 0 }) =>
    tags.map((tag): TagRule => ({ ...about, with: [tag], keepNewerThanDays: each })),
  );
  return [{ ...about, ...(Object.keys(clauses).length > 0 ? clauses : { keepNone: true }) }, ...some];
}

function untaggedRules(deletes: readonly Cleanup[], keeps: readonly Cleanup[]): UntaggedRule[] {
  const ages = deletes.filter(({ untagged }) => untagged).map(({ days = 0 }) => days);
  if (ages.length === 0) return [];
  const kept = keeps.filter(({ untagged }) => untagged).flatMap(({ days }) => days ?? []);
  const days = Math.max(Math.min(...ages), ...kept);
  const clauses = { ...(days > 0 && { keepNewerThanDays: days }), ...newestOf(keeps) };
  return [Object.keys(clauses).length > 0 ? clauses : { keepNone: true }];
}

function cleanupAt(value: unknown, place: string): Cleanup {
  const policy = objectAt(value, place);
  refuseOthers(policy, ['name', 'id', 'action', 'condition', 'mostRecentVersions'], place);
  const { action } = policy;
  const type = String(
    typeof action === 'object' && action !== null ? (action as Json)['type'] : action,
  ).toLowerCase();
  if (type !== 'delete' && type !== 'keep') refuse(`${place}.action`, 'is neither Delete nor Keep');
  const keeps = type === 'keep';
  const recent = policy['mostRecentVersions'];
  if (recent === undefined) return conditionAt(policy['condition'] ?? {}, keeps, place);
  if (!keeps || policy['condition'] !== undefined)
    refuse(place, 'mostRecentVersions stands alone in a policy that keeps');
  return newestAt(objectAt(recent, `${place}.mostRecentVersions`), place);
}

function newestAt(recent: Json, place: string): Cleanup {
  refuseOthers(recent, ['packageNamePrefixes', 'keepCount'], `${place}.mostRecentVersions`);
  const packages = textsAt(recent['packageNamePrefixes'], `${place}.mostRecentVersions.packageNamePrefixes`);
  const newest = countAt(recent['keepCount'], `${place}.mostRecentVersions.keepCount`);
  if (newest === 0) refuse(`${place}.mostRecentVersions.keepCount`, 'of 0 keeps nothing');
  return { place, keeps: true, packages, tagged: true, untagged: true, tags: [], days: undefined, newest };
}

function conditionAt(value: unknown, keeps: boolean, place: string): Cleanup {
  const at = `${place}.condition`;
  const condition = objectAt(value, at);
  refuseOthers(condition, ['tagState', 'tagPrefixes', 'packageNamePrefixes', 'olderThan', 'newerThan'], at);
  const wrong = keeps ? 'olderThan' : 'newerThan';
  if (condition[wrong] !== undefined)
    refuse(
      `${at}.${wrong}`,
      keeps
        ? 'cannot be said: what is kept is kept from its push on'
        : 'cannot be said: what goes, goes when it is old',
    );
  const state = String(condition['tagState'] ?? 'any')
    .toLowerCase()
    .replace('tag_state_unspecified', 'any');
  if (!['any', 'tagged', 'untagged'].includes(state))
    refuse(`${at}.tagState`, 'is none of any, tagged, untagged');
  const tags = textsAt(condition['tagPrefixes'], `${at}.tagPrefixes`).map(prefixPattern);
  const days = daysAt(
    condition[keeps ? 'newerThan' : 'olderThan'],
    `${at}.${keeps ? 'newerThan' : 'olderThan'}`,
  );
  return {
    ...{ place, keeps, tags, days, newest: undefined },
    packages: textsAt(condition['packageNamePrefixes'], `${at}.packageNamePrefixes`),
    tagged: state !== 'untagged',
    untagged: state !== 'tagged' && tags.length === 0,
  };
}

const SECONDS = { d: 86_400, h: 3600, m: 60, s: 1 } as const;

function daysAt(value: unknown, place: string): number | undefined {
  if (value === undefined) return undefined;
  const [, number, unit] = /^(\d+)([dhms])$/.exec(String(value)) ?? [];
  const days = (Number(number) * SECONDS[(unit ?? 'd') as keyof typeof SECONDS]) / SECONDS.d;
  return Number.isInteger(days) ? days : refuse(place, `${value} is no whole number of days`);
}
