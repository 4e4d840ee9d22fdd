import { beforeEach, describe, expect, it, vi } from 'vitest';
import { listAudit } from '../../functions/identity/audit.ts';
import { changeRobot, createRobot, renewSecret } from '../../functions/identity/robots.ts';
import { createToken, revokeToken } from '../../functions/identity/tokens.ts';
import { changeUser, createUser, setPassword } from '../../functions/identity/users.ts';
import { basic, type Login, openWorld, PASSWORD, type World } from './world.ts';

// What guessing gets: nothing by the answer, nothing by the work that it costs, and not many tries. The work is counted
// instead of timed, and made cheap.

const { scrypt } = vi.hoisted(() => ({ scrypt: vi.fn() }));
vi.mock('node:crypto', async (original) => {
  const real = await original<typeof import('node:crypto')>();
  const cheap: typeof real.scrypt = (...args: unknown[]) => {
    const [password, salt, length, , done] = args as Parameters<typeof real.scrypt>;
    real.scrypt(password, salt, length, { N: 2 }, done);
  };
  return { ...real, scrypt: scrypt.mockImplementation(cheap) };
});

const HERE = '192.0.2.1';
const WINDOW_MS = 5 * 60_000;
const DAY_MS = 24 * 60 * 60_000;
const GRANTS = [{ pattern: 'team/*', actions: ['pull'] }] as const;
const given = { description: '', createdBy: 'test', grants: GRANTS };

let world: World;
beforeEach(async () => {
  world = await openWorld({ waits: true });
  await createUser(world.registry, { ...given, name: 'alice', password: PASSWORD });
  scrypt.mockClear();
});

const alice: Login = { username: 'alice', password: PASSWORD };
const wrong = (username: string, n = 0): Login => ({ username, password: `wrong ${n}` });

async function logIn(login: Login, address = HERE) {
  const request = new Request('http://registry.test/token', { headers: { Authorization: basic(login) } });
  const response = await world.app(request, { address, scheme: 'https' });
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: await response.text(),
  };
}

const statusOf = async (login: Login, address?: string) => (await logIn(login, address)).status;

/** A password that guessers are not told to be wrong or right, since they have tried too often. */
async function lockOut(username: string, address = HERE): Promise<void> {
  for (let n = 0; n < 10; n += 1) expect(await statusOf(wrong(username, n), address)).toBe(401);
  expect(await statusOf(wrong(username), address)).toBe(429);
}

it('takes a password in UTF-8, and in ISO-8859-1 as some clients send it', async () => {
  const password = 'schöne-Grüße-1234';
  await createUser(world.registry, { ...given, name: 'umlaut', password });
  for (const encoding of ['utf8', 'latin1'] as const) {
    const Authorization = `Basic ${Buffer.from(`umlaut:${password}`, encoding).toString('base64')}`;
    const request = new Request('http://registry.test/token', { headers: { Authorization } });
    expect((await world.app(request, { address: HERE, scheme: 'https' })).status).toBe(200);
  }
});

