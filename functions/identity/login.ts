import { MAX_TOKEN_GRANTS_BYTES } from '../limits.ts';
import type { Registry } from '../registry/registry.ts';
import { tryPassword } from './attempts.ts';
import {
  currentIdentity,
  type Identity,
  identityOfRobot,
  identityOfToken,
  identityOfUser,
  identityOfWorkload,
  noteUse,
  secretsOf,
} from './identity.ts';
import { networkOf } from './network.ts';
import type { PasswordMemory } from './password-memory.ts';
import { verifyPassword } from './passwords.ts';
import { loginOf, parseLogin, SUBJECT_NAME } from './principal.ts';
import { findRefreshToken, isRefreshToken } from './refresh-tokens.ts';
import { findRobot, type Robot } from './robots.ts';
import { idOfSecret, isSecret } from './secrets.ts';
import { findToken, isValid } from './tokens.ts';
import { findUser } from './users.ts';
import type { WorkloadVerifier } from './workload.ts';

export type LoginOutcome =
  | { readonly is: 'known'; readonly identity: Identity }
  /** `why` is only there where it tells nothing about who exists; `cause` is for the log. */
  | { readonly is: 'refused'; readonly why?: string; readonly cause?: unknown }
  | { readonly is: 'limited'; readonly retryAfterSeconds: number };

export interface LoginContext {
  readonly registry: Registry;
  readonly workloads: WorkloadVerifier;
  readonly passwords: PasswordMemory;
  /** Where the request comes from. */
  readonly address: string;
}

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** Who has these credentials: a user by password or token, a robot by secret, a workload by ID token, and whoever has a
 *  refresh token by that, as docker leaves it to other tools. An unknown name and a wrong password are the same answer after
 *  the same work. Passwords can be guessed, and are counted. */
export async function logIn(
  context: LoginContext,
  { username, password }: Credentials,
): Promise<LoginOutcome> {
  const { registry } = context;
  if (isRefreshToken(password)) return byRefreshToken(registry, password, username);
  const login = parseLogin(username);
  if (login.kind === 'workload') return byIdToken(context, password);
  const name = SUBJECT_NAME.test(login.name) ? login.name : undefined;
  if (login.kind === 'robot') return bySecret(registry, name, password);
  const tokenId = idOfSecret('token', password);
  if (tokenId !== undefined) return byToken(registry, name, tokenId, password);
  return byPassword(context, name, { username: login.name, password });
}

/** Who has this refresh token, where the credential behind it still holds. */
export const logInAgain = ({ registry }: LoginContext, text: string): Promise<LoginOutcome> =>
  byRefreshToken(registry, text);

/** What docker gives as the name of whoever has a refresh token. */
const NAMELESS = '<token>';

async function byRefreshToken(registry: Registry, text: string, username = NAMELESS): Promise<LoginOutcome> {
  const found = await findRefreshToken(registry, text);
  const isTheirs = found && [NAMELESS, loginOf(found.principal)].includes(username);
  return known(isTheirs ? await currentIdentity(registry, found) : undefined);
}

const known = (identity: Identity | undefined): LoginOutcome =>
  identity ? { is: 'known', identity } : { is: 'refused' };

/** A password that was right a moment ago is not derived and counted again: clients send it with every scope. One that many
 *  send at once from one address is tried once. */
async function byPassword(
  { registry, address, passwords }: LoginContext,
  name: string | undefined,
  { username, password }: Credentials,
): Promise<LoginOutcome> {
  const user = name === undefined ? undefined : await findUser(registry, name);
  const isKnown = user !== undefined && !user.disabled && passwords.knows(user, password);
  const tried = () =>
    tryPassword(registry, { address, user: username, isKnown }, async () => {
      const isRight = isKnown || (await verifyPassword(password, user?.passwordHash, networkOf(address)));
      return user !== undefined && isRight && !user.disabled;
    });
  const outcome = await (user ? passwords.once(user, password, address, tried) : tried());
  if (outcome.is !== 'right') return outcome;
  if (!isKnown && user) passwords.remember(user, password);
  return known(user && (await identityOfUser(registry, user)));
}

async function byToken(registry: Registry, name: string | undefined, id: string, password: string) {
  if (name === undefined) return known(undefined);
  const [user, token] = await Promise.all([findUser(registry, name), findToken(registry, name, id)]);
  if (!isSecret(password, token?.hash) || !user || !token) return known(undefined);
  const identity = await identityOfToken(registry, user, token);
  if (!identity && hasEnded(registry, token))
    return refused(`the access token ${id} ended on ${dayOf(token.validUntil)}; make another one`);
  if (identity) await noteUse(registry, { user: user.name, token });
  return known(identity);
}

async function bySecret(registry: Registry, name: string | undefined, password: string) {
  const robot = name === undefined ? undefined : await findRobot(registry, name);
  const secret = robot && secretsOf(robot).find(({ hash }) => isSecret(password, hash));
  if (!secret) return known(undefined);
  const identity = identityOfRobot(registry, robot, secret);
  if (!identity) return refused(whyNot(registry, robot, secret === robot));
  await noteUse(registry, { robot });
  return known(identity);
}

/** Told to nobody but who has its secret. */
function whyNot(registry: Registry, robot: Robot, isNewest: boolean): string {
  const { name, validUntil, disabled, former } = robot;
  if (!isNewest && !disabled)
    return `this secret of robot ${name} was replaced, and ended on ${dayOf(former?.validUntil)}; use the new one`;
  if (hasEnded(registry, robot) && !disabled)
    return `robot ${name} ended on ${dayOf(validUntil)}; stowage robot renew ${name} --days N`;
  return `robot ${name} is disabled; stowage robot enable ${name}`;
}

const refused = (why: string): LoginOutcome => ({ is: 'refused', why });

const hasEnded = ({ now }: Registry, credential: { readonly validUntil?: number }) =>
  !isValid(credential, now());

const dayOf = (milliseconds = 0) => new Date(milliseconds).toISOString().slice(0, 10);

async function byIdToken({ registry, workloads }: LoginContext, idToken: string): Promise<LoginOutcome> {
  const outcome = await workloads.verify(registry, idToken);
  if (outcome.is === 'refused') return outcome;
  if (JSON.stringify(outcome.workload.grants).length > MAX_TOKEN_GRANTS_BYTES) {
    return { is: 'refused', why: 'the rules that fit give more grants than an access token can carry' };
  }
  return known(identityOfWorkload(outcome.workload));
}
