import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { objectFiles } from '../object-files.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';
import { brokenPromises } from './promises.ts';
import { newLedger, pushUntilDeath, randomFrom } from './pusher.ts';

/** `KILL_ROUNDS=100 KILL_SEED=7 npx vitest run test/kill` is what CI runs; a few rounds catch what is plainly broken. */
const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 4);
const SEED = Number(process.env['KILL_SEED'] ?? 1);

it(`keeps every promise through ${ROUNDS} kills at random moments`, {
  timeout: ROUNDS * 15_000,
}, async () => {
  const data = await scratch();
  const everything = newLedger();
  const random = randomFrom(SEED);
  let registry = await RegistryProcess.start(data);
  for (let round = 0; round < ROUNDS; round += 1) {
    const ledger = newLedger();
    const pusher = { url: registry.url, random, ledger };
    const pushers = ['a', 'b', 'c/d'].map((name) => pushUntilDeath(pusher, `r${round}/${name}`));
    const wait = random() * 250;
    // A machine that is busy gets as far as a first answer, too.
    while (everything.acknowledged.size + ledger.acknowledged.size === 0) await setTimeout(5);
    await setTimeout(wait);
    await registry.stop('SIGKILL');
    await Promise.all(pushers);
    for (const path of ledger.attempted) everything.attempted.add(path);
    for (const path of ledger.acknowledged) everything.acknowledged.add(path);
    registry = await RegistryProcess.start(data);
    expect(await brokenPromises(registry.url, ledger), `round ${round}`).toEqual([]);
  }
  expect(everything.acknowledged.size).toBeGreaterThan(0);
  await registry.stop('SIGTERM');
  registry = await RegistryProcess.start(data);
  expect(await brokenPromises(registry.url, everything)).toEqual([]);
  await registry.stop('SIGTERM');
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
  const files = objectFiles(data).map((name) => `blobs/${name}`);
  expect(files.filter((file) => !linked.has(file) && !listed.has(file))).toEqual([]);
  expect([...linked].filter((file) => !files.includes(file))).toEqual([]);
  expect([...linked].filter((file) => listed.has(file))).toEqual([]);
}

interface Row {
  readonly partition: string;
  readonly sort: string;
  readonly attributes: string;
}
