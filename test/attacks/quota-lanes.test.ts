import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../functions/oci/digest.ts';
import { openTarget, TARGETS, type Target, TargetUnavailable } from '../targets.ts';
import { Pusher } from './pusher.ts';
import { COMMON, LANES, type Lane, PAST_LANES } from './quota-lanes.ts';
import { StoredBytes } from './stored-bytes.ts';

// ATTACK_TRIES=20 goes so many times along each lane; ATTACK_TARGETS=front,aws only on these.

const TRIES = Number(process.env['ATTACK_TRIES'] ?? 3);
const WANTED = process.env['ATTACK_TARGETS']?.split(',') ?? TARGETS;
const QUOTA = 1_000_000;

describe.each(TARGETS.filter((name) => WANTED.includes(name)))('%s, with a quota of 1 MB', (name) => {
  let target: Target | undefined;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'stowage-quotas-'));
    target = await openTarget(name, directory).catch((error: unknown) => {
      if (error instanceof TargetUnavailable) return undefined;
      throw error;
    });
  }, 60_000);
  afterAll(async () => {
    await target?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const login = (...scopes: string[]) => {
    if (!target?.admin) throw new Error(`${name} is not there`);
    return Pusher.login(target.url, target.admin, ...scopes);
  };

  const setQuota = async (repositories: string[], bytes = QUOTA) => {
    const admin = await login('registry:api:*');
    const body = JSON.stringify({ repositories, quota: { together: { bytes } } });
    const headers = { 'content-type': 'application/json' };
    const answer = await admin.send('PUT', `/api/v1/policies/${randomBytes(4).toString('hex')}`, {
      body,
      headers,
    });
    expect(answer?.status, answer?.text).toBeLessThan(300);
  };

  /** The most that the stores hold beyond what was there, and the answers, while all lanes are taken `times` times. */
  const attack = async (lanes: readonly Lane[], quota: number, times = 1) => {
    const team = `t${randomBytes(4).toString('hex')}`;
    await setQuota([`${team}/*`], quota);
    const repositories = ['a', 'b', 'c'].map((one) => `${team}/${one}`);
    const scopes = [...repositories, 'open/source'].map((one) => `repository:${one}:pull,push,delete`);
    const pusher = await login(...scopes);
    const watched = await StoredBytes.watch(directory);
    for (let time = 0; time < times; time += 1)
      await Promise.all(lanes.map((lane, index) => lane(pusher, repositories[index % 3] ?? '')));
    const { most, looks } = await watched.stop();
    process.stdout.write(`${name}: ${most} of ${quota}, ${looks} looks; ${[...pusher.answers].join('; ')}\n`);
    expect(most).toBeLessThanOrEqual(quota);
    return most;
  };

  it(`holds 1 MB at most at every moment, with all lanes at once, ${TRIES} times`, {
    timeout: 60_000 + 30_000 * TRIES,
  }, async () => {
    if (!target?.admin) return expect(target).toBeUndefined(); // no DynamoDB for this platform
    const source = await login('repository:open/source:pull,push');
    expect((await source.put('open/source', COMMON))?.status).toBe(201);
    const lanes = Object.values(LANES);
    let most = 0;
    for (let attempt = 0; attempt < TRIES; attempt += 1)
      most = Math.max(most, await attack([...lanes, ...lanes], QUOTA, 2));
    expect(most).toBeGreaterThan(QUOTA / 3);
  });

  it.runIf(name.startsWith('front'))(
    `holds 100 MB at most where they go past it, ${TRIES} times`,
    {
      timeout: 60_000 + 30_000 * TRIES,
    },
    async () => {
      if (!target?.admin) return expect(target).toBeUndefined();
      const lanes = Object.values(PAST_LANES);
      let most = 0;
      for (let attempt = 0; attempt < TRIES; attempt += 1)
        most = Math.max(most, await attack([...lanes, ...lanes], 100_000_000, 2));
      expect(most).toBeGreaterThan(4_000_000);
    },
  );

  it('takes what fits to the byte, and once more what was cancelled', { timeout: 60_000 }, async () => {
    if (!target?.admin) return expect(target).toBeUndefined();
    await setQuota(['fits/*']);
    const pusher = await login('repository:fits/a:pull,push', 'repository:fits/b:pull,push');
    const part = randomBytes(400_000);
    for (let n = 0; n < 5; n += 1) {
      const location = (await pusher.open('fits/a')) ?? '';
      expect((await pusher.send('PATCH', location, { body: randomBytes(900_000) }))?.status).toBe(202);
      expect((await pusher.send('DELETE', location))?.status).toBe(204);
    }
    expect((await pusher.put('fits/a', part))?.status).toBe(201);
    expect((await pusher.put('fits/a', part))?.status).toBe(201);
    expect((await pusher.put('fits/b', randomBytes(600_000)))?.status).toBe(201);
    expect((await pusher.put('fits/b', randomBytes(1)))?.status).toBe(403);
  });

  it('takes once more what had another digest', { timeout: 60_000 }, async () => {
    if (!target?.admin) return expect(target).toBeUndefined();
    await setQuota(['wrong/*']);
    const pusher = await login('repository:wrong/a:pull,push', 'repository:wrong/b:pull,push');
    const other = digestOf('sha256', Buffer.from('something else'));
    for (let n = 0; n < 5; n += 1) {
      const location = (await pusher.open('wrong/a')) ?? '';
      expect((await pusher.close(location, other, randomBytes(900_000)))?.status).toBe(400);
    }
    expect((await pusher.put('wrong/b', randomBytes(1_000_000)))?.status).toBe(201);
  });
});
