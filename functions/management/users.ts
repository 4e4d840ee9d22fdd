import * as z from 'zod';
import type { Call } from '../handlers/call.ts';
import { newPassword } from '../identity/first-admin.ts';
import { RESERVED_NAMES } from '../identity/principal.ts';
import { endSessions } from '../identity/sessions.ts';
import {
  changeUser,
  createUser,
  deleteUser,
  findUser,
  MAX_GROUPS,
  setPassword,
  type User as UserItem,
  userOf,
} from '../identity/users.ts';
import { conflict } from '../oci/errors.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { nameOf, present } from './input.ts';
import { iso, subjectPage } from './output.ts';
import { isSelf, requireAdmin } from './rights.ts';
import {
  Description,
  Grant,
  Grants,
  Next,
  named,
  Password,
  Principal,
  pageOf,
  SubjectName,
  Time,
} from './schemas.ts';

export const User = named(
  'User',
  z.strictObject({
    name: SubjectName,
    description: Description,
    disabled: z.boolean().describe('Whether the user is kept from logging in.'),
    groups: z.array(SubjectName),
    grants: z.array(Grant).describe("The user's own; those of the groups come on top."),
    createdAt: Time,
    createdBy: Principal.describe('Who made it; `setup` for the first admin.'),
  }),
);

const NewUser = named(
  'NewUser',
  z.strictObject({
    name: SubjectName.refine(
      (name) => !RESERVED_NAMES.includes(name),
      'means something else where a user logs in',
    ),
    password: Password.optional().describe('One is generated, and shown once, where none is given.'),
    description: Description.optional(),
    grants: Grants.optional(),
    groups: z.array(SubjectName).max(MAX_GROUPS).optional().describe('They must exist.'),
  }),
);

const GeneratedPassword = z
  .string()
  .optional()
  .describe('Where it was generated: shown now and never again.');

const CreatedUser = named('CreatedUser', z.strictObject({ user: User, password: GeneratedPassword }));
const UserList = named('UserList', z.strictObject({ users: z.array(User), next: Next }));
const NewPassword = named('NewPassword', z.strictObject({ password: Password.optional() }));
const SetPassword = named('SetPassword', z.strictObject({ password: GeneratedPassword }));

/** Of a user or a robot. */
export const Change = named(
  'Change',
  z.strictObject({ disabled: z.boolean().optional(), description: Description.optional() }),
);

/** What the API shows of a user. */
export const userOut = (user: UserItem): z.infer<typeof User> => ({
  name: user.name,
  description: user.description,
  disabled: user.disabled,
  groups: [...user.groups],
  grants: user.grants.map(({ pattern, actions }) => ({ pattern, actions: [...actions] })),
  createdAt: iso(user.createdAt),
  createdBy: user.createdBy,
});

const LAST_ADMIN = 'It is the caller, or nobody would be left who is admin of the registry.';

export const endpoints = {
  'user.list': endpoint({
    summary: 'Users, in the order of their names',
    query: z.strictObject(pageOf(SubjectName)),
    answer: UserList,
    allow: requireAdmin,
    async handle(call, { query }) {
      const { entries, ...rest } = await subjectPage(call, 'user', query, (name, found) =>
        userOut(userOf(name, found)),
      );
      return { users: entries, ...rest };
    },
  }),
  'user.create': endpoint({
    summary: 'Make a user',
    body: NewUser,
    status: 201,
    answer: CreatedUser,
    problems: { 404: 'There is no such group.', 409: 'The name is taken.' },
    allow: requireAdmin,
    async handle(call, { body }) {
      const { name, description = '', grants = [], groups = [] } = body;
      call.about(`user:${name}`);
      const password = body.password ?? newPassword();
      const createdBy = call.caller.principal;
      const isNew = await createUser(call.registry, {
        name,
        password,
        description,
        grants,
        groups,
        createdBy,
      });
      if (!isNew) throw conflict(`there is a user of this name: ${name}`);
      const user = await requireUser(call, name);
      return { user: userOut(user), ...(body.password === undefined && { password }) };
    },
  }),
  'user.get': endpoint({
    summary: 'A user',
    answer: User,
    allow: requireAdmin,
    async handle(call) {
      return userOut(await requireUser(call, nameOf(call, 'user')));
    },
  }),
  'user.change': endpoint({
    summary: 'Disable or enable a user, or describe them anew; a disabled user is out at once',
    body: Change,
    answer: User,
    problems: { 409: LAST_ADMIN },
    allow: requireAdmin,
    async handle(call, { body }) {
      const name = nameOf(call, 'user');
      if (body.disabled && isSelf(call, name)) throw conflict('nobody can disable themselves');
      present((await changeUser(call.registry, name, body)) || undefined, 'user', name);
      // Who is let in again logs in again: a browser that was the reason may be somebody else's.
      if (body.disabled) await endSessions(call.registry, name);
      return userOut(await requireUser(call, name));
    },
  }),
  'user.delete': endpoint({
    summary: 'Delete a user, with their access tokens and memberships',
    problems: { 409: LAST_ADMIN },
    allow: requireAdmin,
    async handle(call) {
      const name = nameOf(call, 'user');
      if (isSelf(call, name)) throw conflict('nobody can delete themselves');
      present((await deleteUser(call.registry, name)) || undefined, 'user', name);
    },
  }),
  'user.password': endpoint({
    summary: "Replace a user's password; whoever logged in with the old one is out at once",
    body: NewPassword,
    answer: SetPassword,
    allow: requireAdmin,
    async handle(call, { body }) {
      const name = nameOf(call, 'user');
      const password = body.password ?? newPassword();
      present((await setPassword(call.registry, name, password)) || undefined, 'user', name);
      return body.password === undefined ? { password } : {};
    },
  }),
} satisfies Record<string, Endpoint>;

async function requireUser({ registry }: Call, name: string): Promise<UserItem> {
  return present(await findUser(registry, name), 'user', name);
}
