/** Who grants are given to: `user:alice`, `robot:ci`, `group:team-a`. */
export type SubjectKind = 'user' | 'robot' | 'group';
export type Subject = `${SubjectKind}:${string}`;

/** Who does something: a user or robot, a workload (`oidc:<issuer>:<its subject>`), or `anonymous`. */
export type PrincipalId = string & { readonly __brand: 'PrincipalId' };

export const ANONYMOUS = 'anonymous' as PrincipalId;
/** The caller of a registry without users. */
export const EVERYBODY = 'everybody' as PrincipalId;

/** Names of users, robots, groups and issuers. */
export const SUBJECT_NAME = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/;

const ROBOT_PREFIX = 'robot/';
/** The login name of a workload, whose password is an ID token. */
const WORKLOAD = 'oidc';

/** Names that mean something else where a user logs in. */
export const RESERVED_NAMES: readonly string[] = [WORKLOAD, 'anonymous', 'everybody', 'robot'];

/** What a login name stands for: `alice`, `robot/ci`, `oidc`. Any text names something, if only a user that does
 *  not exist. */
export function parseLogin(
  username: string,
): { readonly kind: 'user' | 'robot'; readonly name: string } | { readonly kind: 'workload' } {
  if (username === WORKLOAD) return { kind: 'workload' };
  if (username.startsWith(ROBOT_PREFIX)) return { kind: 'robot', name: username.slice(ROBOT_PREFIX.length) };
  return { kind: 'user', name: username };
}

/** A login name as a trail may keep it: one that somebody could have. What else is sent as a name may well be a password
 *  or a token in the wrong field. */
export function claimedName(username: string): string {
  const login = parseLogin(username);
  return login.kind === 'workload' || SUBJECT_NAME.test(login.name) ? username : 'not a name';
}

/** What a robot gives as its user name. */
export const robotLogin = (name: string) => `${ROBOT_PREFIX}${name}`;

/** What a user, robot or workload gives as its user name. */
export function loginOf(principal: PrincipalId): string {
  const subject = parseSubject(principal);
  if (subject) return subject.kind === 'robot' ? robotLogin(subject.name) : subject.name;
  return principal.startsWith(`${WORKLOAD}:`) ? WORKLOAD : principal;
}

export const subjectOf = (kind: SubjectKind, name: string): Subject => `${kind}:${name}`;
export const principalOf = (kind: 'user' | 'robot', name: string) => `${kind}:${name}` as PrincipalId;

/** The kind and name of `user:alice`, `robot:ci` or `group:team-a`; `undefined` for any other text. */
export function parseSubject(text: string): { kind: SubjectKind; name: string } | undefined {
  const [, kind, name] = /^(user|robot|group):(.+)$/.exec(text) ?? [];
  if (!kind || !name || !SUBJECT_NAME.test(name)) return undefined;
  return { kind: kind as SubjectKind, name };
}
