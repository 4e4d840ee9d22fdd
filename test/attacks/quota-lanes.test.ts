import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTarget, TARGETS, type Target, TargetUnavailable } from '../targets.ts';
import { Pusher } from './pusher.ts';
import { COMMON, LANES } from './quota-lanes.ts';
import { StoredBytes } from './stored-bytes.ts';

// ATTACK_TRIES=20 goes so many times along each lane; ATTACK_TARGETS=front,aws only on these.

const TRIES = Number(process.env['ATTACK_TRIES'] ?? 3);
const WANTED = process.env['ATTACK_TARGETS']?.split(',') ?? TARGETS;
const QUOTA = 1_000_000;
const SCOPES = ['q/a', 'q/b', 'q/c', 'open/source'].map((name) => `repository:${name}:pull,push,delete`);

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

  const setQuota = async (repositories: string[]) => {
    const admin = await login('registry:api:*');
    const body = JSON.stringify({ repositories, quota: { together: { bytes: QUOTA } } });
    const headers = { 'content-type': 'application/json' };
    const answer = await admin.send('PUT', '/api/v1/policies/small', { body, headers });
    expect(answer?.status, answer?.text).toBeLessThan(300);
  };

  it(`holds 1 MB at most at every moment, with all lanes at once, ${TRIES} times`, {
    timeout: 60_000 + 30_000 * TRIES,
  }, async () => {
    if (!target?.admin) return expect(target).toBeUndefined(); // no DynamoDB for this platform
    const pusher = await login(...SCOPES);
    expect((await pusher.put('open/source', COMMON))?.status).toBe(201);
    await setQuota(['q/*']);
    const watched = await StoredBytes.watch(directory);
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      await Promise.all(
        Object.values(LANES).map((lane, index) => lane(pusher, ['q/a', 'q/b', 'q/c'][index % 3] ?? 'q/a')),
      );
    }
    const { most, looks } = await watched.stop();
    process.stdout.write(
      `${name}: ${most} bytes at most, ${looks} looks; ${[...pusher.answers].join('; ')}\n`,
    );
    expect(most).toBeLessThanOrEqual(QUOTA);
    expect(most).toBeGreaterThan(QUOTA / 3);
  });

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
    expect((await pusher.put('fits/b', randomBytes(1)))?.status).toBeUndefined();
  });
});
