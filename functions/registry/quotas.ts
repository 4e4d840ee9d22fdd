import { quotaExceeded, quotasOverlap } from '../oci/errors.ts';
import { anyMatcherOf } from '../oci/pattern.ts';
import type { RepositoryName } from '../oci/reference.ts';
import { type Attributes, absent, atMost, equals, type Key, type Operation } from '../storage/table.ts';
import { policiesKey, sharedUsageKey, usageKey } from './keys.ts';
import { type QuotaLimits, type Rules, rulesIn } from './policies.ts';
import { LOST, untilWon } from './races.ts';
import type { Registry } from './registry.ts';
import { KINDS, type Kind, repositoriesLike, type Totals, totalsOf } from './usage.ts';

// What quotas have counted is never less than what there is. It is raised in the transaction that makes a link or a tag;
// deletes do not lower it. Before something is refused, it is counted afresh. docs/policies.md tells the whole of it.

/** Ours: how often a use that leaves no room is counted afresh. */
const RECOUNT_MS = 60_000;

/** Ours, and more than any request takes from reading the policies to its last write: only then has all that did not know
 *  of a quota yet been committed, and a count sees it. */
const SETTLE_MS = 60_000;

/** What is left of 100 operations a transaction beside 20 tags and a manifest. */
const MAX_METERS = 5;

interface Limit {
  readonly kind: Kind;
  readonly most: number;
  /** The name of the policy. */
  readonly policy: string;
}

/** One place where something is counted: a repository by itself, or all repositories of a policy together. */
interface Meter {
  readonly key: Key;
  /** For people. */
  readonly scope: string;
  readonly limits: readonly Limit[];
  readonly repositories: (registry: Registry) => Promise<readonly RepositoryName[]>;
}

/** What a meter has counted. */
interface Usage {
  readonly totals: Totals;
  /** `quotasSince` of the policies it was first counted under: it is of no use under others. */
  readonly since: number;
  /** Milliseconds since 1970: when it was last counted afresh. */
  readonly countedAt: number;
  /** How often it was; of two who count at once the second finds it changed. */
  readonly counts: number;
}

interface Ruled {
  readonly name: RepositoryName;
  readonly rules: Rules;
}

/** The operations that count what a push takes, each on condition that there is room; none where no quota covers the
 *  repository. DENIED where there is none, as far as is known; in a transaction that fails, read anew. */
export async function charge(
  registry: Registry,
  { name, rules }: Ruled,
  taken: Partial<Totals>,
): Promise<Operation[]> {
  const meters = metersOf(name, rules).filter(({ limits }) => limits.some(({ kind }) => taken[kind]));
  if (meters.length === 0) return [];
  if (meters.length > MAX_METERS) throw quotasOverlap(name, MAX_METERS - 1);
  const found = await registry.table.getMany(meters.map(({ key }) => key));
  const charges = meters.map((meter, index) =>
    chargeMeter({ registry, meter, since: rules.quotasSince }, usageIn(found[index]), taken),
  );
  return Promise.all(charges);
}

/** DENIED where a quota leaves no room for any blob: before a client sends one. */
export async function requireRoom(registry: Registry, name: RepositoryName): Promise<void> {
  const rules = rulesIn(await registry.table.get(policiesKey), name);
  await charge(registry, { name, rules }, { bytes: 1 });
}

/** The smallest limit of each kind decides, of a repository by itself; each policy counts for itself what its
 *  repositories have together. */
function metersOf(name: RepositoryName, { policies }: Rules): Meter[] {
  const each = policies.flatMap(({ quota, ...policy }) => limitsOf(policy.name, quota?.each));
  const own = KINDS.flatMap((kind) => smallest(each.filter((limit) => limit.kind === kind)) ?? []);
  const single: Meter = {
    key: usageKey(name),
    scope: `in the repository ${name}`,
    limits: own,
    repositories: async () => [name],
  };
  const shared = policies.map((policy): Meter => {
    const covers = anyMatcherOf(policy.repositories);
    return {
      key: sharedUsageKey(policy.name),
      scope: 'in all its repositories together',
      limits: limitsOf(policy.name, policy.quota?.together),
      repositories: (registry) => repositoriesLike(registry, covers),
    };
  });
  return [single, ...shared];
}

