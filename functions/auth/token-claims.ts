import type { JWTPayload } from 'jose';
import { GRANT_ACTIONS, type Grant, type GrantAction } from '../identity/grants.ts';
import type { CredentialRef } from '../identity/identity.ts';
import type { PrincipalId } from '../identity/principal.ts';

/** Names this registry in its tokens and challenges. */
export const SERVICE = 'stowage';

/** One entry of a token's `access` claim, with what was asked and refused besides.
 *  https://distribution.github.io/distribution/spec/auth/jwt/ */
export interface AccessEntry {
  readonly type: 'repository' | 'registry';
  readonly name: string;
  readonly actions: readonly string[];
  readonly refused?: readonly string[];
}

export interface AccessToken {
  readonly principal: PrincipalId;
  readonly credential: CredentialRef;
  readonly access: readonly AccessEntry[];
  /** Of a workload. */
  readonly grants?: readonly Grant[];
  /** What was asked for in repositories that had no room in it: there, what the credential is worth counts as it is needed. */
  readonly beyond?: readonly string[];
}

/** What the claims of a token say; `undefined` where they are not as this version of the registry writes them. */
export function accessTokenIn({ sub, cred, access, grants, beyond }: JWTPayload): AccessToken | undefined {
  const isSound =
    typeof sub === 'string' &&
    typeof cred === 'string' &&
    isListOf(access, isEntry) &&
    (grants === undefined || isListOf(grants, isGrant)) &&
    (beyond === undefined || isListOf(beyond, isText));
  if (!isSound) return undefined;
  const principal = sub as PrincipalId;
  const optional = { ...(grants !== undefined && { grants }), ...(beyond !== undefined && { beyond }) };
  return { principal, credential: cred as CredentialRef, access, ...optional };
}

function isListOf<T>(value: unknown, is: (one: unknown) => one is T): value is T[] {
  return Array.isArray(value) && value.every(is);
}

const isText = (value: unknown): value is string => typeof value === 'string';

const isAction = (value: unknown): value is GrantAction => GRANT_ACTIONS.some((action) => action === value);

function isEntry(value: unknown): value is AccessEntry {
  const { type, name, actions, refused } = fieldsOf(value);
  return (
    (type === 'repository' || type === 'registry') &&
    isText(name) &&
    isListOf(actions, isText) &&
    (refused === undefined || isListOf(refused, isText))
  );
}

function isGrant(value: unknown): value is Grant {
  const { pattern, actions } = fieldsOf(value);
  return isText(pattern) && isListOf(actions, isAction);
}

const fieldsOf = (value: unknown) => (value ?? {}) as Readonly<Record<string, unknown>>;
