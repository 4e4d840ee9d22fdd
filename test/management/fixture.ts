import { expect } from 'vitest';
import { createApp } from '../../functions/app.ts';
import { Authentication } from '../../functions/auth/authentication.ts';
import { IdTokenVerifier } from '../../functions/auth/id-tokens.ts';
import { TableKeys } from '../../functions/auth/table-keys.ts';
import { ADMIN_GRANTS } from '../../functions/identity/first-admin.ts';
import type { Grant, GrantAction } from '../../functions/identity/grants.ts';
import { passwordCredential } from '../../functions/identity/identity.ts';
import { hashPassword } from '../../functions/identity/passwords.ts';
import { principalOf } from '../../functions/identity/principal.ts';
import { createSubject, grantsAttribute } from '../../functions/identity/subjects.ts';
import { findUser, userSubject } from '../../functions/identity/users.ts';
import { type Fixture, openFixture } from '../registry/fixture.ts';
import { type Checker, checkerOf, type Document } from './document.ts';

export const PASSWORD = 'correct horse battery';
/** Derived once for all users of a test file: it is made to be slow. */
const HASH = hashPassword(PASSWORD);
export const DAY = 24 * 60 * 60_000;

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Empty where there is none. */
  readonly body: Readonly<Record<string, unknown>>;
}

interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** `GET /users`, `POST /users` with a body: JSON, unless it is text already. */
export type Caller = (line: string, body?: unknown, type?: string) => Promise<Answer>;

/** A registry with an admin `root`, and its management API as each of its callers sees it. Every answer is checked
 *  against the document that the API serves. */
export interface Api extends Fixture {
  readonly document: Document;
  send(request: Request): Promise<Response>;
  /** Whoever logs in so; a name alone is a user with the usual password. */
  as(who: string | Credentials): Promise<Caller>;
  withToken(token: string | undefined): Caller;
  addUser(name: string, ...grants: Grant[]): Promise<void>;
}

export async function openApi(): Promise<Api> {
  const fixture = await openFixture();
  const { registry } = fixture;
  const keys = new TableKeys(registry);
  const authentication = new Authentication({ registry, keys, workloads: new IdTokenVerifier() });
  const app = createApp({ registry, authentication });
  const send = (request: Request) => app(request, { address: '192.0.2.1', scheme: 'https' });
  const document = (await (await send(requestOf('GET /openapi.json'))).json()) as Document;
  const check = checkerOf(document);
  const withToken =
    (token: string | undefined): Caller =>
    (line, body, type) =>
      call(send, check, requestOf(line, token, body, type));
  const api: Api = Object.assign(fixture, {
    document,
    send,
    withToken,
    async as(who: string | Credentials) {
      if (typeof who !== 'string') return withToken(await tokenFor(send, who));
      const user = await findUser(registry, who);
      if (!user) throw new Error(`there is no user ${who}`);
      // What a login answers, without the work of deriving the password.
      const { text } = await authentication.tokens.issue({
        principal: principalOf('user', who),
        credential: passwordCredential(user),
        access: [{ type: 'registry', name: 'api', actions: ['*'] }],
      });
      return withToken(text);
    },
    async addUser(name: string, ...grants: Grant[]) {
      const attributes = { grants: grantsAttribute(grants), createdAt: registry.now(), createdBy: 'test' };
      const password = { passwordHash: await HASH, stamp: registry.newId() };
      await createSubject(registry, userSubject(name), { ...attributes, ...password });
    },
  });
  await api.addUser('root', ...ADMIN_GRANTS);
  return api;
}

export const grant = (pattern: string, ...actions: GrantAction[]): Grant => ({ pattern, actions });

type Send = Api['send'];

async function call(send: Send, check: Checker, request: Request): Promise<Answer> {
  const response = await send(request);
  const text = await response.text();
  const body = text === '' ? undefined : JSON.parse(text);
  expect(check(request, response, body)).toEqual([]);
  return { status: response.status, headers: response.headers, body: body ?? {} };
}

/** An access token for the scope; fails where the login does. */
export async function tokenFor(
  send: Send,
  { username, password }: Credentials,
  scope = 'registry:api:*',
): Promise<string> {
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const url = `http://registry.test/token?scope=${scope}`;
  const response = await send(new Request(url, { headers: { authorization } }));
  const { token } = (await response.json()) as { token?: string };
  if (!token) throw new Error(`${username} cannot log in: ${response.status}`);
  return token;
}

/** The status of a login. */
export async function login(send: Send, username: string, password: string): Promise<number> {
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  return (await send(new Request('http://registry.test/token', { headers: { authorization } }))).status;
}

function requestOf(line: string, token?: string, body?: unknown, type = 'application/json'): Request {
  const [method = '', path = ''] = line.split(' ');
  return new Request(`http://registry.test/api/v1${path}`, {
    method,
    headers: {
      ...(token && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': type }),
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
}
