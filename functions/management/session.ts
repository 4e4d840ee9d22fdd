import * as z from 'zod';
import {
  dropSession,
  keepSession,
  requireOwnPage,
  sessionSeconds,
  sessionTextOf,
} from '../auth/session-cookie.ts';
import type { Call } from '../handlers/call.ts';
import { type AuditRecord, recordAudit } from '../identity/audit.ts';
import { type Identity, isPasswordCredential } from '../identity/identity.ts';
import { logIn } from '../identity/login.ts';
import { claimedName, parseSubject } from '../identity/principal.ts';
import { createSession, endSession, listSessions, sessionIdIn } from '../identity/sessions.ts';
import { denied, endpointUnknown, unauthorized } from '../oci/errors.ts';
import { tooManyLogins } from '../oci/host-errors.ts';
import { answered, type Endpoint, endpoint } from './endpoint.ts';
import { present } from './input.ts';
import { iso } from './output.ts';
import { named, Principal, Time } from './schemas.ts';

const Login = named(
  'Login',
  z.strictObject({ username: z.string().max(255), password: z.string().max(1024) }),
);
const LoggedIn = named('LoggedIn', z.strictObject({ principal: Principal, endsAt: Time }));
const Session = named(
  'Session',
  z.strictObject({
    id: z.string(),
    createdAt: Time,
    seenAt: Time.describe('To five minutes.'),
    endsAt: Time,
    address: z.string().describe('Where the user has logged in from.'),
    agent: z.string().describe('The browser, as it names itself.'),
    current: z.boolean().describe('Whether this request has come by it.'),
  }),
);
const SessionList = named('SessionList', z.strictObject({ sessions: z.array(Session) }));

/** Has the browser forget what it keeps of the registry. */
const CLEAR = { 'Clear-Site-Data': '"cache", "storage"' };

export const endpoints = {
  'session.create': endpoint({
    summary:
      "Log a user in by password, in the registry's own page: the answer sets a cookie that counts for this API only",
    body: Login,
    status: 201,
    answer: LoggedIn,
    problems: {
      401: 'The name or the password is wrong.',
      403: 'Another page has sent it.',
      429: 'Too many passwords were wrong of late.',
    },
    async handle(call, { body }) {
      const { registry, origin, request, address } = call;
      requireOwnPage(request);
      const identity = await identify(call, body);
      const seconds = sessionSeconds(origin);
      const agent = request.headers.get('user-agent') ?? '';
      const text = await createSession(registry, identity, { address, agent, seconds });
      const { principal } = identity;
      call.loggedIn(principal);
      await recordAudit(registry, recordOf(call, principal, 201));
      const answer = { principal, endsAt: iso(registry.now() + seconds * 1000) };
      return answered(answer, 201, { 'Set-Cookie': keepSession(origin, text) });
    },
  }),
  'session.end': endpoint({
    summary: 'Log out: ends the session of the cookie',
    async handle(call) {
      const id = currentId(call);
      if (id !== undefined) await endSession(call.registry, userOf(call), id);
      return new Response(null, {
        status: 204,
        headers: { 'Set-Cookie': dropSession(call.origin), ...CLEAR },
      });
    },
  }),
  'session.list': endpoint({
    summary: 'The browsers in which the caller is logged in',
    answer: SessionList,
    allow: requirePassword,
    async handle(call) {
      const sessions = await listSessions(call.registry, userOf(call));
      const current = currentId(call);
      return {
        sessions: sessions.map(({ id, createdAt, seenAt, endsAt, address, agent }) => ({
          ...{ id, address, agent, current: id === current },
          ...{ createdAt: iso(createdAt), seenAt: iso(seenAt), endsAt: iso(endsAt) },
        })),
      };
    },
  }),
  'session.revoke': endpoint({
    summary: "End one of the caller's own sessions at once",
    allow: requirePassword,
    async handle(call) {
      const id = call.params['session'] ?? '';
      const isId = /^[0-9a-f]{16}$/.test(id);
      const wasThere = isId && (await endSession(call.registry, userOf(call), id));
      present(wasThere || undefined, 'session', id.slice(0, 100));
    },
  }),
} satisfies Record<string, Endpoint>;

/** An access token that leaks must not tell where its user is, nor log them out. */
async function requirePassword({ caller }: Call): Promise<void> {
  if (!isPasswordCredential(caller.credential))
    throw denied('log in with the password, not with a token, to do this');
}

/** Only users have sessions; nobody else has anything in their lists. */
const userOf = ({ caller }: Call) => {
  const subject = parseSubject(caller.principal);
  return subject?.kind === 'user' ? subject.name : '';
};

function currentId({ request, origin }: Call): string | undefined {
  if (request.headers.has('authorization')) return undefined;
  return sessionIdIn(sessionTextOf(request, origin) ?? '');
}

/** A token or the secret of a robot is for programs: a page that takes them would have people paste them. */
async function identify(call: Call, credentials: z.infer<typeof Login>): Promise<Identity> {
  const { registry, address, authentication } = call;
  if (!authentication) throw endpointUnknown();
  const { workloads, passwords, refusals } = authentication;
  const outcome = await logIn({ registry, workloads, passwords, address }, credentials);
  if (outcome.is === 'limited') throw tooManyLogins(outcome.retryAfterSeconds);
  if (outcome.is === 'known' && isPasswordCredential(outcome.identity.credential)) return outcome.identity;
  await refusals.record(registry, recordOf(call, `?${claimedName(credentials.username)}`, 401));
  const why =
    outcome.is === 'known' ? 'log in with the password of a user' : 'incorrect user name or password';
  throw unauthorized(why, 'Session realm="stowage"');
}

function recordOf({ registry, request, address }: Call, principal: string, status: number): AuditRecord {
  return {
    time: registry.now(),
    principal,
    operation: 'session.create',
    outcome: status === 201 ? 'allowed' : 'refused',
    status,
    target: undefined,
    address,
    userAgent: request.headers.get('user-agent') ?? '',
  };
}
