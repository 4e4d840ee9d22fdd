import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTarget, TARGETS, type Target, TargetUnavailable } from '../targets.ts';
import { Attacker, bytesOf } from './attacker.ts';
import { ATTACKS } from './closings.ts';

// ATTACK_TRIES=200 makes so many tries of each; ATTACK_TARGETS=front,aws only on these.

const TRIES = Number(process.env['ATTACK_TRIES'] ?? 3);
const WANTED = process.env['ATTACK_TARGETS']?.split(',') ?? TARGETS;
const SIZES = { '300 bytes': 300, '100 KB': 100_000, '12 MB': 12_000_000 };

/** Both with and without the latency of a real store, which moves who comes first. */
const HOSTS = TARGETS.filter((name) => WANTED.includes(name)).flatMap((name) =>
  (name === 'embedded' ? [0] : [0, 15]).map((latencyMs) => ({ name, latencyMs })),
);

describe.each(HOSTS)('$name, stores $latencyMs ms away', ({ name, latencyMs }) => {
  let target: Target | undefined;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'stowage-attacks-'));
    target = await openTarget(name, directory, { latencyMs }).catch((error: unknown) => {
      if (error instanceof TargetUnavailable) return undefined;
      throw error;
    });
  }, 60_000);
  afterAll(async () => {
    await target?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  describe.each(Object.entries(SIZES))('with a first chunk of %s', (_, size) => {
    it.each(Object.entries(ATTACKS))(
      `gives nobody other bytes: %s, ${TRIES} times`,
      {
        timeout: 60_000 * TRIES,
      },
      async (_attack, attack) => {
        if (!target?.admin) return expect(target).toBeUndefined(); // no DynamoDB for this platform
        for (let attempt = 0; attempt < TRIES; attempt += 1) {
          const id = randomBytes(4).toString('hex');
          const [repository, others] = [`evil/${id}`, `good/${id}`];
          const attacker = await Attacker.login(target.url, target.admin, repository, others);
          const first = bytesOf(size);
          const location = await attacker.chunks(await attacker.open(repository), first);
          const contents = await attack({ attacker, repository, location, first });
          await attacker.expectRight(repository, others, contents);
          // Whoever is slow is done by now, or never will be.
          await attacker.expectRight(repository, others, contents);
        }
      },
    );
  });
});
