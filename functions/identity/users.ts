import { randomUUID } from 'node:crypto';
import { entryIn, memberKey, subjectKey, tokenKey, tokensOf } from '../registry/keys.ts';
import type { Registry } from '../registry/registry.ts';
import { type Attributes, MAX_OPERATIONS, type Operation, present } from '../storage/table.ts';
import type { Grant } from './grants.ts';
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
  readonly createdBy: string;
}

export const userSubject = (name: string) => subjectOf('user', name);

export async function findUser({ table }: Registry, name: string): Promise<User | undefined> {
  const found = await table.get(subjectKey(userSubject(name)));
  return found && userOf(name, found);
}

/** Answers whether the name was free. */
export async function createUser(registry: Registry, user: NewUser): Promise<boolean> {
  return createSubject(registry, userSubject(user.name), {
    description: user.description,
    grants: grantsAttribute(user.grants),
    groups: [],
    disabled: false,
    createdAt: registry.now(),
    createdBy: user.createdBy,
    ...(await newPassword(user.password)),
  });
}

/** Sets a password and voids every refresh token that an older one led to. Answers whether the user is there. */
export async function setPassword(registry: Registry, name: string, password: string): Promise<boolean> {
  const attributes = await newPassword(password);
  return changeSubject(registry, userSubject(name), () => attributes);
}

/** Answers whether the user is there. */
export function changeUser(
  registry: Registry,
  name: string,
  change: { readonly disabled?: boolean | undefined; readonly description?: string | undefined },
): Promise<boolean> {
  const { disabled, description } = change;
  return changeSubject(registry, userSubject(name), () => ({
    ...(disabled !== undefined && { disabled }),
    ...(description !== undefined && { description }),
  }));
}

/** Removes a user with their tokens and memberships; answers whether they were there. */
export async function deleteUser(registry: Registry, name: string): Promise<boolean> {
  const subject = userSubject(name);
  for (;;) {
    const found = await registry.table.get(subjectKey(subject));
    if (!found) return false;
    await removeAllTokens(registry, name);
    for (const group of userOf(name, found).groups) await removeMember(registry, group, name);
    const now = await registry.table.get(subjectKey(subject));
    // Somebody may have made the user a member again meanwhile: then look again.
    if (now && userOf(name, now).groups.length > 0) continue;
    if (!now || (await removeSubject(registry, subject, now))) return true;
  }
}

async function removeAllTokens({ table }: Registry, name: string): Promise<void> {
  const subject = userSubject(name);
  const tokens = await table.query({ ...tokensOf(subject), limit: MAX_OPERATIONS, keysOnly: true });
  const removals = tokens.map((item) => ({ remove: tokenKey(subject, entryIn(item)) }));
  if (removals.length > 0) await table.write(removals);
}

/** Makes the user a member of a group that exists; answers whether the user does. */
export function addMember(registry: Registry, group: string, name: string): Promise<boolean> {
  return changeMembership(registry, group, name, true);
}

/** Ends a membership, where there is one; answers whether the user exists. */
export function removeMember(registry: Registry, group: string, name: string): Promise<boolean> {
  return changeMembership(registry, group, name, false);
}

/** User and group both know of a membership: the one to decide, the other to list. */
function changeMembership(registry: Registry, group: string, name: string, isMember: boolean) {
  const groupSubject = subjectOf('group', group);
  const entry = memberKey(groupSubject, name);
  const more: Operation[] = isMember
    ? [
        { put: entry, attributes: {} },
        // A group that is being deleted must not gain a member that outlives it.
        { update: subjectKey(groupSubject), add: { version: 1 }, when: [present] },
      ]
    : [{ remove: entry }];
  return changeSubject(
    registry,
    userSubject(name),
    (found) => {
      const others = userOf(name, found).groups.filter((one) => one !== group);
      return { groups: isMember ? [...others, group].sort() : others };
    },
    more,
  );
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
