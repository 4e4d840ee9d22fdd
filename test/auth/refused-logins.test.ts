import { beforeEach, describe, expect, it } from 'vitest';
import { listAudit } from '../../functions/identity/audit.ts';
import { basic, type Login, openWorld, PRINCIPALS, type World } from './world.ts';

// Strangers may be refused as often as they like. The trail tells of it, and does not grow with it.

let world: World;
beforeEach(async () => {
  world = await openWorld();
});

async function refuse(username: string, address = '192.0.2.1', password = 'x'): Promise<void> {
  const headers = { Authorization: basic({ username, password }), 'User-Agent': 'probe/1' };
  const request = new Request('http://registry.test/token', { headers });
  const { status } = await world.app(request, { address, scheme: 'https' });
  expect(status).toBe(401);
}

async function trail() {
  const range = { since: 0, until: world.fixture.clock + 1, limit: 10_000 };
  return (await listAudit(world.registry, range)).records;
}

const counted = async () => (await trail()).reduce((sum, { count = 1 }) => sum + count, 0);

describe('refused logins that are alike', () => {
  it('are one record in a minute, which counts them', async () => {
    for (let n = 0; n < 50; n += 1) await refuse('robot/ci', '192.0.2.1', `secret ${n}`);
    await refuse('robot/other');
    const alike = { time: world.fixture.clock, operation: 'token.issue', outcome: 'refused', status: 401 };
    expect(await trail()).toHaveLength(2);
    expect(await trail()).toEqual(
      expect.arrayContaining([
        { ...alike, principal: '?robot/ci', address: '192.0.2.1', userAgent: 'probe/1', count: 50 },
        { ...alike, principal: '?robot/other', address: '192.0.2.1', userAgent: 'probe/1' },
      ]),
    );
    world.fixture.clock += 60_000;
    await refuse('robot/ci');
    expect(await trail()).toHaveLength(3);
  });

  it('are all counted where they come at once', async () => {
    await Promise.all(Array.from({ length: 200 }, () => refuse('robot/ci')));
    expect(await trail()).toMatchObject([{ principal: '?robot/ci', count: 200 }]);
  });
});

describe('a flood of refused logins', () => {
  it('of many names leaves a few records of its network, with the number of all', async () => {
    for (let n = 0; n < 500; n += 1) await refuse(`robot/${n}`, `2001:db8::${n.toString(16)}`);
    const records = await trail();
    expect(records).toHaveLength(11);
    expect(records).toContainEqual(
      expect.objectContaining({ principal: '?many names', address: '2001:db8::a', count: 490 }),
    );
    expect(await counted()).toBe(500);
  });

  it('from many networks leaves at most 61 records in a minute', async () => {
    for (let n = 0; n < 1000; n += 1) await refuse(`robot/${n}`, `10.0.${n >> 8}.${n & 255}`);
    expect(await trail()).toHaveLength(61);
    expect(await counted()).toBe(1000);
  });

  it('hides no login that was right, and none of the refusals of those who are known', async () => {
    const robots: Login[] = [];
    for (let n = 0; n < 20; n += 1)
      robots.push(await PRINCIPALS.robot(world, `job-${n}`, [{ pattern: 'team/*', actions: ['pull'] }]));
    for (let n = 0; n < 100; n += 1) await refuse(`robot/${n}`);
    for (const robot of robots) {
      const headers = { Authorization: basic(robot) };
      const login = new Request('http://registry.test/token?scope=registry:api:*', { headers });
      const { token } = (await (await world.app(login)).json()) as { token: string };
      const bearer = { headers: { Authorization: `Bearer ${token}` } };
      expect((await world.app(new Request('http://registry.test/api/v1/users', bearer))).status).toBe(403);
    }
    const records = await trail();
    for (const status of [200, 403])
      expect(records.filter((record) => record.status === status)).toHaveLength(20);
  });
});
