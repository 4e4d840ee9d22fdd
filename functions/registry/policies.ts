import { anyMatcherOf } from '../oci/pattern.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { policiesKey } from './keys.ts';
import type { Registry } from './registry.ts';

/** What an operator wants of the repositories that a policy covers. All policies that cover a repository hold for it
 *  together: what one of them keeps, none deletes; what one of them refuses, is refused. In every pattern `*` stands for any
 *  characters. */
export interface Policy {
  /** Its own: `[a-z0-9]` first, then also `._-`, 64 at most. */
  readonly name: string;
  /** Patterns of repository names: `team-a/*`. */
  readonly repositories: readonly string[];
  /** @default nothing is ever deleted by itself */
  readonly retention?: Retention;
  /** @default every tag may be moved */
  readonly immutable?: ImmutableTags;
  /** @default no limit */
  readonly quota?: Quota;
}

/** What goes by itself. A tag that no rule matches stays; so does all that belongs to what stays. */
export interface Retention {
  /** Tags that are never deleted, whatever the rules say. */
  readonly pins?: readonly string[];
  readonly tags?: readonly TagRule[];
  /** An untagged manifest that belongs to nothing goes this many days after it was pushed, or lost its last tag.
   *  @default never */
  readonly untaggedAfterDays?: number;
}

/** A tag that it matches stays while at least one of its clauses, or another rule that matches, keeps it. */
export interface TagRule {
  /** Patterns of tags: `v*`. */
  readonly match: readonly string[];
  /** The last so many of the tags that the rule matches, by the time they were put where they are. */
  readonly keepLast?: number;
  /** Those that were put where they are within so many days. */
  readonly keepNewerThanDays?: number;
  /** Those that were pulled within so many days. */
  readonly keepPulledWithinDays?: number;
}

/** Tags that stay on the manifest they were first put on, and are not deleted by clients. */
export interface ImmutableTags {
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

export interface QuotaLimits {
  /** Bytes of the blobs that a repository links, each counted once in it. */
  readonly bytes?: number;
  readonly tags?: number;
}

/** All policies, in the order of their names. */
export async function listPolicies({ table }: Registry): Promise<readonly Policy[]> {
  const found = await table.get(policiesKey);
  return found ? (JSON.parse(found['policies'] as string) as Policy[]) : [];
}

/** Those that cover the repository. */
export function policiesFor(policies: readonly Policy[], name: RepositoryName): readonly Policy[] {
  return policies.filter(({ repositories }) => anyMatcherOf(repositories)(name));
}

/** Whether any of the policies holds the tag where it is. */
export function isImmutable(policies: readonly Policy[], tag: Tag): boolean {
  return policies.some(
    ({ immutable }) =>
      immutable && anyMatcherOf(immutable.tags)(tag) && !anyMatcherOf(immutable.except ?? [])(tag),
  );
}
