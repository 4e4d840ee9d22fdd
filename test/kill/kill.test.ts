import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';
import { type Ledger, newLedger, pushUntilDeath, sha256 } from './pusher.ts';

/** `KILL_ROUNDS=100 KILL_SEED=7 npx vitest run test/kill` is what CI runs; a few rounds catch what is plainly broken. */
const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 4);
const SEED = Number(process.env['KILL_SEED'] ?? 1);

it(`keeps every promise through ${ROUNDS} kills at random moments`, {
  timeout: ROUNDS * 15_000,
}, async () => {
  const data = await scratch();
  const everything = newLedger();
  const random = randomFrom(SEED);
  for (let round = 0; round < ROUNDS; round += 1) {
    const ledger = newLedger();
    const registry = await RegistryProcess.start(data);
    const pusher = { url: registry.url, random, ledger };
    const pushers = ['a', 'b', 'c/d'].map((name) => pushUntilDeath(pusher, `r${round}/${name}`));
    await setTimeout(random() * 250);
    await registry.stop('SIGKILL');
    await Promise.all(pushers);
    for (const path of ledger.attempted) everything.attempted.add(path);
    for (const path of ledger.acknowledged) everything.acknowledged.add(path);
    await checkAfterRestart(data, ledger, round);
  }
  expect(everything.acknowledged.size).toBeGreaterThan(0);
  await checkAfterRestart(data, everything, ROUNDS);
  checkNothingIsForgotten(data);
});

/** Every file is linked, or on the list of what to delete; and every linked object has its file. */
function checkNothingIsForgotten(data: string): void {
  const database = new DatabaseSync(join(data, 'registry.sqlite'));
  const rows = database.prepare('SELECT partition, sort, attributes FROM items').all() as unknown as Row[];
  database.close();
  const keysOf = (pattern: RegExp) =>
    new Set(
      rows
        .filter(({ partition, sort }) => pattern.test(`${partition} ${sort}`))
        .map(({ attributes }) => JSON.parse(attributes).objectKey)
        .filter(Boolean),
    );
  const linked = keysOf(/^D#\S+ #$|^R#\S+ M#/);
  const listed = keysOf(/^X#/);
  const files = readdirSync(join(data, 'blobs')).map((name) => `blobs/${name}`);
  expect(files.filter((file) => !linked.has(file) && !listed.has(file))).toEqual([]);
  expect([...linked].filter((file) => !files.includes(file))).toEqual([]);
  expect([...linked].filter((file) => listed.has(file))).toEqual([]);
}

interface Row {
  readonly partition: string;
  readonly sort: string;
  readonly attributes: string;
}

/** Invariants 1 to 4 of the design: whole manifests, true bytes, tags that resolve, promises kept. */
async function checkAfterRestart(data: string, { acknowledged, attempted }: Ledger, round: number) {
  const registry = await RegistryProcess.start(data);
  const problems: string[] = [];
  for (const path of attempted) {
    const problem = await check(registry.url, path, acknowledged.has(path));
    if (problem) problems.push(`round ${round}: ${path}: ${problem}`);
  }
  await registry.stop('SIGTERM');
  expect(problems).toEqual([]);
}

async function check(url: string, path: string, promised: boolean): Promise<string | undefined> {
  const response = await fetch(url + path);
  const bytes = await response.bytes();
  if (response.status === 404) return promised ? 'acknowledged, and lost' : undefined;
  if (response.status !== 200) return `status ${response.status}`;
  const digest = response.headers.get('docker-content-digest');
  if (sha256(bytes) !== digest || (path.includes(':') && !path.endsWith(digest))) return `holds other bytes`;
  return path.includes('/manifests/') ? checkManifest(url, path, bytes) : undefined;
}

async function checkManifest(url: string, path: string, bytes: Uint8Array): Promise<string | undefined> {
  const { config, layers } = JSON.parse(Buffer.from(bytes).toString());
  for (const { digest } of [config, ...layers]) {
    const blob = await fetch(url + path.replace(/manifests\/.*/, `blobs/${digest}`));
    if (blob.status !== 200 || sha256(await blob.bytes()) !== digest)
      return `can be read, its ${digest} cannot`;
  }
  return undefined;
}

/** A small generator whose seed makes a run's choices repeatable (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
