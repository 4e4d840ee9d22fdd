import { quotaExceeded, quotasOverlap } from '../oci/quota-errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import { absent, atMost, type Condition, equals, type Key, type Operation } from '../storage/table.ts';
import { policiesKey, usageKey } from './keys.ts';
import { type Meter, metersOf, type Usage, usageIn } from './meters.ts';
import { type Policy, quotasSinceIn, type Rules, rulesIn } from './policies.ts';
import { LOST, untilWon } from './races.ts';
import type { Registry } from './registry.ts';
import { KINDS, type Totals, totalsOf } from './usage.ts';

// What quotas have counted is never less than what there is. It is raised before bytes are taken, and in the transaction that
// makes a link, a manifest or a tag; lowered where bytes of an upload are gone. Deletes do not lower it: before something is refused,
// it is counted afresh. docs/policies.md tells the whole of it.

/** Ours: how often a use that leaves no room is counted afresh. */
const RECOUNT_MS = 60_000;

/** Ours, and more than any request takes from reading the policies to its last write: only then has all that did not know
 *  of a quota yet been committed, and a count sees it. */
const SETTLE_MS = 60_000;

/** What is left of 100 operations a transaction beside 20 tags and a manifest. */
const MAX_METERS = 5;

interface Ruled {
  readonly name: RepositoryName;
  readonly rules: Rules;
}

/** The operations that count what a push takes, each on condition that there is room, or give back where it is less than 0;
 *  none where no quota covers the repository. DENIED where there is no room, as far as is known; in a transaction that fails,
 *  read anew. */
export async function charge(
  registry: Registry,
  { name, rules }: Ruled,
  taken: Partial<Totals>,
): Promise<Operation[]> {
  const meters = metersOf(name, rules).filter(({ limits }) => limits.some(({ kind }) => taken[kind]));
  if (meters.length === 0) return [];
  const known = await usagesOf(registry, { name, rules }, meters);
  const charges = known.map((metering) => chargeMeter(metering, taken));
  return (await Promise.all(charges)).flat();
}

/** Bytes that the quotas have room for, as far as is known; DENIED where it is none. */
export async function requireRoom(registry: Registry, { name, rules }: Ruled): Promise<number> {
  const meters = metersOf(name, rules).filter(({ limits }) => limits.some(({ kind }) => kind === 'bytes'));
  if (meters.length === 0) return Number.POSITIVE_INFINITY;
  const known = await usagesOf(registry, { name, rules }, meters);
  const rooms = known.map(async (metering) => {
    const { totals } = await usageWithRoom(metering, { bytes: 1 });
    return Math.min(
      ...metering.meter.limits.flatMap(({ kind, most }) => (kind === 'bytes' ? most - totals.bytes : [])),
    );
  });
  return Math.min(...(await Promise.all(rooms)));
}

/** How much of a limit is in use. */
export interface QuotaUse {
  readonly policy: string;
  /** Of the repository by itself, or of all that the policy covers. */
  readonly scope: 'each' | 'together';
  readonly kind: 'bytes' | 'tags';
  readonly limit: number;
  /** At least what there is; absent where nothing was counted yet under the quotas of now. */
  readonly used?: number;
  /** Milliseconds since 1970: until then deletes have lowered it. */
  readonly countedAt?: number;
}

/** What quotas have counted of a repository, the smallest limit of each kind; `fresh` counts the repository itself once more, where
 *  that was not done within a minute. */
export async function quotaUse(
  registry: Registry,
  name: RepositoryName,
  { fresh = false }: { readonly fresh?: boolean } = {},
): Promise<readonly QuotaUse[]> {
  const ruled = await rulesFor(registry, name);
  const known = await usagesOf(registry, ruled, metersOf(name, ruled.rules));
  const uses = known.map(async (metering): Promise<QuotaUse[]> => {
    const isOwn = metering.meter.key.sort === usageKey(name).sort;
    const usage = fresh && isOwn ? await count(metering) : metering.known;
    return usesOf(metering, usage, isOwn ? 'each' : 'together');
  });
  return (await Promise.all(uses)).flat();
}

/** What quotas have counted of all repositories of a policy together. */
export async function sharedUse(registry: Registry, policy: Policy): Promise<readonly QuotaUse[]> {
  const stored = await registry.table.get(policiesKey);
  const meters = metersOf('' as RepositoryName, {
    policies: [{ ...policy, quota: { together: policy.quota?.together ?? {} } }],
    quotasSince: 0,
  });
  const since = quotasSinceIn(stored);
  const found = await registry.table.getMany(meters.map(({ key }) => key));
  return meters.flatMap((meter, index) => {
    const known = usageIn(found[index]);
    return usesOf({ registry, meter, since, known }, known, 'together');
  });
}

function usesOf(metering: Metering, usage: Usage | undefined, scope: QuotaUse['scope']): QuotaUse[] {
  const isKnown = isValid(metering, usage);
  return metering.meter.limits.map(({ kind, most, policy }) => ({
    ...{ policy, scope, kind, limit: most },
    ...(isKnown && { used: usage.totals[kind], countedAt: usage.countedAt }),
  }));
}

/** The policies that hold for a repository. */
export async function rulesFor({ table }: Registry, name: RepositoryName): Promise<Ruled> {
  return { name, rules: rulesIn(await table.get(policiesKey), name) };
}