const limitsOf = (policy: string, limits: QuotaLimits = {}): Limit[] =>
  KINDS.flatMap((kind) => {
    const most = limits[kind];
    return most === undefined ? [] : [{ kind, most, policy }];
  });

const smallest = ([first, ...rest]: readonly Limit[]): Limit | undefined =>
  first && rest.reduce((least, limit) => (limit.most < least.most ? limit : least), first);

interface Metering {
  readonly registry: Registry;
  readonly meter: Meter;
  readonly since: number;
}

async function chargeMeter(
  metering: Metering,
  known: Usage | undefined,
  taken: Partial<Totals>,
): Promise<Operation> {
  const { meter } = metering;
  const limits = meter.limits.filter(({ kind }) => taken[kind]);
  const exceeded = ({ totals }: Usage) =>
    limits.find(({ kind, most }) => totals[kind] + (taken[kind] ?? 0) > most);
  let usage = isValid(metering, known) ? known : await count(metering);
  if (exceeded(usage)) usage = await count(metering);
  const limit = exceeded(usage);
  if (limit) {
    const { kind, most, policy } = limit;
    const [used, more] = [usage.totals[kind], taken[kind] ?? 0];
    throw quotaExceeded({ policy, kind, limit: most, used, more }, meter.scope);
  }
  return {
    update: meter.key,
    add: Object.fromEntries(limits.map(({ kind }) => [kind, taken[kind] ?? 0])),
    // Fails where there is no item, too: a policy that goes takes its own along.
    when: limits.map(({ kind, most }) => atMost(kind, most - (taken[kind] ?? 0))),
  };
}

/** What was counted under these policies, and not so soon after they were set that it may lack something for ever. */
function isValid({ registry, since }: Metering, usage: Usage | undefined): usage is Usage {
  if (usage?.since !== since) return false;
  const settled = since + SETTLE_MS;
  return usage.countedAt >= settled || registry.now() < settled;
}

const isOld = ({ now }: Registry, { countedAt }: Usage) => countedAt + RECOUNT_MS <= now();

/** Counts afresh, where that was not done of late. What is raised meanwhile may count twice, never not at all: the
 *  difference is added to what is there then. Of two who count at once one takes the other's outcome. */
async function count(metering: Metering): Promise<Usage> {
  const { registry, meter, since } = metering;
  return untilWon(registry, async () => {
    const before = usageIn(await registry.table.get(meter.key));
    if (isValid(metering, before) && !isOld(registry, before)) return before;
    const countedAt = registry.now();
    const counted = await totalsOf(registry, await meter.repositories(registry));
    const after: Usage = { totals: counted, since, countedAt, counts: (before?.counts ?? 0) + 1 };
    const { committed } = await registry.table.write([countOperation(meter.key, before, after)]);
    return committed ? after : LOST;
  });
}

function countOperation(key: Key, before: Usage | undefined, { totals, ...after }: Usage): Operation {
  if (!before) return { put: key, attributes: { ...totals, ...after }, when: [absent] };
  const when = [equals('counts', before.counts)];
  if (before.since !== after.since) return { put: key, attributes: { ...totals, ...after }, when };
  const difference = KINDS.map((kind) => [kind, totals[kind] - before.totals[kind]]);
  return { update: key, set: { ...after }, add: Object.fromEntries(difference), when };
}

function usageIn(found: Attributes | undefined): Usage | undefined {
  if (!found) return undefined;
  return {
    totals: { bytes: found['bytes'] as number, tags: found['tags'] as number },
    since: found['since'] as number,
    countedAt: found['countedAt'] as number,
    counts: found['counts'] as number,
  };
}
