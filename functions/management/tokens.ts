import * as z from 'zod';
import type { Call } from '../handlers/call.ts';
import { type AccessToken, createToken, listTokens, MAX_TOKENS, revokeToken } from '../identity/tokens.ts';
import { findUser } from '../identity/users.ts';
import { conflict } from '../oci/errors.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { future, nameOf, present } from './input.ts';
import { iso, usesOf } from './output.ts';
import { requirePasswordOrAdmin, requireSelfOrAdmin } from './rights.ts';
import { Description, FutureTime, Grant, Grants, named, Time } from './schemas.ts';

const LIMIT = 'What it is limited to, within what its user may do; absent where it is not.';

const Token = named(
  'Token',
  z.strictObject({
    id: z.string(),
    description: Description,
    grants: z.array(Grant).optional().describe(LIMIT),
    createdAt: Time,
    validUntil: Time.optional().describe('Absent where it never ends.'),
    lastUsedAt: Time.optional().describe('To the hour; absent where it was never used.'),
  }),
);

const NewToken = named(
  'NewToken',
  z.strictObject({
    description: Description,
    grants: Grants.optional().describe(LIMIT),
    validUntil: FutureTime.optional(),
  }),
);

const CreatedToken = named(
  'CreatedToken',
  z.strictObject({
    token: Token,
    secret: z.string().describe('What stands for the password: shown now and never again.'),
  }),
);
const TokenList = named('TokenList', z.strictObject({ tokens: z.array(Token) }));

const tokenOut = (token: AccessToken): z.infer<typeof Token> => ({
  id: token.id,
  description: token.description,
  ...(token.grants && {
    grants: token.grants.map(({ pattern, actions }) => ({ pattern, actions: [...actions] })),
  }),
  createdAt: iso(token.createdAt),
  ...usesOf(token),
});

export const endpoints = {
  'token.list': endpoint({
    summary: "A user's access tokens, those that have expired of late included; for the user and for admins",
    answer: TokenList,
    allow: (call) => requireSelfOrAdmin(call, nameOf(call, 'user')),
    async handle(call) {
      const name = await requireUser(call);
      return { tokens: (await listTokens(call.registry, name)).map(tokenOut) };
    },
  }),
  'token.create': endpoint({
    summary: 'Make an access token: a password for programs; for admins, and for the user by password',
    body: NewToken,
    status: 201,
    answer: CreatedToken,
    problems: { 409: `The user has ${MAX_TOKENS} tokens, as many as there can be.` },
    allow: (call) => requirePasswordOrAdmin(call, nameOf(call, 'user')),
    async handle(call, { body }) {
      const { description, grants } = body;
      const validUntil = future(call, body.validUntil);
      const name = await requireUser(call);
      const made = await createToken(call.registry, name, { description, grants, validUntil });
      if (!made) throw conflict(`${name} has ${MAX_TOKENS} access tokens, as many as there can be`);
      call.about(`token ${made.token.id} of user:${name}`);
      return { token: tokenOut(made.token), secret: made.secret.text };
    },
  }),
  'token.revoke': endpoint({
    summary: 'Void an access token at once; for admins, and for the user by password',
    allow: (call) => requirePasswordOrAdmin(call, nameOf(call, 'user')),
    async handle(call) {
      const id = call.params['token'] ?? '';
      const isToken = /^[0-9a-f]{16}$/.test(id);
      const wasThere = isToken && (await revokeToken(call.registry, nameOf(call, 'user'), id));
      present(wasThere || undefined, 'access token', id.slice(0, 100));
    },
  }),
} satisfies Record<string, Endpoint>;

async function requireUser(call: Call): Promise<string> {
  const name = nameOf(call, 'user');
  present(await findUser(call.registry, name), 'user', name);
  return name;
}
