import { anyGlobOf, grouperOf } from '../oci/glob.ts';
import type { Tag } from '../oci/reference.ts';
import { parseVersion } from '../oci/version.ts';
import { isImmutable, type Policy } from '../registry/policies.ts';
import {
  type Among,
  MAX_PLACES,
  type TagRule,
  type UntaggedRule,
  type Where,
} from '../registry/retention-policy.ts';
import type { ImageFacts } from './rule-facts.ts';

type Matches = (text: string) => boolean;

/** The clauses of a rule that give places, each with a ranking of its own. */
export interface Counting {
  /** Absent where it gives more places than can be ranked: then it keeps all. */
  readonly ranking?: number;
  readonly by: 'time' | 'pull' | 'version';
  readonly places: number;
}

interface Compiled {
  readonly policy: string;
  /** Of the policy's rules for tags, or of those for untagged manifests. */
  readonly index: number;
  readonly counts: readonly Counting[];
  readonly among: { readonly tags: Matches | undefined; readonly untagged: boolean } | undefined;
  readonly isImage: ((image: ImageFacts) => boolean) | undefined;
}

export interface CompiledTagRule extends Compiled {
  readonly rule: TagRule;
  readonly matches: Matches;
  /** What it is not about: what it says itself, and of a team's rule what an admin of the registry has made immutable. */
  readonly excepts: Matches;
  readonly hasExcepts: boolean;
  readonly with: readonly Matches[];
  readonly byImage: boolean;
  /** `undefined` for a tag to which the rule does not apply. */
  readonly groupOf: (tag: string) => string | undefined;
}

export interface CompiledUntaggedRule extends Compiled {
  readonly rule: UntaggedRule;
}

export interface CompiledRules {
  readonly pins: readonly { readonly policy: string; readonly matches: Matches }[];
  readonly tags: readonly CompiledTagRule[];
  readonly untagged: readonly CompiledUntaggedRule[];
  /** Of each ranking. */
  readonly places: readonly number[];
}

/** What the policies say, ready to be asked of each tag. */
export function compile(policies: readonly Policy[]): CompiledRules {
  const places: number[] = [];
  const guards = policies.filter(({ isTeams, immutable }) => !isTeams && immutable);
  const countings = (rule: TagRule): Counting[] => {
    const clauses = [
      ['time', rule.keepLast],
      ['pull', rule.keepLastPulled],
      ['version', rule.keepHighest],
    ] as const;
    return clauses.flatMap(([by, count]) => {
      if (count === undefined) return [];
      return [{ by, places: count, ...(count <= MAX_PLACES && { ranking: places.push(count) - 1 }) }];
    });
  };
  const rulesOf = <R, C>(
    of: (policy: Policy) => readonly R[],
    compiled: (rule: R, policy: Policy, index: number) => C,
  ) => policies.flatMap((policy) => of(policy).map((rule, index) => compiled(rule, policy, index)));
  return {
    pins: rulesOf(
      ({ retention }) => (retention?.pins ? [retention.pins] : []),
      (pins, { name }) => ({ policy: name, matches: anyGlobOf(pins) }),
    ),
    tags: rulesOf(
      ({ retention }) => retention?.tags ?? [],
      (rule, { name, isTeams }, index) => ({
        ...tagRuleOf(rule, isTeams ? guards : []),
        ...commonOf(rule),
        policy: name,
        index,
        counts: countings(rule),
      }),
    ),
    untagged: rulesOf(untaggedRules, (rule, { name: policy }, index) => ({
      ...{ rule, policy, index, counts: countings({ ...rule, match: [] }) },
      ...commonOf(rule),
    })),
    places,
  };
}

function untaggedRules({ retention }: Policy): readonly UntaggedRule[] {
  const { untagged = [], untaggedAfterDays: days } = retention ?? {};
  return days === undefined ? untagged : [...untagged, { keepNewerThanDays: days }];
}

function tagRuleOf(rule: TagRule, guards: readonly Policy[]) {
  const excepts = anyGlobOf(rule.except ?? []);
  return {
    rule,
    matches: anyGlobOf(rule.match),
    excepts: (tag: string) => excepts(tag) || isImmutable(guards, tag as Tag),
    hasExcepts: rule.except !== undefined || guards.length > 0,
    with: (rule.with ?? []).map((pattern) => anyGlobOf([pattern])),
    byImage: rule.by === 'image',
    groupOf: groupsOf(rule),
  };
}

function groupsOf({ per, keepHighest }: TagRule): (tag: string) => string | undefined {
  if (per === 'major' || per === 'minor') return (tag) => parseVersion(tag)?.[per];
  const group = per === undefined ? () => '' : grouperOf(per);
  return keepHighest === undefined ? group : (tag) => parseVersion(tag) && group(tag);
}

function commonOf({ among, where }: { readonly among?: Among; readonly where?: Where }) {
  return {
    among: among && { tags: among.tags && anyGlobOf(among.tags), untagged: among.untagged ?? false },
    isImage: where && imageMatcher(where),
  };
}

function imageMatcher({
  labels,
  annotations,
  artifactTypes,
  mediaTypes,
}: Where): (image: ImageFacts) => boolean {
  const values = (wanted: Where['labels'] = {}) =>
    Object.entries(wanted).map(([key, patterns]) => ({ key, matches: anyGlobOf(patterns) }));
  const [wantedLabels, wantedAnnotations] = [values(labels), values(annotations)];
  const has = (found: ImageFacts['labels'], wanted: ReturnType<typeof values>) =>
    wanted.every(
      ({ key, matches }) => found !== undefined && Object.hasOwn(found, key) && matches(found[key] ?? ''),
    );
  const types = artifactTypes && anyGlobOf(artifactTypes);
  const media = mediaTypes && anyGlobOf(mediaTypes);
  return (image) =>
    has(image.labels, wantedLabels) &&
    has(image.annotations, wantedAnnotations) &&
    (!types || (image.artifactType !== undefined && types(image.artifactType))) &&
    (!media || media(image.mediaType));
}
