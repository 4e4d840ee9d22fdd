import { createHash } from 'node:crypto';
import { attemptsKey } from '../registry/keys.ts';
import { LOST, untilWon } from '../registry/races.ts';
import type { Registry } from '../registry/registry.ts';
import { type Attributes, absent, equals, type Key } from '../storage/table.ts';
import { networkOf } from './network.ts';

/** Ours: failed logins are counted over so long. */
const WINDOW_MS = 5 * 60_000;

/** Ours: passwords tried for one user in a window. A person mistypes a few times; a guesser gets 2,880 a day. */
const PER_USER = 10;

/** Ours: users whose passwords were tried in vain from one address in a window; an office may share one. Whoever sends the same
 *  wrong password all day, such as that of another registry, is one of them. */
const USERS_PER_ADDRESS = 100;

/** `limited`: it was not tried. */
export type PasswordOutcome =
  | { readonly is: 'right' }
  | { readonly is: 'refused' }
  | { readonly is: 'limited'; readonly retryAfterSeconds: number };

type Attempt =
  | { readonly is: 'allowed'; settle(succeeded: boolean): Promise<void> }
  | { readonly is: 'refused'; readonly retryAfterSeconds: number };

interface Whom {
  /** Where the login comes from. */
  readonly address: string;
  /** Whose password is tried. */
  readonly user: string;
  /** Whether the password is known to be right. Then it need not be counted; yet it waits like a wrong one, since the
   *  answer would tell a guesser which it is. @default false */
  readonly isKnown?: boolean;
}

/** Tries a password, where not too many were tried. Generated secrets, which nobody guesses, are not counted. Failures count,
 *  and so does what is being tried: many guesses at once are not more than one by one. Who finds no place among these waits
 *  for one, and need not fail where all of them are right; TOOMANYREQUESTS where that takes too long. */
export async function tryPassword(
  registry: Registry,
  whom: Whom,
  isRight: () => Promise<boolean>,
): Promise<PasswordOutcome> {
  const attempt = await beginAttempt(registry, whom);
  if (attempt.is === 'refused') return { is: 'limited', retryAfterSeconds: attempt.retryAfterSeconds };
  const succeeded = await isRight().catch(async (error: unknown) => {
    await attempt.settle(true); // nobody has learned whether it was right
    throw error;
  });
  await attempt.settle(succeeded);
  return { is: succeeded ? 'right' : 'refused' };
}

async function beginAttempt(registry: Registry, whom: Whom): Promise<Attempt> {
  const { address, user, isKnown = false } = whom;
  const { table, now } = registry;
  const window = Math.floor(now() / WINDOW_MS) * WINDOW_MS;
  const refused: Attempt = {
    is: 'refused',
    retryAfterSeconds: Math.ceil((window + WINDOW_MS - now()) / 1000),
  };
  const name = countedName(user);
  const addressKey = attemptsKey(`from:${networkOf(address)}`, window);
  const userKey = attemptsKey(`login:${name}`, window);
  const [ofAddress, ofUser] = await table.getMany([addressKey, userKey]);
  const failed = (ofAddress?.['users'] as readonly string[] | undefined) ?? [];
  if (failed.length >= USERS_PER_ADDRESS && !failed.includes(shortOf(name))) return refused;
  if (countsOf(ofUser).failures >= PER_USER) return refused;
  if (!isKnown && !(await reserve(registry, userKey, window, ofUser))) return refused;
  const expiring = { expiresAt: expiryOf(window) };
  return {
    is: 'allowed',
    async settle(succeeded) {
      const failures = succeeded ? 0 : 1;
      if (!isKnown) await table.write([{ update: userKey, add: { underWay: -1, failures }, set: expiring }]);
      if (!succeeded)
        await table.write([{ update: addressKey, include: { users: [shortOf(name)] }, set: expiring }]);
    },
  };
}

/** Takes a place among those that are being tried, on condition that nobody else took it; false where there were too many
 *  failures. */
async function reserve(
  registry: Registry,
  key: Key,
  window: number,
  read: Attributes | undefined,
): Promise<boolean> {
  const { table } = registry;
  let found = read;
  return untilWon(registry, async () => {
    const { failures, underWay } = countsOf(found);
    if (failures >= PER_USER) return false;
    if (failures + underWay < PER_USER) {
      const when = found ? [equals('failures', failures), equals('underWay', underWay)] : [absent];
      const set = { expiresAt: expiryOf(window) };
      const { committed } = await table.write([
        { update: key, add: { failures: 0, underWay: 1 }, set, when },
      ]);
      if (committed) return true;
    }
    found = await table.get(key);
    return LOST;
  });
}

const expiryOf = (window: number) => Math.floor((window + 2 * WINDOW_MS) / 1000);

const countsOf = (found: Attributes | undefined) => ({
  failures: (found?.['failures'] as number | undefined) ?? 0,
  underWay: (found?.['underWay'] as number | undefined) ?? 0,
});

/** Names are no secrets; a hundred of them are to take little room. */
const shortOf = (name: string) => createHash('sha256').update(name).digest('hex').slice(0, 16);

/** As much of a name as fits into a key, whatever it is made of. */
const countedName = (user: string) => user.slice(0, 255).toWellFormed();
