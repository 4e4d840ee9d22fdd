import { conflict } from '../oci/errors.ts';
import { anyGlobOf } from '../oci/glob.ts';
import { anyMatcherOf } from '../oci/pattern.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { type Attributes, absent, equals } from '../storage/table.ts';
import { confirmationKey, policiesKey, sharedUsageKey } from './keys.ts';
import { confirmation, confirmedVersion } from './policy-confirmations.ts';
import { LOST, untilWon } from './races.ts';
import type { Registry } from './registry.ts';
import type { Retention } from './retention-policy.ts';

export type { Retention } from './retention-policy.ts';

export const POLICY_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** What an operator wants of the repositories that a policy covers. All policies that cover a repository hold for it
 *  together: what one of them keeps, none deletes; what one of them refuses, is refused. In every pattern `*` stands
 *  for any characters; those of tags may have sets. */
export interface Policy {
  /** Its own; `POLICY_NAME`. */
  readonly name: string;
  /** Patterns of repository names: `team-a/*`. */
  readonly repositories: readonly string[];
  /** Patterns of those that it does not cover all the same. */
  readonly exceptRepositories?: readonly string[];
  /** Whether admins of less than the registry have set it: of all that it can cover. @default false */
  readonly isTeams?: boolean;
  /** @default nothing is ever deleted by itself */
  readonly retention?: Retention;
  /** Milliseconds since 1970, but no two alike: since when it has said this of these repositories; set where it is stored. */
  readonly retainsSince?: number;
  /** @default every tag may be moved */
  readonly immutable?: ImmutableTags;
  /** @default no limit */
  readonly quota?: Quota;
  /** @default as much as anybody asks for */
  readonly downloads?: DownloadLimits;
  /** Whether an index may be pushed of which platforms are missing. @default no, unless another policy says so */
  readonly sparseIndexes?: true;
  /** What policies of teams may say of what this one covers. @default everything */
  readonly teams?: readonly (typeof TEAM_FIELDS)[number][];
}

/** What a policy of a team may be allowed to say. */
export const TEAM_FIELDS = ['retention', 'immutable', 'quota', 'sparseIndexes', 'downloads'] as const;

/** Tags that stay on the manifest they were first put on, and are not deleted by clients. */
interface ImmutableTags {
  readonly tags: readonly string[];
  /** Patterns of tags that may be moved all the same. */
  readonly except?: readonly string[];
}

export interface Quota {
  /** Of each repository by itself. */
  readonly each?: QuotaLimits;
  /** Of all repositories of the policy together. */
  readonly together?: QuotaLimits;
}

/** Bytes of blobs that may be downloaded in a day, from all repositories of the policy together. */
export interface DownloadLimits {
  /** By whoever has no login, all of them together. */
  readonly anonymous?: number;
  /** By each user, robot or job by itself. */
  readonly principal?: number;
  /** By everybody together. */
  readonly all?: number;
}

export interface QuotaLimits {
  /** Bytes of the blobs that a repository links, each counted once in it. */
  readonly bytes?: number;
  readonly tags?: number;
}

/** What the item of all policies holds. */
interface StoredPolicies {
  /** In the order of their names. */
  readonly policies: readonly Policy[];
  /** Raised by each change; 0 where there was never a policy. */
  readonly version: number;
  /** Milliseconds since 1970, but no two alike: since when the same repositories have had quotas of the same kinds.
   *  What was counted before holds no longer. */
  readonly quotasSince: number;
}

/** Of the attributes of the item, as `table.get` answers them. */
function policiesIn(found: Attributes | undefined): StoredPolicies {
  if (!found) return { policies: [], version: 0, quotasSince: 0 };
  return {
    policies: JSON.parse(found['policies'] as string) as Policy[],
    version: found['version'] as number,
    quotasSince: found['quotasSince'] as number,
  };
}

/** All policies, in the order of their names. */
export async function listPolicies({ table }: Registry): Promise<readonly Policy[]> {
  return policiesIn(await table.get(policiesKey)).policies;
}

