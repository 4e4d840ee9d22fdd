import * as z from 'zod';
import type { Call } from '../handlers/call.ts';
import {
  createGroup,
  deleteGroup,
  findGroup,
  type Group as GroupItem,
  groupSubject,
  listMembers,
} from '../identity/groups.ts';
import { subjectItemOf } from '../identity/subjects.ts';
import { addMember, MAX_GROUPS, removeMember } from '../identity/users.ts';
import { conflict } from '../oci/errors.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { nameOf, present } from './input.ts';
import { iso, subjectPage } from './output.ts';
import { requireAdmin } from './rights.ts';
import { Description, Grant, Grants, Next, named, Principal, pageOf, SubjectName, Time } from './schemas.ts';

/** Ours: the first page of members is all that the API shows. */
const MAX_MEMBERS = 1000;

const fields = {
  name: SubjectName,
  description: Description,
  grants: z.array(Grant),
  createdAt: Time,
  createdBy: Principal,
};

const Group = named('Group', z.strictObject(fields));
const GroupWithMembers = named(
  'GroupWithMembers',
  z.strictObject({
    ...fields,
    members: z.array(SubjectName).describe(`Users, in the order of their names; the first ${MAX_MEMBERS}.`),
  }),
);
const NewGroup = named(
  'NewGroup',
  z.strictObject({ name: SubjectName, description: Description.optional(), grants: Grants.optional() }),
);
const GroupList = named('GroupList', z.strictObject({ groups: z.array(Group), next: Next }));

const groupOut = (group: GroupItem): z.infer<typeof Group> => ({
  name: group.name,
  description: group.description,
  grants: group.grants.map(({ pattern, actions }) => ({ pattern, actions: [...actions] })),
  createdAt: iso(group.createdAt),
  createdBy: group.createdBy,
});

export const endpoints = {
  'group.list': endpoint({
    summary: 'Groups, in the order of their names',
    query: z.strictObject(pageOf(SubjectName)),
    answer: GroupList,
    allow: requireAdmin,
    async handle(call, { query }) {
      const { entries, ...rest } = await subjectPage(call, 'group', query, (name, found) =>
        groupOut(subjectItemOf(groupSubject(name), found)),
      );
      return { groups: entries, ...rest };
    },
  }),
  'group.create': endpoint({
    summary: 'Make a group: grants that many users have together',
    body: NewGroup,
    status: 201,
    answer: Group,
    problems: { 409: 'The name is taken.' },
    allow: requireAdmin,
    async handle(call, { body }) {
      const { name, description = '', grants = [] } = body;
      call.about(`group:${name}`);
      const createdBy = call.caller.principal;
      const isNew = await createGroup(call.registry, { name, description, grants, createdBy });
      if (!isNew) throw conflict(`there is a group of this name: ${name}`);
      return groupOut(await requireGroup(call, name));
    },
  }),
  'group.get': endpoint({
    summary: 'A group and its members',
    answer: GroupWithMembers,
    allow: requireAdmin,
    async handle(call) {
      const name = nameOf(call, 'group');
      const group = groupOut(await requireGroup(call, name));
      const { entries } = await listMembers(call.registry, name, { limit: MAX_MEMBERS });
      return { ...group, members: [...entries] };
    },
  }),
  'group.delete': endpoint({
    summary: 'Delete a group; its members stay, without its grants',
    allow: requireAdmin,
    async handle(call) {
      const name = nameOf(call, 'group');
      present((await deleteGroup(call.registry, name)) || undefined, 'group', name);
    },
  }),
  'member.add': endpoint({
    summary: 'Make a user a member of a group',
    problems: { 409: `The user is in ${MAX_GROUPS} groups, as many as a user can be.` },
    allow: requireAdmin,
    async handle(call) {
      const user = nameOf(call, 'user');
      const isUser = await addMember(call.registry, nameOf(call, 'group'), user);
      present(isUser || undefined, 'user', user);
    },
  }),
  'member.remove': endpoint({
    summary: "End a user's membership in a group, where there is one",
    allow: requireAdmin,
    async handle(call) {
      const user = nameOf(call, 'user');
      await requireGroup(call, nameOf(call, 'group'));
      const isUser = await removeMember(call.registry, nameOf(call, 'group'), user);
      present(isUser || undefined, 'user', user);
    },
  }),
} satisfies Record<string, Endpoint>;

async function requireGroup({ registry }: Call, name: string): Promise<GroupItem> {
  return present(await findGroup(registry, name), 'group', name);
}
