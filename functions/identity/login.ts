import { MAX_TOKEN_GRANTS_BYTES } from '../limits.ts';
import type { Registry } from '../registry/registry.ts';
import { type Attempt, beginAttempt } from './attempts.ts';
import {
  currentIdentity,
  type Identity,
  identityOfRobot,
  identityOfToken,
  identityOfUser,
  identityOfWorkload,
  noteUse,
} from './identity.ts';
import type { PasswordMemory } from './password-memory.ts';
import { verifyPassword } from './passwords.ts';
import { parseLogin, SUBJECT_NAME } from './principal.ts';
import { findRefreshToken } from './refresh-tokens.ts';
import { findRobot } from './robots.ts';
import { idOfSecret, isSecret } from './secrets.ts';
import { findToken } from './tokens.ts';
import { findUser } from './users.ts';
import type { WorkloadVerifier } from './workload.ts';

export type LoginOutcome =
  | { readonly is: 'known'; readonly identity: Identity }
  /** `why` is only there where it tells nothing about who exists. An outage is no wrong credential: it does not count. */
  | { readonly is: 'refused'; readonly why?: string; readonly isOutage?: true }
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

/** Who has these credentials: a user by password or token, a robot by secret, a workload by ID token. An unknown name
 *  and a wrong password are the same answer after the same work. */
export async function logIn(
  context: LoginContext,
  { username, password }: Credentials,
): Promise<LoginOutcome> {
  const { registry, address } = context;
  const login = parseLogin(username);
  if (login.kind === 'workload') {
    return counted(await beginAttempt(registry, { address }), () => byIdToken(context, password));
  }
  const name = SUBJECT_NAME.test(login.name) ? login.name : undefined;
  if (login.kind === 'robot') {
    return counted(await beginAttempt(registry, { address }), () => bySecret(registry, name, password));
  }
  const tokenId = idOfSecret('token', password);
  if (tokenId !== undefined) {
    return counted(await beginAttempt(registry, { address }), () =>
      byToken(registry, name, tokenId, password),
    );
  }
  return byPassword(context, name, { username: login.name, password });
}

/** Who has this refresh token, where the credential behind it still holds. */
export async function logInAgain({ registry, address }: LoginContext, text: string): Promise<LoginOutcome> {
  return counted(await beginAttempt(registry, { address }), async () => {
    const found = await findRefreshToken(registry, text);
    return known(found && (await currentIdentity(registry, found.principal, found.credential)));
  });
}

async function counted(attempt: Attempt, logInNow: () => Promise<LoginOutcome>): Promise<LoginOutcome> {
  if (attempt.is === 'refused') return { is: 'limited', retryAfterSeconds: attempt.retryAfterSeconds };
  const outcome = await logInNow().catch(async (error: unknown) => {
    await attempt.settle(true); // nobody has learned whether it was right
    throw error;
  });
  const isFailure = outcome.is === 'refused' && !outcome.isOutage;
  await attempt.settle(!isFailure);
  return outcome;
}

const known = (identity: Identity | undefined): LoginOutcome =>
  identity ? { is: 'known', identity } : { is: 'refused' };

/** A password that was right a moment ago is not derived and counted again: clients send it with every scope. */
async function byPassword(
  { registry, address, passwords }: LoginContext,
  name: string | undefined,
  { username, password }: Credentials,
): Promise<LoginOutcome> {
  const user = name === undefined ? undefined : await findUser(registry, name);
  const isKnown = user !== undefined && !user.disabled && passwords.knows(user, password);
  const attempt = await beginAttempt(registry, { address, user: username, isKnown });
  return counted(attempt, async () => {
    const isRight = isKnown || (await verifyPassword(password, user?.passwordHash));
    if (!user || !isRight || user.disabled) return { is: 'refused' };
    if (!isKnown) passwords.remember(user, password);
    return known(await identityOfUser(registry, user));
  });
}

async function byToken(registry: Registry, name: string | undefined, id: string, password: string) {
  if (name === undefined) return known(undefined);
  const [user, token] = await Promise.all([findUser(registry, name), findToken(registry, name, id)]);
  if (!isSecret(password, token?.hash) || !user || !token) return known(undefined);
  const identity = await identityOfToken(registry, user, token);
  if (identity) await noteUse(registry, { user: user.name, token });
  return known(identity);
}

async function bySecret(registry: Registry, name: string | undefined, password: string) {
  const robot = name === undefined ? undefined : await findRobot(registry, name);
  if (!isSecret(password, robot?.hash) || !robot) return known(undefined);
  const identity = identityOfRobot(registry, robot);
  if (identity) await noteUse(registry, { robot });
  return known(identity);
}

async function byIdToken({ registry, workloads }: LoginContext, idToken: string): Promise<LoginOutcome> {
  const outcome = await workloads.verify(registry, idToken);
  if (outcome.is === 'refused') return outcome;
  if (JSON.stringify(outcome.workload.grants).length > MAX_TOKEN_GRANTS_BYTES) {
    return { is: 'refused', why: 'the rules that fit give more grants than an access token can carry' };
  }
  return known(identityOfWorkload(outcome.workload));
}
