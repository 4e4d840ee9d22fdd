import { createHash } from 'node:crypto';
import { attemptsKey, familiarKey } from '../registry/keys.ts';
import { LOST, untilWon } from '../registry/races.ts';
import type { Registry } from '../registry/registry.ts';
import { lasting } from '../registry/until.ts';
import { type Attributes, absent, atMost, type Key, type Operation } from '../storage/table.ts';
import { networkOf } from './network.ts';

// Whoever guesses must not keep the user out (docs/decisions/0016-who-is-locked-out.md): guesses are counted for the network that
// they come from, and for the user in all only where the user has not logged in from there before.

/** Ours: failed logins are counted over so long. */
const WINDOW_MS = 5 * 60_000;

/** Ours: passwords tried for one user from one network in a window. A person mistypes a few times; a guesser gets 2,880 a day. */
const PER_NETWORK = 10;

/** Ours: passwords tried for one user in a window from all networks that the user has not logged in from: 28,800 a day. */
const PER_USER = 100;

/** Ours: for so long after a login a network is the user's own; and so old that may be before it is written anew. */
const FAMILIAR_MS = 90 * 24 * 60 * 60_000;
const NOTED_MS = FAMILIAR_MS / 90;

/** Ours: users whose passwords were tried in vain from one address in a window; an office may share one. Whoever sends the same
 *  wrong password all day, such as that of another registry, is one of them. */
const USERS_PER_ADDRESS = 100;

/** `limited`: it was not tried. */
export type PasswordOutcome =
  | { readonly is: 'right' }
  | { readonly is: 'refused' }
  | { readonly is: 'limited'; readonly retryAfterSeconds: number };

/** `unknown`: nobody has learned whether it was right. */
type Trial = 'right' | 'wrong' | 'unknown';

type Attempt =
  | { readonly is: 'allowed'; settle(trial: Trial): Promise<void> }
  | { readonly is: 'refused'; readonly retryAfterSeconds: number };

/** How often passwords may be tried. */
interface Counter {
  readonly key: Key;
  readonly most: number;
  readonly found: Attributes | undefined;
}

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
 *  for one, and need not fail where all of them are right; TOOMANYREQUESTS where that takes too long. What has begun is counted to
 *  its end, also where the client has gone: else its place would stay taken, and a guess be no failure. */
export async function tryPassword(
  registry: Registry,
  whom: Whom,
  isRight: () => Promise<boolean>,
): Promise<PasswordOutcome> {
  const attempt = await beginAttempt({ ...registry, table: lasting(registry).table }, whom);
  if (attempt.is === 'refused') return { is: 'limited', retryAfterSeconds: attempt.retryAfterSeconds };
  const succeeded = await isRight().catch(async (error: unknown) => {
    await attempt.settle('unknown');
    throw error;
  });
  await attempt.settle(succeeded ? 'right' : 'wrong');
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
  const [name, network] = [countedName(user), networkOf(address)];
  const [addressKey, familiar] = [attemptsKey(`from:${network}`, window), familiarKey(name, network)];
  const [pairKey, userKey] = [`pair:${network} ${name}`, `user:${name}`].map((whom) =>
    attemptsKey(whom, window),
  ) as [Key, Key];
  const [ofAddress, seen, ofPair, ofUser] = await table.getMany([addressKey, familiar, pairKey, userKey]);
  const failed = (ofAddress?.['users'] as readonly string[] | undefined) ?? [];
  if (failed.length >= USERS_PER_ADDRESS && !failed.includes(shortOf(name))) return refused;
  const seenAt = (seen?.['at'] as number | undefined) ?? 0;
  const counters: Counter[] = [{ key: pairKey, most: PER_NETWORK, found: ofPair }];
  if (seenAt + FAMILIAR_MS <= now()) counters.push({ key: userKey, most: PER_USER, found: ofUser });
  if (counters.some(isSpent)) return refused;
  if (!isKnown && !(await reserve(registry, counters, window))) return refused;
  const expiring = { expiresAt: expiryOf(window) };
  return {
    is: 'allowed',
    async settle(trial) {
      const add = trial === 'wrong' ? { failures: 1 } : { taken: -1 };
      if (!isKnown) await table.write(counters.map(({ key }) => ({ update: key, add, set: expiring })));
      if (trial === 'wrong')
        await table.write([{ update: addressKey, include: { users: [shortOf(name)] }, set: expiring }]);
      if (trial === 'right' && seenAt + NOTED_MS <= now()) await table.write([noted(familiar, now())]);
    },
  };
}

const noted = (key: Key, at: number): Operation => ({
  put: key,
  attributes: { at, expiresAt: Math.floor((at + FAMILIAR_MS) / 1000) },
});

/** Takes a place of each counter among those that are being tried; false where there were too many failures. */
async function reserve(registry: Registry, read: readonly Counter[], window: number): Promise<boolean> {
  const { table } = registry;
  const set = { expiresAt: expiryOf(window) };
  let counters = read;
  return untilWon(registry, async () => {
    if (counters.some(isSpent)) return false;
    if (counters.every(({ most, found }) => numberOf(found, 'taken') < most)) {
      const operations = counters.map(({ key, most, found }) => {
        const when = [found ? atMost('taken', most - 1) : absent];
        return { update: key, add: { failures: 0, taken: 1 }, set, when };
      });
      if ((await table.write(operations)).committed) return true;
    }
    const found = await table.getMany(counters.map(({ key }) => key));
    counters = counters.map((counter, index) => ({ ...counter, found: found[index] }));
    return LOST;
  });
}

const isSpent = ({ most, found }: Counter) => numberOf(found, 'failures') >= most;

const expiryOf = (window: number) => Math.floor((window + 2 * WINDOW_MS) / 1000);

/** `failures`, or `taken`: those, and what is being tried. */
const numberOf = (found: Attributes | undefined, name: 'failures' | 'taken') =>
  (found?.[name] as number | undefined) ?? 0;

/** Names are no secrets; a hundred of them are to take little room. */
const shortOf = (name: string) => createHash('sha256').update(name).digest('hex').slice(0, 16);

/** As much of a name as fits into a key, whatever it is made of. */
const countedName = (user: string) => user.slice(0, 255).toWellFormed();
