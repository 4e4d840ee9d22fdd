import type { Call } from '../handlers/call.ts';
import { repositoryOf } from '../handlers/call.ts';
import { type Authority, nobody } from '../identity/grants.ts';
import { denied, grantMissing, nameUnknown } from '../oci/errors.ts';
import { findRepository, type Repository } from '../registry/repositories.ts';

/** What the caller may do at this moment, whatever the token was made for. */
export async function authorityOf({ caller }: Call): Promise<Authority> {
  return (await caller.authority()) ?? nobody;
}

/** 403 unless the caller is admin of every repository that the pattern can match. */
export async function requireAdminOf(call: Call, pattern: string): Promise<void> {
  if ((await authorityOf(call)).administers(pattern)) return;
  throw grantMissing({ principal: call.caller.principal, action: 'admin', on: pattern }, 'pattern');
}

export const requireAdmin = (call: Call) => requireAdminOf(call, '*');

export const isSelf = ({ caller }: Call, user: string) => caller.principal === `user:${user}`;

/** 403 unless the caller is the user or an admin. */
export async function requireSelfOrAdmin(call: Call, user: string): Promise<void> {
  if (!isSelf(call, user)) await requireAdmin(call);
}

/** As `requireSelfOrAdmin`; users themselves need their password for it: a token that leaks must not make others that
 *  outlive it, and must not lock its user out. */
export async function requirePasswordOrAdmin(call: Call, user: string): Promise<void> {
  const { principal, credential } = call.caller;
  if ((await authorityOf(call)).administers('*')) return;
  if (!isSelf(call, user)) throw grantMissing({ principal, action: 'admin', on: '*' }, 'pattern');
  if (!credential.startsWith('password:'))
    throw denied('log in with the password, not with a token, to do this');
}

const ACTIONS = ['pull', 'push', 'delete', 'admin'] as const;

/** What the caller may do to a repository that they may see. */
export const mayDo = (authority: Authority, { name, isPublic }: Pick<Repository, 'name' | 'isPublic'>) =>
  ACTIONS.filter((action) => authority.may(action, name) || (action === 'pull' && isPublic));

/** The repository of the path, where the caller may see it; NAME_UNKNOWN for any other, whether it exists or not. */
export async function visibleRepository(call: Call): Promise<Repository> {
  const name = repositoryOf(call);
  const [authority, repository] = await Promise.all([authorityOf(call), findRepository(call.registry, name)]);
  const isVisible = repository?.listed && (repository.isPublic || authority.may('pull', name));
  if (!isVisible) throw nameUnknown(name);
  return repository;
}

/** Whether the caller may do this to the repository of the path: 403 where they may see it only, NAME_UNKNOWN where
 *  they may not even that, whether it exists or not. */
export async function permitRepository(call: Call, action: 'push' | 'delete' | 'admin'): Promise<void> {
  const name = repositoryOf(call);
  const authority = await authorityOf(call);
  if (authority.may(action, name)) return;
  if (!authority.may('pull', name)) await visibleRepository(call);
  throw grantMissing({ principal: call.caller.principal, action, on: name });
}
