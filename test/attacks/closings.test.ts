import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Credentials } from '../clients/registry.ts';
import { openTarget, TARGETS, type Target, TargetUnavailable } from '../targets.ts';
import { Attacker, bytesOf } from './attacker.ts';
import { ATTACKS, type Attack } from './closings.ts';

// ATTACK_TRIES=200 makes so many tries of each; ATTACK_TARGETS=front,aws only on these; ATTACK_LATENCIES=0,15 has the stores so
// many milliseconds away.

const TRIES = Number(process.env['ATTACK_TRIES'] ?? 1);
const WANTED = process.env['ATTACK_TARGETS']?.split(',') ?? TARGETS;
const LATENCIES = (process.env['ATTACK_LATENCIES'] ?? '15').split(',').map(Number);
const SIZES = { '300 bytes': 300, '100 KB': 100_000, '12 MB': 12_000_000 };

/** The latency of a real store moves who comes first. */
const HOSTS = TARGETS.filter((name) => WANTED.includes(name)).flatMap((name) =>
  (name === 'embedded' ? [0] : LATENCIES).map((latencyMs) => ({ name, latencyMs })),
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

  it.each(Object.entries(SIZES))(
    `gives nobody other bytes, with a first chunk of %s, in ${TRIES} tries of each attack`,
    {
      timeout: 120_000 * TRIES,
    },
    async (_, size) => {
      if (!target?.admin) return expect(target).toBeUndefined(); // no DynamoDB for this platform
      const { url, admin } = target;
      const outcomes = Object.entries(ATTACKS).map(async ([name, attack]) => {
        for (let attempt = 1; attempt <= TRIES; attempt += 1) {
          await tryOnce(url, admin, size, attack).catch((error: unknown) => {
            throw new Error(`${name}, try ${attempt}: ${error}`, { cause: error });
          });
        }
      });
      await Promise.all(outcomes);
    },
  );
});

/** Attacks an upload of its own, and looks at every digest twice. */
async function tryOnce(url: string, admin: Credentials, size: number, attack: Attack): Promise<void> {
  const id = randomBytes(4).toString('hex');
  const [repository, others] = [`evil/${id}`, `good/${id}`];
  const attacker = await Attacker.login(url, admin, repository, others);
  const first = bytesOf(size);
  const location = await attacker.chunks(await attacker.open(repository), first);
  const contents = await attack({ attacker, repository, location, first });
  await attacker.expectRight(repository, others, contents);
  // Whoever is slow is done by now, or never will be.
  await attacker.expectRight(repository, others, contents);
}
