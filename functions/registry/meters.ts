import type { RepositoryName } from '../oci/reference.ts';
import type { Attributes, Key } from '../storage/table.ts';
import { sharedUsageKey, usageKey } from './keys.ts';
import { coverageOf, type QuotaLimits, type Rules } from './policies.ts';
import type { Registry } from './registry.ts';
import { KINDS, type Kind, repositoriesLike, type Totals } from './usage.ts';

interface Limit {
  readonly kind: Kind;
  readonly most: number;
  /** The name of the policy. */
  readonly policy: string;
}

/** One place where something is counted: a repository by itself, or all repositories of a policy together. */
export interface Meter {
  readonly key: Key;
  /** For people. */
  readonly scope: string;
  readonly limits: readonly Limit[];
  readonly repositories: (registry: Registry) => Promise<readonly RepositoryName[]>;
}

/** What a meter has counted. */
export interface Usage {
  readonly totals: Totals;
  /** `quotasSince` of the policies it was first counted under: it is of no use under others. */
  readonly since: number;
  /** Milliseconds since 1970: when it was last counted afresh. */
  readonly countedAt: number;
  /** How often it was; of two who count at once the second finds it changed. */
  readonly counts: number;
  /** How often that was begun; absent where manifests and uploads were not counted yet. */
  readonly begun: number | undefined;
}

/** The smallest limit of each kind decides, of a repository by itself; each policy counts for itself what its
 *  repositories have together. */
export function metersOf(name: RepositoryName, { policies }: Rules): Meter[] {
  const each = policies.flatMap(({ quota, ...policy }) => limitsOf(policy.name, quota?.each));
  const own = KINDS.flatMap((kind) => smallest(each.filter((limit) => limit.kind === kind)) ?? []);
  const single: Meter = {
    key: usageKey(name),
    scope: `in the repository ${name}`,
    limits: own,
    repositories: async () => [name],
  };
  const shared = policies.map((policy): Meter => {
    const covers = coverageOf(policy);
    return {
      key: sharedUsageKey(policy.name),
      scope: 'in all its repositories together',
      limits: limitsOf(policy.name, policy.quota?.together),
      repositories: (registry) => repositoriesLike(registry, covers),
    };
  });
  return [single, ...shared].filter(({ limits }) => limits.length > 0);
}

/** Whether any of the policies limits bytes. */
export const countsBytes = ({ policies }: Rules) =>
  policies.some(({ quota }) => (quota?.each?.bytes ?? quota?.together?.bytes) !== undefined);

const limitsOf = (policy: string, limits: QuotaLimits = {}): Limit[] =>
  KINDS.flatMap((kind) => {
    const most = limits[kind];
    return most === undefined ? [] : [{ kind, most, policy }];
  });

const smallest = ([first, ...rest]: readonly Limit[]): Limit | undefined =>
  first && rest.reduce((least, limit) => (limit.most < least.most ? limit : least), first);

/** As the table has it. */
export function usageIn(found: Attributes | undefined): Usage | undefined {
  if (!found) return undefined;
  return {
    totals: { bytes: found['bytes'] as number, tags: found['tags'] as number },
    since: found['since'] as number,
    countedAt: found['countedAt'] as number,
    counts: found['counts'] as number,
    begun: found['begun'] as number | undefined,
  };
}