interface Metering {
  readonly registry: Registry;
  readonly meter: Meter;
  readonly since: number;
  readonly known: Usage | undefined;
}

async function usagesOf(
  registry: Registry,
  { name, rules }: Ruled,
  meters: readonly Meter[],
): Promise<Metering[]> {
  if (meters.length > MAX_METERS) throw quotasOverlap(name, MAX_METERS - 1);
  const found = await registry.table.getMany(meters.map(({ key }) => key));
  const since = rules.quotasSince;
  return meters.map((meter, index) => ({ registry, meter, since, known: usageIn(found[index]) }));
}

async function chargeMeter(metering: Metering, taken: Partial<Totals>): Promise<Operation[]> {
  const { meter, known } = metering;
  const limits = meter.limits.filter(({ kind }) => taken[kind]);
  const raised = limits.filter(({ kind }) => (taken[kind] ?? 0) > 0);
  const lowered = limits.filter(({ kind }) => (taken[kind] ?? 0) < 0);
  const usage = raised.length > 0 ? await usageWithRoom(metering, taken) : known;
  // What a count has seen, and is about to write down, is not taken off once more: then it is too much until the next one.
  const canLower = lowered.length > 0 && isValid(metering, usage) && usage.begun === usage.counts;
  const changed = canLower ? limits : raised;
  if (changed.length === 0) return [];
  const when: Condition[] = canLower ? [equals('counts', usage.counts), equals('begun', usage.counts)] : [];
  return [
    {
      update: meter.key,
      add: Object.fromEntries(changed.map(({ kind }) => [kind, taken[kind] ?? 0])),
      // Fails where there is no item, too: a policy that goes takes its own along.
      when: [...when, ...raised.map(({ kind, most }) => atMost(kind, most - (taken[kind] ?? 0)))],
    },
  ];
}

/** DENIED where there is no room for what is taken. */
async function usageWithRoom(metering: Metering, taken: Partial<Totals>): Promise<Usage> {
  const { meter, known } = metering;
  const exceeded = ({ totals }: Usage) =>
    meter.limits.find(({ kind, most }) => {
      const more = taken[kind] ?? 0;
      return more > 0 && totals[kind] + more > most;
    });
  let usage = isValid(metering, known) ? known : await count(metering);
  if (exceeded(usage)) usage = await count(metering);
  const limit = exceeded(usage);
  if (!limit) return usage;
  const { kind, most, policy } = limit;
  const [used, more] = [usage.totals[kind], taken[kind] ?? 0];
  throw quotaExceeded({ policy, kind, limit: most, used, more }, meter.scope);
}

/** What was counted under these policies, and not so soon after they were set that it may lack something for ever. */
function isValid({ registry, since }: Metering, usage: Usage | undefined): usage is Usage {
  if (usage?.since !== since || usage.begun === undefined) return false;
  const settled = since + SETTLE_MS;
  return usage.countedAt >= settled || registry.now() < settled;
}

const isOld = ({ now }: Registry, { countedAt }: Usage) => countedAt + RECOUNT_MS <= now();

/** Counts afresh, where that was not done of late. What is raised meanwhile may count twice, never not at all: the
 *  difference is added to what is there then. Of two who count at once one takes the other's outcome. */
async function count(metering: Metering): Promise<Usage> {
  const { registry, meter, since } = metering;
  return untilWon(registry, async () => {
    const found = usageIn(await registry.table.get(meter.key));
    if (isValid(metering, found) && !isOld(registry, found)) return found;
    const before = await beginCount(metering, found);
    if (before === LOST) return LOST;
    const countedAt = registry.now();
    const counted = await totalsOf(registry, await meter.repositories(registry));
    const counts = (before?.counts ?? 0) + 1;
    const after: Usage = { totals: counted, since, countedAt, counts, begun: counts };
    const { committed } = await registry.table.write([countOperation(meter.key, before, after)]);
    return committed ? after : LOST;
  });
}

/** From now on nothing lowers what is counted: it might be missing twice. Answers what is there then. Who finds a count that
 *  was begun, by somebody who is at it or has died, counts along. */
async function beginCount(
  { registry, meter, since }: Metering,
  found: Usage | undefined,
): Promise<Usage | undefined | typeof LOST> {
  if (!found || found.since !== since || found.begun === undefined || found.begun > found.counts)
    return found;
  const { counts } = found;
  const begin = { update: meter.key, set: { begun: counts + 1 }, when: [equals('counts', counts)] };
  if (!(await registry.table.write([begin])).committed) return LOST;
  const begun = usageIn(await registry.table.get(meter.key));
  return begun?.counts === counts ? begun : LOST;
}

function countOperation(key: Key, before: Usage | undefined, { totals, ...rest }: Usage): Operation {
  const after = { ...rest, begun: rest.counts };
  if (!before) return { put: key, attributes: { ...totals, ...after }, when: [absent] };
  const when = [equals('counts', before.counts)];
  if (before.since !== after.since || before.begun === undefined)
    return { put: key, attributes: { ...totals, ...after }, when };
  const difference = KINDS.map((kind) => [kind, totals[kind] - before.totals[kind]]);
  return { update: key, set: { ...after }, add: Object.fromEntries(difference), when };
}