describe('a refused login', () => {
  /** What each is made of, and how many passwords are derived to refuse it. */
  const REFUSED: Readonly<Record<string, readonly [() => Promise<Login>, number]>> = {
    'wrong password': [async () => wrong('alice'), 1],
    'unknown user': [async () => wrong('nobody'), 1],
    'name that no user can have': [async () => wrong('No Body!'), 1],
    'disabled user with the right password': [
      async () => {
        await createUser(world.registry, { ...given, name: 'carol', password: PASSWORD });
        await changeUser(world.registry, 'carol', { disabled: true });
        scrypt.mockClear();
        return { username: 'carol', password: PASSWORD };
      },
      1,
    ],
    'unknown robot': [async () => wrong('robot/nobody'), 0],
    'wrong secret of a robot': [
      async () => {
        await createRobot(world.registry, { ...given, name: 'ci' });
        return wrong('robot/ci');
      },
      0,
    ],
    'wrong secret of a robot that has ended': [
      async () => {
        await createRobot(world.registry, { ...given, name: 'ci', validUntil: world.fixture.clock });
        return wrong('robot/ci');
      },
      0,
    ],
    'revoked token': [
      async () => {
        const made = await createToken(world.registry, 'alice', { description: '' });
        await revokeToken(world.registry, 'alice', made?.token.id ?? '');
        return { username: 'alice', password: made?.secret.text ?? '' };
      },
      0,
    ],
    'token of somebody else': [
      async () => {
        await createUser(world.registry, { ...given, name: 'bob', password: PASSWORD });
        const made = await createToken(world.registry, 'bob', { description: '' });
        scrypt.mockClear();
        return { username: 'alice', password: made?.secret.text ?? '' };
      },
      0,
    ],
  };

  it.each(Object.entries(REFUSED))(
    'for a %s is the same answer after the same work',
    async (_, [make, work]) => {
      const login = await make();
      expect(await logIn(login)).toEqual({
        status: 401,
        headers: {
          'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
          'content-type': 'application/json',
          'docker-distribution-api-version': 'registry/2.0',
          'www-authenticate': 'Basic realm="stowage"',
          'x-content-type-options': 'nosniff',
        },
        body: '{"errors":[{"code":"UNAUTHORIZED","message":"incorrect user name or password"}]}',
      });
      expect(scrypt).toHaveBeenCalledTimes(work);
      for (const [, , , cost] of scrypt.mock.calls) expect(cost).toMatchObject({ N: 2 ** 15, r: 8, p: 3 });
    },
  );
});

describe('guessing passwords', () => {
  it('ends after ten for one user from one network, known or not, with the time to wait', async () => {
    world.fixture.clock += 60_000;
    for (const username of ['alice', 'nobody', 'No Body!', 'x'.repeat(300), '\u{1F433}'.repeat(200)]) {
      await lockOut(username);
      const answer = await logIn(wrong(username));
      expect(answer).toMatchObject({ status: 429, headers: { 'retry-after': '240' } });
    }
  });

  it('goes no further with all guesses sent at once', async () => {
    const guesses = Array.from({ length: 40 }, (_, n) => statusOf(wrong('alice', n)));
    const statuses = await Promise.all(guesses);
    expect(statuses.filter((status) => status === 401)).toHaveLength(10);
    expect(scrypt).toHaveBeenCalledTimes(10);
  });

  it('is not told of the right password either, once there were too many', async () => {
    await lockOut('alice');
    expect(await logIn(alice)).toEqual(await logIn(wrong('alice')));
  });

  it('is not told of a password that somebody has just used', async () => {
    expect(await statusOf(alice)).toBe(200);
    await lockOut('alice');
    expect(await logIn(alice)).toEqual(await logIn(wrong('alice')));
  });

  it('begins anew after five minutes', async () => {
    await lockOut('alice');
    world.fixture.clock += WINDOW_MS;
    expect(await statusOf(alice)).toBe(200);
  });

  it('does not lock out the tokens and robots of whom it is about', async () => {
    const made = await createToken(world.registry, 'alice', { description: '' });
    const secret = await createRobot(world.registry, { ...given, name: 'alice' });
    await lockOut('alice');
    expect(await statusOf({ username: 'alice', password: made?.secret.text ?? '' })).toBe(200);
    expect(await statusOf({ username: 'robot/alice', password: secret?.text ?? '' })).toBe(200);
  });

  it('is not what somebody does who knows the password', async () => {
    for (let n = 0; n < 15; n += 1) expect(await statusOf(alice)).toBe(200);
    for (let n = 0; n < 9; n += 1) expect(await statusOf(wrong('alice', n))).toBe(401);
    expect(await statusOf(alice)).toBe(200);
  });
});

