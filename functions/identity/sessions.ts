import { SESSION_IDLE_SECONDS } from '../limits.ts';
import { entryIn, sessionKey, sessionsOf } from '../registry/keys.ts';
import type { Registry } from '../registry/registry.ts';
import { type Attributes, absent, type Item, MAX_OPERATIONS, present } from '../storage/table.ts';
import { type CredentialRef, type Identity, passwordCredential } from './identity.ts';
import { type PrincipalId, parseSubject, principalOf } from './principal.ts';
import { idOfSecret, isSecret, newSecret } from './secrets.ts';
import { findUser, userSubject } from './users.ts';

/** A browser in which a user has logged in. It holds as long as the password does. */
export interface Session {
  readonly id: string;
  readonly credential: CredentialRef;
  /** Milliseconds since 1970, as the others. */
  readonly createdAt: number;
  /** To five minutes. */
  readonly seenAt: number;
  readonly endsAt: number;
  /** Where from, and with what, the user has logged in. */
  readonly address: string;
  readonly agent: string;
}

interface NewSession extends Pick<Session, 'address' | 'agent'> {
  readonly seconds: number;
}

/** Ours: so many sessions of a user are listed. */
const MAX_LISTED = 100;

/** Ours: a session that is used is written so often, and no oftener. */
const SEEN_MS = 5 * 60_000;

/** What a browser names can be long; a list shows the beginning. */
const MAX_AGENT = 200;

/** Makes a session of the user who has just logged in, always a new one; answers the text that stands for it. */
export async function createSession(
  { table, now }: Registry,
  { principal, credential }: Identity,
  { address, agent, seconds }: NewSession,
): Promise<string> {
  const name = parseSubject(principal)?.name ?? '';
  const { id, text, hash } = newSecret('session');
  const endsAt = now() + seconds * 1000;
  const times = { createdAt: now(), seenAt: now(), endsAt, expiresAt: Math.ceil(endsAt / 1000) };
  const attributes: Attributes = { credential, hash, address, agent: agent.slice(0, MAX_AGENT), ...times };
  await table.write([{ put: sessionKey(userSubject(name), id), attributes, when: [absent] }]);
  return `${name}.${text}`;
}

/** Whose session it is, and notes that it is used; `undefined` where it is none, or has ended. Whether its credential still holds is
 *  for the caller to ask. */
export async function findSession(
  { table, now }: Registry,
  text: string,
): Promise<
  { readonly id: string; readonly principal: PrincipalId; readonly credential: CredentialRef } | undefined
> {
  const { name, secret, id } = partsOf(text);
  if (id === undefined) return undefined;
  const key = sessionKey(userSubject(name), id);
  const found = await table.get(key);
  if (!found || !isSecret(secret, found['hash'] as Uint8Array)) return undefined;
  const { credential, seenAt, endsAt } = sessionOf(id, found);
  if (endsAt <= now() || seenAt + SESSION_IDLE_SECONDS * 1000 <= now()) return undefined;
  if (seenAt + SEEN_MS <= now())
    await table.write([{ update: key, set: { seenAt: now() }, when: [present] }]);
  return { id, principal: principalOf('user', name), credential };
}

/** The sessions of a user that could still be used, in no order; none that an older password led to. */
export async function listSessions(registry: Registry, name: string): Promise<Session[]> {
  const { table, now } = registry;
  const [user, items] = await Promise.all([
    findUser(registry, name),
    table.query({ ...sessionsOf(userSubject(name)), limit: MAX_LISTED }),
  ]);
  return items
    .map((item: Item) => sessionOf(entryIn(item), item.attributes))
    .filter(({ credential }) => user && credential === passwordCredential(user))
    .filter(({ endsAt, seenAt }) => endsAt > now() && seenAt + SESSION_IDLE_SECONDS * 1000 > now());
}

/** Ends a session at once; answers whether there was one. */
export async function endSession({ table }: Registry, user: string, id: string): Promise<boolean> {
  const { committed } = await table.write([{ remove: sessionKey(userSubject(user), id), when: [present] }]);
  return committed;
}

/** Ends all sessions of a user for good. */
export async function endSessions({ table }: Registry, user: string): Promise<void> {
  const subject = userSubject(user);
  for (;;) {
    const items = await table.query({ ...sessionsOf(subject), limit: MAX_OPERATIONS, keysOnly: true });
    if (items.length === 0) return;
    await table.write(items.map((item) => ({ remove: sessionKey(subject, entryIn(item)) })));
  }
}

/** The id in the text of a session; `undefined` where the text is none. */
export const sessionIdIn = (text: string) => partsOf(text).id;

/** Names of users may have dots, secrets have none. */
function partsOf(text: string) {
  const dot = text.lastIndexOf('.');
  const [name, secret] = [text.slice(0, Math.max(dot, 0)), text.slice(dot + 1)];
  const isUser = parseSubject(`user:${name}`) !== undefined;
  return { name, secret, id: isUser ? idOfSecret('session', secret) : undefined };
}

function sessionOf(id: string, found: Attributes): Session {
  const { credential, createdAt, seenAt, endsAt, address, agent } = found as unknown as Omit<Session, 'id'>;
  return { id, credential, createdAt, seenAt, endsAt, address, agent };
}
