import { matcherOf } from '../oci/pattern.ts';
import type { RepositoryName } from '../oci/reference.ts';

/** What a grant allows in the repositories of its pattern. `push` includes `pull`: every client looks before it
 *  sends. `admin` includes all, and to change settings, grants and visibility. */
export const GRANT_ACTIONS = ['pull', 'push', 'delete', 'admin'] as const;
export type GrantAction = (typeof GRANT_ACTIONS)[number];

export interface Grant {
  /** A repository name in which `*` stands for any characters, slashes included: `team-a/*`. */
  readonly pattern: string;
  readonly actions: readonly GrantAction[];
  /** Whether somebody gave it who is admin of less than the registry. @default false */
  readonly delegated?: boolean;
}

/** What somebody may do, wherever that comes from. */
export interface Authority {
  may(action: GrantAction, repository: RepositoryName): boolean;
  /** Whether it is admin of every repository that the pattern can match; of `*`, of the whole registry. */
  administers(pattern: string): boolean;
  /** Whether it is admin of anything. */
  administersAny(): boolean;
}

/** The characters of repository names, and `*`. */
export const GRANT_PATTERN = /^[a-z0-9*][a-z0-9._/*-]{0,254}$/;

const IMPLIED: Readonly<Record<GrantAction, readonly GrantAction[]>> = {
  pull: ['pull'],
  push: ['push', 'pull'],
  delete: ['delete'],
  admin: GRANT_ACTIONS,
};

export const nobody: Authority = {
  may: () => false,
  administers: () => false,
  administersAny: () => false,
};

/** The sum of grants. */
export function authorityOf(grants: readonly Grant[]): Authority {
  const rules = grants.map(({ pattern, actions }) => ({
    matches: matcherOf(pattern),
    actions: new Set(actions.flatMap((action) => IMPLIED[action])),
  }));
  return {
    may: (action, repository) => rules.some((rule) => rule.actions.has(action) && rule.matches(repository)),
    // Read as text, a `*` of the inner pattern is only matched by one of the outer: then that one matches all
    // that the inner can stand for, too.
    administers: (inner) => rules.some((rule) => rule.actions.has('admin') && rule.matches(inner)),
    administersAny: () => rules.some((rule) => rule.actions.has('admin')),
  };
}

/** What both allow: a token never does more than its owner. */
export function bothOf(first: Authority, second: Authority): Authority {
  return {
    may: (action, repository) => first.may(action, repository) && second.may(action, repository),
    administers: (pattern) => first.administers(pattern) && second.administers(pattern),
    administersAny: () => first.administersAny() && second.administersAny(),
  };
}