describe('a login whose client has gone before the answer', () => {
  /** The client hangs up while the password is derived. */
  async function hangUp(login: Login): Promise<void> {
    const client = new AbortController();
    const cheap = scrypt.getMockImplementation() ?? (() => undefined);
    scrypt.mockImplementationOnce((...args: unknown[]) => {
      client.abort(new Error('the client has gone'));
      cheap(...args);
    });
    const headers = { Authorization: basic(login) };
    const request = new Request('http://registry.test/token', { headers, signal: client.signal });
    await world.app(request, { address: HERE, scheme: 'https' }).catch(() => undefined);
    expect(client.signal.aborted).toBe(true);
  }

  it('takes no place from those that come after it', async () => {
    for (let n = 0; n < 12; n += 1) {
      await setPassword(world.registry, 'alice', PASSWORD); // else it is known
      await hangUp(alice);
    }
    expect(await statusOf(alice)).toBe(200);
  });

  it('counts as what it was', async () => {
    for (let n = 0; n < 10; n += 1) await hangUp(wrong('alice', n));
    expect(await statusOf(alice)).toBe(429);
  });

  it('is in the trail', async () => {
    for (let n = 0; n < 3; n += 1) await hangUp(wrong('alice', n));
    const { records } = await listAudit(world.registry, {
      since: 0,
      until: world.fixture.clock + 1,
      limit: 10,
    });
    expect(records).toMatchObject([{ principal: '?alice', outcome: 'refused', count: 3 }]);
  });
});

describe('guessing passwords from elsewhere', () => {
  /** Ten guesses from each of ten networks: as many as anybody has in five minutes. */
  async function exhaust(username: string): Promise<void> {
    for (let n = 0; n < 10; n += 1) await lockOut(username, `198.51.100.${n}`);
    expect(await statusOf(wrong(username), '198.51.100.10')).toBe(429);
  }

  it('keeps nobody out who comes from another network', async () => {
    for (let n = 0; n < 5; n += 1) await lockOut('alice', `198.51.100.${n}`);
    expect(await statusOf(alice)).toBe(200);
  });

  it('ends after a hundred for one user, from however many networks, known or not', async () => {
    await exhaust('alice');
    await exhaust('nobody');
    expect(await logIn(alice)).toEqual(await logIn(wrong('nobody')));
    world.fixture.clock += WINDOW_MS;
    expect(await statusOf(alice)).toBe(200);
  });

  it('goes no further with all guesses sent at once', async () => {
    const networks = Array.from({ length: 15 }, (_, n) => `203.0.113.${n}`);
    const guesses = networks.flatMap((from) =>
      Array.from({ length: 10 }, (_, n) => statusOf(wrong('alice', n), from)),
    );
    const statuses = await Promise.all(guesses);
    expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(100);
    expect(scrypt.mock.calls.length).toBeLessThanOrEqual(100);
  });

  it('keeps nobody out where they have logged in before, for three months after the last time', async () => {
    expect(await statusOf(alice)).toBe(200);
    for (let month = 0; month < 4; month += 1) {
      world.fixture.clock += 60 * DAY_MS;
      await exhaust('alice');
      expect(await statusOf(alice)).toBe(200);
    }
    world.fixture.clock += 91 * DAY_MS;
    await exhaust('alice');
    expect(await statusOf(alice)).toBe(429);
  });

  it('is not freer where they have logged in before', async () => {
    expect(await statusOf(alice)).toBe(200);
    await exhaust('alice');
    await lockOut('alice');
    expect(await logIn(alice)).toEqual(await logIn(wrong('alice')));
  });
});

describe('a flood of logins', () => {
  it('derives two passwords at a time, sends away whom it cannot serve soon, and holds nothing against them', async () => {
    const guess = (n: number) => statusOf(wrong(`user-${n}`), `10.0.${n >> 8}.${n & 255}`);
    let most = 0;
    const cheap = scrypt.getMockImplementation() ?? (() => undefined);
    let running = 0;
    scrypt.mockImplementation((password, salt, length, cost, done) => {
      running += 1;
      most = Math.max(most, running);
      cheap(password, salt, length, cost, (...result: unknown[]) => {
        running -= 1;
        done(...result);
      });
    });
    const statuses = await Promise.all(Array.from({ length: 300 }, (_, n) => guess(n)));
    scrypt.mockImplementation(cheap);
    expect(most).toBe(2);
    expect(new Set(statuses)).toEqual(new Set([401, 429]));
    const sentAway = statuses.indexOf(429);
    for (let n = 0; n < 10; n += 1) expect(await guess(sentAway)).toBe(401);
    expect(await statusOf(alice)).toBe(200);
  });
});

