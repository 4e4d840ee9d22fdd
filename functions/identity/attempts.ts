import { attemptsKey } from '../registry/keys.ts';
import { LOST, untilWon } from '../registry/races.ts';
import type { Registry } from '../registry/registry.ts';
import { type Attributes, absent, equals, type Key } from '../storage/table.ts';

/** Ours: failed logins are counted over so long. */
const WINDOW_MS = 5 * 60_000;

/** Ours: passwords tried for one user in a window. A person mistypes a few times; a guesser gets 2,880 a day. */
const PER_USER = 10;

/** Ours: credentials that were wrong from one address in a window; an office may share one. */
const PER_ADDRESS = 100;

export type Attempt =
  | { readonly is: 'allowed'; settle(succeeded: boolean): Promise<void> }
  | { readonly is: 'refused'; readonly retryAfterSeconds: number };

interface Whom {
  /** Where the login comes from. */
  readonly address: string;
  /** Whose password is tried; absent for a generated secret, which nobody guesses: whoever tries must not lock out
   *  the program that has it. */
  readonly user?: string;
  /** Whether the password is known to be right. Then it need not be counted; yet it waits like a wrong one, since the
   *  answer would tell a guesser which it is. @default false */
  readonly isKnown?: boolean;
}

/** Whether one more login may be tried. A password counts as failed before it is tried, so that many guesses at once
 *  are not more than one by one; `settle` takes that back where it was right. An address only counts what has failed:
 *  many may share it, and their logins must not wait for each other. */
export async function beginAttempt(registry: Registry, whom: Whom): Promise<Attempt> {
  const { address, user, isKnown = false } = whom;
  const { table, now } = registry;
  const window = Math.floor(now() / WINDOW_MS) * WINDOW_MS;
  const refused: Attempt = {
    is: 'refused',
    retryAfterSeconds: Math.ceil((window + WINDOW_MS - now()) / 1000),
  };
  const addressKey = attemptsKey(`address:${networkOf(address)}`, window);
  const userKey = user === undefined ? undefined : attemptsKey(`user:${countedName(user)}`, window);
  const [ofAddress, ofUser] = await table.getMany(userKey ? [addressKey, userKey] : [addressKey]);
  if (failuresIn(ofAddress) >= PER_ADDRESS || failuresIn(ofUser) >= PER_USER) return refused;
  const counted = isKnown ? undefined : userKey;
  if (counted && !(await reserve(registry, counted, window, ofUser))) return refused;
  return {
    is: 'allowed',
    async settle(succeeded) {
      if (!succeeded) await table.write([count(addressKey, 1, window)]);
      else if (counted) await table.write([count(counted, -1, window)]);
    },
  };
}

/** Counts one failure on condition that nobody else did since the count was read; answers whether there was one left. */
async function reserve(
  registry: Registry,
  key: Key,
  window: number,
  read: Attributes | undefined,
): Promise<boolean> {
  const { table } = registry;
  let found = read;
  return untilWon(registry, async () => {
    if (failuresIn(found) >= PER_USER) return false;
    const when = found ? equals('failures', failuresIn(found)) : absent;
    const { committed } = await table.write([{ ...count(key, 1, window), when: [when] }]);
    if (!committed) found = await table.get(key);
    return committed || LOST;
  });
}

const count = (key: Key, failures: number, window: number) => ({
  update: key,
  add: { failures },
  set: { expiresAt: Math.floor((window + 2 * WINDOW_MS) / 1000) },
});

const failuresIn = (found: Attributes | undefined) => (found?.['failures'] as number | undefined) ?? 0;

/** As much of a name as fits into a key, whatever it is made of. */
const countedName = (user: string) => user.slice(0, 255).toWellFormed();

/** Whoever has one IPv6 address has 2^64 of them: the network is what counts. Some proxies name a port, too. */
function networkOf(text: string): string {
  const bare = text.replace(/^\[(.*)\](?::\d+)?$/, '$1').replace(/^::ffff:(?=\d+\.)/i, '');
  const address = bare.replace(/^([\d.]+):\d+$/, '$1').slice(0, 100);
  if (!address.includes(':')) return address;
  const [head = '', tail = ''] = address.split('::');
  const groups = head.split(':').filter(Boolean);
  const missing = 8 - groups.length - tail.split(':').filter(Boolean).length;
  const whole = address.includes('::')
    ? [...groups, ...Array<string>(Math.max(missing, 0)).fill('0'), ...tail.split(':').filter(Boolean)]
    : groups;
  return `${whole.slice(0, 4).join(':')}::/64`;
}
