import { subjectKey, tokenKey } from '../registry/keys.ts';
import type { Registry } from '../registry/registry.ts';
import type { Attributes } from '../storage/table.ts';
import { type Authority, authorityOf, bothOf, type Grant } from './grants.ts';
import { groupSubject } from './groups.ts';
import { isUnchanged } from './issuers.ts';
import { ANONYMOUS, type PrincipalId, parseSubject, principalOf } from './principal.ts';
import { type Robot, robotOf, robotSubject } from './robots.ts';
import { subjectItemOf } from './subjects.ts';
import { type AccessToken, findToken, isValid, limitOf } from './tokens.ts';
import { type User, userOf, userSubject } from './users.ts';
import type { Workload } from './workload.ts';

/** Which proof a login rested on, as access and refresh tokens remember it: `password:<stamp>`, `token:<id>`,
 *  `secret:<stamp>`, `workload:<issuer>:<stamp>`, `none`. */
export type CredentialRef = string & { readonly __brand: 'CredentialRef' };

/** Somebody who has proved who they are, and what they may do at this moment. */
export interface Identity {
  readonly principal: PrincipalId;
  readonly credential: CredentialRef;
  readonly authority: Authority;
  /** Of a workload, which no item knows: its access tokens carry them. */
  readonly grants?: readonly Grant[];
}

export const NO_CREDENTIAL = 'none' as CredentialRef;
export const passwordCredential = ({ stamp }: User) => `password:${stamp}` as CredentialRef;
export const isPasswordCredential = (credential: CredentialRef) => credential.startsWith('password:');
const secretCredential = ({ stamp }: Pick<Robot, 'stamp'>) => `secret:${stamp}` as CredentialRef;
const workloadCredential = ({ issuer, stamp }: Workload) => `workload:${issuer}:${stamp}` as CredentialRef;
const tokenCredential = ({ id }: AccessToken) => `token:${id}` as CredentialRef;

export const anonymous: Identity = {
  principal: ANONYMOUS,
  credential: NO_CREDENTIAL,
  authority: authorityOf([]),
};

/** What the credential is worth now: `undefined` where it was revoked, replaced or has expired, its owner is disabled or gone,
 *  or the issuer of a workload, whose grants it had, has changed. */
export async function currentIdentity(
  registry: Registry,
  { principal, credential, grants }: Pick<Identity, 'principal' | 'credential' | 'grants'>,
): Promise<Identity | undefined> {
  if (grants) {
    const authority = await currentWorkload(registry, credential, grants);
    return authority && { principal, credential, authority, grants };
  }
  const subject = parseSubject(principal);
  if (subject?.kind === 'robot') return currentRobot(registry, subject.name, credential);
  if (subject?.kind !== 'user') return undefined;
  const { name } = subject;
  const [, tokenId] = /^token:(.+)$/.exec(credential) ?? [];
  const key = subjectKey(userSubject(name));
  if (tokenId === undefined) {
    const found = await registry.table.get(key);
    const user = found && userOf(name, found);
    return user && !user.disabled && credential === passwordCredential(user)
      ? identityOfUser(registry, user)
      : undefined;
  }
  const [found, token] = await Promise.all([registry.table.get(key), findToken(registry, name, tokenId)]);
  return found && token && identityOfToken(registry, userOf(name, found), token);
}

async function currentRobot(registry: Registry, name: string, credential: CredentialRef) {
  const found = await registry.table.get(subjectKey(robotSubject(name)));
  const robot = found && robotOf(name, found);
  const secret = robot && secretsOf(robot).find((one) => credential === secretCredential(one));
  return secret && identityOfRobot(registry, robot, secret);
}

/** The user who has given the password. */
export async function identityOfUser(registry: Registry, user: User): Promise<Identity> {
  return {
    principal: principalOf('user', user.name),
    credential: passwordCredential(user),
    authority: await authorityOfUser(registry, user),
  };
}

/** The user who has given the token; `undefined` where it has expired or the user is disabled. */
export async function identityOfToken(
  registry: Registry,
  user: User,
  token: AccessToken,
): Promise<Identity | undefined> {
  if (user.disabled || !isValid(token, registry.now())) return undefined;
  const authority = await authorityOfUser(registry, user);
  const limit = limitOf(token);
  return {
    principal: principalOf('user', user.name),
    credential: tokenCredential(token),
    authority: limit ? bothOf(authority, limit) : authority,
  };
}

/** The secret of a robot, and the one before, which may have ended. */
export const secretsOf = (robot: Robot): readonly RobotSecret[] =>
  robot.former ? [robot, robot.former] : [robot];

type RobotSecret = Pick<Robot, 'stamp' | 'hash' | 'validUntil'>;

/** The robot that has given this secret of its own; `undefined` where one of them has expired, or the robot is disabled. */
export function identityOfRobot({ now }: Registry, robot: Robot, secret: RobotSecret): Identity | undefined {
  if (robot.disabled || !isValid(secret, now())) return undefined;
  return {
    principal: principalOf('robot', robot.name),
    credential: secretCredential(secret),
    authority: authorityOf(robot.grants),
  };
}

/** The workload that has given an ID token. */
export function identityOfWorkload(workload: Workload): Identity {
  const { issuer, subject, grants } = workload;
  return {
    principal: `oidc:${issuer}:${subject}` as PrincipalId,
    credential: workloadCredential(workload),
    authority: authorityOf(grants),
    grants,
  };
}

/** What a workload may do that was granted this when it logged in; `undefined` where its issuer has changed since. */
async function currentWorkload(
  registry: Registry,
  credential: CredentialRef,
  grants: readonly Grant[],
): Promise<Authority | undefined> {
  const [, issuer = '', stamp = ''] = credential.split(':');
  return (await isUnchanged(registry, issuer, stamp)) ? authorityOf(grants) : undefined;
}

/** A user's own grants and those of the groups. */
async function authorityOfUser({ table }: Registry, { grants, groups }: User): Promise<Authority> {
  const keys = groups.map((group) => subjectKey(groupSubject(group)));
  const found = keys.length === 0 ? [] : await table.getMany(keys);
  const ofGroups = found.flatMap((item, index) =>
    item ? subjectItemOf(groupSubject(groups[index] ?? ''), item).grants : [],
  );
  return authorityOf([...grants, ...ofGroups]);
}

/** Ours: a credential's last use is kept to the hour, so that using it is not a write each time. */
const LAST_USE_MS = 60 * 60_000;

/** Keeps when a credential was last used. It need not hold: the credential may be gone by now. */
export async function noteUse(
  { table, now }: Registry,
  used: { readonly robot: Robot } | { readonly user: string; readonly token: AccessToken },
): Promise<void> {
  const { lastUsedAt = 0 } = 'robot' in used ? used.robot : used.token;
  if (now() - lastUsedAt < LAST_USE_MS) return;
  const key =
    'robot' in used ? subjectKey(used.robot.subject) : tokenKey(userSubject(used.user), used.token.id);
  const set: Attributes = { lastUsedAt: now() };
  await table.write([{ update: key, set, when: [{ is: 'present' }] }]);
}