/** Sets a policy, in place of the one of that name. A request that is under way may end by what held when it began. */
export async function putPolicy(registry: Registry, policy: Policy, options?: ChangeOptions): Promise<void> {
  await change(registry, policy.name, policy, options);
}

interface ChangeOptions {
  readonly permit?: Permit;
  /** Whether it may act however much it deletes; else what was confirmed before is void once it changes. @default false */
  readonly confirms?: boolean;
}

/** Throws where what is there, if anything, may not be changed. */
type Permit = (before: Policy | undefined) => Promise<void>;

/** Answers whether it was there. */
export async function deletePolicy(
  registry: Registry,
  name: string,
  options?: ChangeOptions,
): Promise<boolean> {
  return change(registry, name, undefined, options);
}

/** Ours, and a sixth of what DynamoDB takes: every push reads them. */
const MAX_POLICIES_BYTES = 64 * 1024;

/** Ours: so much of it admins of less than the registry may take together; the rest is for those of the registry. */
const MAX_TEAMS_BYTES = 16 * 1024;

function refuseMuch(policies: string): void {
  if (Buffer.byteLength(policies) > MAX_POLICIES_BYTES)
    throw conflict(`all policies together would take more than ${MAX_POLICIES_BYTES / 1024} KiB`);
}

function refuseMuchOfTeams(policies: readonly Policy[], changed: Policy | undefined): void {
  if (!changed?.isTeams) return;
  const theirs = JSON.stringify(policies.filter(({ isTeams }) => isTeams));
  if (Buffer.byteLength(theirs) > MAX_TEAMS_BYTES)
    throw conflict(
      `policies that admins of the registry have not set would take more than ${MAX_TEAMS_BYTES / 1024} KiB together; ` +
        'one of these can set it',
    );
}

/** Of two changes at once the later one reads the earlier one's outcome. Answers whether there was such a policy. */
async function change(
  registry: Registry,
  name: string,
  changed: Policy | undefined,
  { permit, confirms = false }: ChangeOptions = {},
): Promise<boolean> {
  return untilWon(registry, async () => {
    const before = policiesIn(await registry.table.get(policiesKey));
    const was = before.policies.find((policy) => policy.name === name);
    await permit?.(was);
    if (!was && !changed) return false;
    const others = before.policies.filter((policy) => policy.name !== name);
    const stored = changed && { ...changed, ...sinceOf(registry, was, changed) };
    const policies = sortedByName(stored ? [...others, stored] : others);
    const attributes = { policies: JSON.stringify(policies), ...nextOf(registry, before, policies) };
    refuseMuch(attributes.policies);
    refuseMuchOfTeams(policies, stored);
    const when = before.version === 0 ? absent : equals('version', before.version);
    const { committed } = await registry.table.write([
      { put: policiesKey, attributes, when: [when] },
      ...unsharedOf(name, stored),
      ...(confirms ? [confirmation(registry, name, stored)] : voidOf(name, was, stored)),
    ]);
    return committed ? was !== undefined : LOST;
  });
}

const sortedByName = (policies: readonly Policy[]) => policies.toSorted((a, b) => (a.name < b.name ? -1 : 1));

/** What was confirmed was of what it said before. */
const voidOf = (name: string, was: Policy | undefined, stored: Policy | undefined) =>
  confirmedVersion(was) === confirmedVersion(stored) ? [] : [{ remove: confirmationKey(name) }];

/** What was counted of all repositories together is of no use any more. */
const unsharedOf = (name: string, policy: Policy | undefined) =>
  policy?.quota?.together ? [] : [{ remove: sharedUsageKey(name) }];

/** What was the same before, and was something else meanwhile, is a change. */
function sinceOf({ now }: Registry, was: Policy | undefined, policy: Policy): Pick<Policy, 'retainsSince'> {
  if (!policy.retention) return {};
  const since = was?.retainsSince;
  if (was && confirmedVersion(was) === confirmedVersion(policy))
    return since === undefined ? {} : { retainsSince: since };
  return { retainsSince: Math.max(now(), (since ?? 0) + 1) };
}

