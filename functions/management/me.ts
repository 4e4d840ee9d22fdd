import * as z from 'zod';
import { changeOwnPassword } from '../identity/password-change.ts';
import { parseSubject } from '../identity/principal.ts';
import { findUser } from '../identity/users.ts';
import { denied } from '../oci/errors.ts';
import { tooManyLogins } from '../oci/host-errors.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { authorityOf } from './rights.ts';
import { named, Password, Principal } from './schemas.ts';
import { User, userOut } from './users.ts';

const Me = named(
  'Me',
  z.strictObject({
    principal: Principal,
    admin: z.boolean().describe('Whether the caller is admin of the whole registry.'),
    open: z.literal(true).optional().describe('The registry has no users: everybody may do everything.'),
    user: User.optional().describe('Where the caller is a user.'),
  }),
);

const PasswordChange = named('PasswordChange', z.strictObject({ current: z.string(), new: Password }));

export const endpoints = {
  'me.get': endpoint({
    summary: 'Who the caller is',
    answer: Me,
    async handle(call) {
      const { principal } = call.caller;
      const admin = (await authorityOf(call)).administers('*');
      const subject = parseSubject(principal);
      const user = subject?.kind === 'user' ? await findUser(call.registry, subject.name) : undefined;
      const open = call.authentication ? {} : ({ open: true } as const);
      return { principal, admin, ...open, ...(user && { user: userOut(user) }) };
    },
  }),
  'me.password': endpoint({
    summary:
      "Replace the caller's own password; whoever logged in with the old one is out at once, the caller too",
    body: PasswordChange,
    problems: { 429: 'Too many passwords were wrong of late.' },
    async allow({ caller }) {
      if (!caller.credential.startsWith('password:'))
        throw denied('only a user who has logged in with the password can change it');
    },
    async handle({ caller, registry, address }, { body }) {
      const name = parseSubject(caller.principal)?.name ?? '';
      const { current, new: next } = body;
      const outcome = await changeOwnPassword(registry, name, { current, next, address });
      if (outcome.is === 'limited') throw tooManyLogins(outcome.retryAfterSeconds);
      if (outcome.is === 'refused') throw denied('the current password is wrong');
    },
  }),
} satisfies Record<string, Endpoint>;