it('a flood from one address keeps nobody from logging in who comes from another one', async () => {
  const flood = Array.from({ length: 90 }, (_, n) => statusOf(wrong(`stranger-${n}`), '198.51.100.7'));
  expect(await statusOf(alice)).toBe(200);
  expect(new Set(await Promise.all(flood))).toEqual(new Set([401, 429]));
});

describe('right passwords', () => {
  it('of one user may come all at once, from one address or many', async () => {
    const here = Array.from({ length: 200 }, () => statusOf(alice));
    const there = Array.from({ length: 30 }, (_, n) => statusOf(alice, `198.51.100.${n}`));
    expect(new Set(await Promise.all([...here, ...there]))).toEqual(new Set([200]));
  });

  it('are told from wrong ones that are tried at the same time', async () => {
    const guesses = Array.from({ length: 9 }, (_, n) => statusOf(wrong('alice', n), '198.51.100.1'));
    expect(await Promise.all([...guesses, statusOf(alice), statusOf(alice, '192.0.2.2')])).toEqual([
      ...Array(9).fill(401),
      200,
      200,
    ]);
  });
});

describe('wrong passwords from one address', () => {
  const stranger = (n: number) => wrong(`stranger-${n}`);

  async function exhaust(address: string): Promise<void> {
    for (let n = 0; n < 100; n += 1) expect(await statusOf(stranger(n), address)).toBe(401);
  }

  it('end after a hundred users, whomever they are for, and no other address is held up', async () => {
    await exhaust(HERE);
    for (const login of [stranger(100), alice, wrong('nobody')]) {
      expect(await logIn(login)).toMatchObject({ status: 429, headers: { 'retry-after': '300' } });
    }
    expect(await statusOf(alice, '192.0.2.2')).toBe(200);
  });

  it('hold up no token, robot or refresh token', async () => {
    const made = await createToken(world.registry, 'alice', { description: '' });
    const secret = await createRobot(world.registry, { ...given, name: 'ci' });
    const refresh = await refreshTokenOf(alice);
    await exhaust(HERE);
    expect(await statusOf({ username: 'alice', password: made?.secret.text ?? '' })).toBe(200);
    expect(await statusOf({ username: 'robot/ci', password: secret?.text ?? '' })).toBe(200);
    expect(await statusOf({ username: '<token>', password: refresh })).toBe(200);
  });

  it('of a few users, such as those of another registry, keep nobody else out however often they come', async () => {
    for (let n = 0; n < 300; n += 1) expect([401, 429]).toContain(await statusOf(wrong(`hub-${n % 20}`)));
    expect(await statusOf(alice)).toBe(200);
  });

  it.each([
    ['of one IPv6 network', '2001:db8:1:2::1', '2001:db8:1:2:ffff::9', '2001:db8:1:3::1'],
    ['that a proxy tells with ports', '192.0.2.7:40001', '192.0.2.7:40002', '192.0.2.8:40001'],
    ['in brackets', '[2001:db8::1]:443', '2001:db8::2', '[2001:db8:0:1::1]:443'],
    ['of an IPv4 client on an IPv6 socket', '::ffff:192.0.2.9', '192.0.2.9', '::ffff:192.0.2.10'],
  ])('count together %s', async (_, first, same, other) => {
    await exhaust(first);
    expect(await statusOf(stranger(100), same)).toBe(429);
    expect(await statusOf(stranger(100), other)).toBe(401);
  });
});