function nextOf({ now }: Registry, before: StoredPolicies, policies: readonly Policy[]) {
  const isSame = JSON.stringify(metered(before.policies)) === JSON.stringify(metered(policies));
  return {
    version: before.version + 1,
    quotasSince: isSame ? before.quotasSince : Math.max(now(), before.quotasSince + 1),
  };
}

/** What the quotas count, whatever their limits: as long as it is the same, so is what was counted. */
function metered(policies: readonly Policy[]): unknown {
  const kinds = (limits: QuotaLimits = {}) => [limits.bytes !== undefined, limits.tags !== undefined];
  return policies
    .filter(({ quota, teams }) => quota ?? teams)
    .map(({ name, repositories, exceptRepositories, quota, teams, isTeams }) => [
      ...[name, repositories, kinds(quota?.each), kinds(quota?.together)],
      ...(exceptRepositories ? [exceptRepositories] : []),
      ...(teams || isTeams ? [teams ?? 'all', isTeams ?? false] : []),
    ]);
}

/** Those that cover the repository, of teams what they may say there. */
export function policiesFor(policies: readonly Policy[], name: RepositoryName): readonly Policy[] {
  const covering = policies.filter((policy) => coverageOf(policy)(name));
  const limits = covering.flatMap(({ teams }) => (teams ? [teams] : []));
  if (limits.length === 0) return covering;
  const denied = TEAM_FIELDS.filter((field) => limits.some((teams) => !teams.includes(field)));
  return covering.map((policy) => (policy.isTeams ? without(policy, denied) : policy));
}

function without(policy: Policy, fields: readonly (keyof Policy)[]): Policy {
  const entries = Object.entries(policy).filter(([name]) => !fields.some((field) => field === name));
  return Object.fromEntries(entries) as unknown as Policy;
}

/** Whether the policy covers a repository. */
export function coverageOf({
  repositories,
  exceptRepositories = [],
}: Pick<Policy, 'repositories' | 'exceptRepositories'>): (name: string) => boolean {
  const [covers, excepts] = [anyMatcherOf(repositories), anyMatcherOf(exceptRepositories)];
  return (name) => covers(name) && !excepts(name);
}

/** What holds for one repository. */
export interface Rules {
  /** Those that cover it. */
  readonly policies: readonly Policy[];
  /** As in `StoredPolicies`. */
  readonly quotasSince: number;
}

/** Of the attributes of the item of all policies. */
export function rulesIn(found: Attributes | undefined, name: RepositoryName): Rules {
  const { policies, quotasSince } = policiesIn(found);
  return { policies: policiesFor(policies, name), quotasSince };
}

/** Of the attributes of the item of all policies, as in `Rules`. */
export const quotasSinceIn = (found: Attributes | undefined) => policiesIn(found).quotasSince;

/** Whether any of the policies limits the number of tags. */
export function countsTags(policies: readonly Policy[]): boolean {
  return policies.some(({ quota }) =>
    [quota?.each, quota?.together].some((limits) => limits?.tags !== undefined),
  );
}

/** Whether any of the policies lets an index lack what it lists. */
export const allowsSparse = ({ policies }: Rules) => policies.some(({ sparseIndexes }) => sparseIndexes);

/** The first of the policies that holds the tag where it is. */
export function immutableBy(policies: readonly Policy[], tag: Tag): Policy | undefined {
  return policies.find(
    ({ immutable }) => immutable && anyGlobOf(immutable.tags)(tag) && !anyGlobOf(immutable.except ?? [])(tag),
  );
}

/** Whether any of the policies holds the tag where it is. */
export const isImmutable = (policies: readonly Policy[], tag: Tag) =>
  immutableBy(policies, tag) !== undefined;
