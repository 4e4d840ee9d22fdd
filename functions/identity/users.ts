import { randomUUID } from 'node:crypto';
import { conflict, notFound } from '../oci/errors.ts';
import { entryIn, memberKey, subjectKey, tokenKey, tokensOf } from '../registry/keys.ts';
import { LOST, untilWon } from '../registry/races.ts';
import type { Registry } from '../registry/registry.ts';
import { type Attributes, MAX_OPERATIONS, type Operation, present } from '../storage/table.ts';
import type { Grant } from './grants.ts';
import { keepAnAdmin } from './last-admin.ts';
import { hashPassword } from './passwords.ts';
import { subjectOf } from './principal.ts';
import {
  changeSubject,
  createSubject,
  grantsAttribute,
  removeSubject,
  type SubjectItem,
  subjectItemOf,
} from './subjects.ts';

/** A person. What they may do is the sum of their grants and those of their groups. */
export interface User extends SubjectItem {
  readonly groups: readonly string[];
  /** Whether they can log in. */
  readonly disabled: boolean;
  /** Changes with the password: what was derived from an older one is void. */
  readonly stamp: string;
  readonly passwordHash: string;
}

export interface NewUser {
  readonly name: string;
  readonly password: string;
  readonly description: string;
  readonly grants: readonly Grant[];
  /** @default none */
  readonly groups?: readonly string[];
  readonly createdBy: string;
}

/** Ours: groups of one user. Their items are read together with each login, and written with a new user's. */
export const MAX_GROUPS = 40;

export const userSubject = (name: string) => subjectOf('user', name);

export async function findUser({ table }: Registry, name: string): Promise<User | undefined> {
  const found = await table.get(subjectKey(userSubject(name)));
  return found && userOf(name, found);
}

/** Answers whether the name was free; the groups must exist. */
export async function createUser(registry: Registry, user: NewUser): Promise<boolean> {
  const groups = [...new Set(user.groups)].sort();
  const attributes: Attributes = {
    description: user.description,
    grants: grantsAttribute(user.grants),
    groups,
    disabled: false,
    createdAt: registry.now(),
    createdBy: user.createdBy,
    ...(await newPassword(user.password)),
  };
  return untilWon(registry, async () => {
    for (const group of groups) await requireGroup(registry, group);
    const joins = groups.flatMap((group) => joinOperations(group, user.name));
    return createSubject(registry, userSubject(user.name), attributes, joins);
  });
}

/** Sets a password and voids every refresh token that an older one led to. Answers whether the user is there. */
export async function setPassword(registry: Registry, name: string, password: string): Promise<boolean> {
  const attributes = await newPassword(password);
  return changeSubject(registry, userSubject(name), () => attributes);
}

/** Answers whether the user is there. The last admin cannot be disabled. */
export function changeUser(
  registry: Registry,
  name: string,
  change: { readonly disabled?: boolean | undefined; readonly description?: string | undefined },
): Promise<boolean> {
  const { disabled, description } = change;
  const set: Attributes = {
    ...(disabled !== undefined && { disabled }),
    ...(description !== undefined && { description }),
  };
  const subject = userSubject(name);
  return changeSubject(
    registry,
    subject,
    () => set,
    (found, after) => keepAnAdmin(registry, subject, found, after),
  );
}

/** Removes a user with their tokens and memberships; answers whether they were there. The last admin stays. */
export async function deleteUser(registry: Registry, name: string): Promise<boolean> {
  const subject = userSubject(name);
  return untilWon(registry, async () => {
    const found = await registry.table.get(subjectKey(subject));
    if (!found) return false;
    const keep = await keepAnAdmin(registry, subject, found, undefined);
    const { groups } = userOf(name, found);
    for (const group of groups) await removeMember(registry, group, name);
    if (groups.length > 0) return LOST;
    await removeAllTokens(registry, name);
    // Whoever made the user a member or made a token since the user was read has changed the version.
    return (await removeSubject(registry, subject, found, keep)) || LOST;
  });
}

async function removeAllTokens({ table }: Registry, name: string): Promise<void> {
  const subject = userSubject(name);
  const tokens = await table.query({ ...tokensOf(subject), limit: MAX_OPERATIONS, keysOnly: true });
  const removals = tokens.map((item) => ({ remove: tokenKey(subject, entryIn(item)) }));
  if (removals.length > 0) await table.write(removals);
}

/** Makes the user a member of a group, which must exist; answers whether the user does. */
export function addMember(registry: Registry, group: string, name: string): Promise<boolean> {
  return changeMembership(registry, group, name, true);
}

/** Ends a membership, where there is one; answers whether the user exists. */
export function removeMember(registry: Registry, group: string, name: string): Promise<boolean> {
  return changeMembership(registry, group, name, false);
}

/** User and group both know of a membership: the one to decide, the other to list. */
function changeMembership(registry: Registry, group: string, name: string, isMember: boolean) {
  return changeSubject(
    registry,
    userSubject(name),
    (found) => {
      const others = userOf(name, found).groups.filter((one) => one !== group);
      if (isMember && others.length >= MAX_GROUPS)
        throw conflict(`${name} is in ${MAX_GROUPS} groups, as many as a user can be`);
      return { groups: isMember ? [...others, group].sort() : others };
    },
    async () => {
      if (!isMember) return [{ remove: memberKey(subjectOf('group', group), name) }];
      await requireGroup(registry, group);
      return joinOperations(group, name);
    },
  );
}

async function requireGroup({ table }: Registry, group: string): Promise<void> {
  if (!(await table.get(subjectKey(subjectOf('group', group))))) throw notFound(`group: ${group}`);
}

function joinOperations(group: string, user: string): Operation[] {
  const subject = subjectOf('group', group);
  return [
    { put: memberKey(subject, user), attributes: {} },
    // A group that is being deleted must not gain a member that outlives it.
    { update: subjectKey(subject), add: { version: 1 }, when: [present] },
  ];
}

async function newPassword(password: string): Promise<Attributes> {
  return { passwordHash: await hashPassword(password), stamp: randomUUID() };
}

export function userOf(name: string, found: Attributes): User {
  return {
    ...subjectItemOf(userSubject(name), found),
    groups: (found['groups'] as string[] | undefined) ?? [],
    disabled: found['disabled'] === true,
    stamp: found['stamp'] as string,
    passwordHash: found['passwordHash'] as string,
  };
}
