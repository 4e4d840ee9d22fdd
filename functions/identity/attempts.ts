import { attemptsKey } from '../registry/keys.ts';
import { LOST, untilWon } from '../registry/races.ts';
import type { Registry } from '../registry/registry.ts';
import { type Attributes, absent, equals, type Key, type Operation } from '../storage/table.ts';

/** Ours: failed logins are counted over so long. */
const WINDOW_MS = 5 * 60_000;

/** Ours: passwords tried for one user in a window. A person mistypes a few times; a guesser gets 2,880 a day. */
const PER_USER = 10;

/** Ours: credentials tried from one address in a window; an office may share one. */
const PER_ADDRESS = 100;

interface Counter {
  readonly key: Key;
  readonly limit: number;
}

export type Attempt =
  | { readonly is: 'allowed'; settle(succeeded: boolean): Promise<void> }
  | { readonly is: 'refused'; readonly retryAfterSeconds: number };

/** Counts a login as failed before it is tried, so that many at once are not more than one by one; `settle` takes
 *  it back where it succeeded. Without `user` only the address is counted: nobody guesses a generated secret, and
 *  whoever tries must not lock out the program that has it. */
export async function beginAttempt(
  registry: Registry,
  { address, user }: { readonly address: string; readonly user?: string },
): Promise<Attempt> {
  const window = Math.floor(registry.now() / WINDOW_MS) * WINDOW_MS;
  const counters: Counter[] = [
    { key: attemptsKey(`address:${networkOf(address)}`, window), limit: PER_ADDRESS },
    ...(user === undefined
      ? []
      : [{ key: attemptsKey(`user:${user.slice(0, 255)}`, window), limit: PER_USER }]),
  ];
  const counted = await untilWon(registry, () => count(registry, counters, window));
  if (!counted) {
    return { is: 'refused', retryAfterSeconds: Math.ceil((window + WINDOW_MS - registry.now()) / 1000) };
  }
  return {
    is: 'allowed',
    async settle(succeeded) {
      if (!succeeded) return;
      await registry.table.write(counters.map(({ key }) => ({ update: key, add: { failures: -1 } })));
    },
  };
}

async function count({ table }: Registry, counters: readonly Counter[], window: number) {
  const found = await table.getMany(counters.map(({ key }) => key));
  if (counters.some(({ limit }, index) => failuresIn(found[index]) >= limit)) return false;
  const operations = counters.map(({ key }, index) => increment(key, found[index], window));
  const { committed } = await table.write(operations);
  return committed || LOST;
}

function increment(key: Key, found: Attributes | undefined, window: number): Operation {
  if (found) return { update: key, add: { failures: 1 }, when: [equals('failures', failuresIn(found))] };
  const expiresAt = Math.floor((window + 2 * WINDOW_MS) / 1000);
  return { put: key, attributes: { failures: 1, expiresAt }, when: [absent] };
}

const failuresIn = (found: Attributes | undefined) => (found?.['failures'] as number | undefined) ?? 0;

/** Whoever has one IPv6 address has 2^64 of them: the network is what counts. */
function networkOf(address: string): string {
  if (!address.includes(':') || address.startsWith('::ffff:')) return address;
  const [head = '', tail = ''] = address.split('::');
  const groups = head.split(':').filter(Boolean);
  const missing = 8 - groups.length - tail.split(':').filter(Boolean).length;
  const whole = address.includes('::')
    ? [...groups, ...Array<string>(Math.max(missing, 0)).fill('0'), ...tail.split(':').filter(Boolean)]
    : groups;
  return `${whole.slice(0, 4).join(':')}::/64`;
}
