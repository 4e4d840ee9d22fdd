import { entryIn, memberKey, membersOf, subjectKey } from '../registry/keys.ts';
import { type Page, type PageRequest, pageOf } from '../registry/pages.ts';
import { untilWon } from '../registry/races.ts';
import type { Registry } from '../registry/registry.ts';
import { absent } from '../storage/table.ts';
import type { Grant } from './grants.ts';
import { subjectOf } from './principal.ts';
import {
  createSubject,
  grantsAttribute,
  removeSubject,
  type SubjectItem,
  subjectItemOf,
} from './subjects.ts';
import { removeMember, userSubject } from './users.ts';

/** Grants that many users have together. */
export type Group = SubjectItem;

export interface NewGroup {
  readonly name: string;
  readonly description: string;
  readonly grants: readonly Grant[];
  readonly createdBy: string;
}

export const groupSubject = (name: string) => subjectOf('group', name);

export async function findGroup({ table }: Registry, name: string): Promise<Group | undefined> {
  const found = await table.get(subjectKey(groupSubject(name)));
  return found && subjectItemOf(groupSubject(name), found);
}

/** Answers whether the name was free. */
export function createGroup(registry: Registry, group: NewGroup): Promise<boolean> {
  const { name, description, createdBy } = group;
  const grants = grantsAttribute(group.grants);
  const attributes = { description, grants, createdAt: registry.now(), createdBy };
  return untilWon(registry, () => createSubject(registry, groupSubject(name), attributes));
}

/** Names of the group's members, in byte order. */
export function listMembers({ table }: Registry, name: string, page: PageRequest): Promise<Page> {
  return pageOf(page, async (limit) => {
    const after = page.last === undefined ? {} : { after: `M#${page.last}` };
    const items = await table.query({ ...membersOf(groupSubject(name)), ...after, limit, keysOnly: true });
    return items.map(entryIn);
  });
}

/** Ends all memberships, then removes the group, so that a later one of its name starts without members. Answers
 *  whether it was there. */
export async function deleteGroup(registry: Registry, name: string): Promise<boolean> {
  for (;;) {
    const found = await registry.table.get(subjectKey(groupSubject(name)));
    if (!found) return false;
    const { entries } = await listMembers(registry, name, { limit: REMOVED_AT_ONCE });
    await Promise.all(entries.map((user) => endMembership(registry, name, user)));
    // Whoever joined since the group was read has changed its version.
    if (entries.length === 0 && (await removeSubject(registry, groupSubject(name), found))) return true;
  }
}

const REMOVED_AT_ONCE = 50;

async function endMembership(registry: Registry, group: string, user: string): Promise<void> {
  if (await removeMember(registry, group, user)) return;
  // Of a user who is gone: the entry alone would keep the group for ever. Not of one who has come since.
  await registry.table.write([
    { remove: memberKey(groupSubject(group), user) },
    { check: subjectKey(userSubject(user)), when: [absent] },
  ]);
}