describe('a login by the right secret that is good no more', () => {
  const ended = () => world.fixture.clock;
  const day = () => new Date(world.fixture.clock).toISOString().slice(0, 10);

  it('says when a robot has ended, and what to do', async () => {
    const secret = await createRobot(world.registry, { ...given, name: 'ci', validUntil: ended() });
    const { status, body } = await logIn({ username: 'robot/ci', password: secret?.text ?? '' });
    expect([status, JSON.parse(body).errors[0].message]).toEqual([
      401,
      `robot ci ended on ${day()}; stowage robot renew ci --days N`,
    ]);
  });

  it('says that a secret was replaced, and its overlap is over', async () => {
    const old = await createRobot(world.registry, { ...given, name: 'ci' });
    await renewSecret(world.registry, 'ci', { formerUntil: ended() });
    const { status, body } = await logIn({ username: 'robot/ci', password: old?.text ?? '' });
    expect([status, JSON.parse(body).errors[0].message]).toEqual([
      401,
      `this secret of robot ci was replaced, and ended on ${day()}; use the new one`,
    ]);
  });

  it('says that a robot is disabled', async () => {
    const secret = await createRobot(world.registry, { ...given, name: 'ci' });
    await changeRobot(world.registry, 'ci', { disabled: true });
    const { status, body } = await logIn({ username: 'robot/ci', password: secret?.text ?? '' });
    expect([status, JSON.parse(body).errors[0].message]).toEqual([
      401,
      'robot ci is disabled; stowage robot enable ci',
    ]);
  });

  it('says when an access token has ended', async () => {
    const made = await createToken(world.registry, 'alice', { description: '', validUntil: ended() });
    const { status, body } = await logIn({ username: 'alice', password: made?.secret.text ?? '' });
    expect([status, JSON.parse(body).errors[0].message]).toEqual([
      401,
      `the access token ${made?.token.id} ended on ${day()}; make another one`,
    ]);
  });
});

describe('what nobody can guess', () => {
  it('is looked at whatever was wrong before: an expired robot keeps nobody out', async () => {
    const secret = await createRobot(world.registry, { ...given, name: 'ci' });
    for (let n = 0; n < 150; n += 1) expect(await statusOf(wrong('robot/old', n))).toBe(401);
    expect(await statusOf({ username: 'robot/ci', password: secret?.text ?? '' })).toBe(200);
    expect(await statusOf(alice)).toBe(200);
  });
});

describe('a refresh token', () => {
  it('is good where docker has left it, for tools that take it for a password', async () => {
    const refresh = await refreshTokenOf(alice);
    for (const username of ['<token>', 'alice']) {
      expect(await statusOf({ username, password: refresh })).toBe(200);
      const form = new URLSearchParams({ grant_type: 'password', username, password: refresh });
      const answer = await world.app(
        new Request('http://registry.test/token', { method: 'POST', body: form }),
      );
      expect(answer.status).toBe(200);
    }
    for (const username of ['bob', 'robot/alice', 'oidc', '']) {
      expect(await statusOf({ username, password: refresh })).toBe(401);
    }
  });

  it('is no longer good once the password is another one', async () => {
    const refresh = await refreshTokenOf(alice);
    await setPassword(world.registry, 'alice', 'another password 7');
    expect(await statusOf({ username: '<token>', password: refresh })).toBe(401);
  });

  it('is not given to docker for secrets that were generated, which it then keeps itself, nor for a refresh token', async () => {
    const made = await createToken(world.registry, 'alice', { description: '' });
    const secret = await createRobot(world.registry, { ...given, name: 'ci' });
    expect(await refreshTokenOf({ username: 'alice', password: made?.secret.text ?? '' })).toBeUndefined();
    expect(await refreshTokenOf({ username: 'robot/ci', password: secret?.text ?? '' })).toBeUndefined();
    expect(
      await refreshTokenOf({ username: '<token>', password: await refreshTokenOf(alice) }),
    ).toBeUndefined();
  });
});

it('an empty password is refused with what it comes from, and is no failure', async () => {
  for (let n = 0; n < 20; n += 1) {
    const answer = await logIn({ username: 'alice', password: '' });
    expect(answer).toMatchObject({ status: 401, body: expect.stringContaining('the password is empty') });
  }
  expect(await statusOf(alice)).toBe(200);
});

async function refreshTokenOf(login: Login): Promise<string> {
  const headers = { Authorization: basic(login) };
  const request = new Request('http://registry.test/token?offline_token=true', { headers });
  const answer = (await (await world.app(request)).json()) as { refresh_token: string };
  return answer.refresh_token;
}
