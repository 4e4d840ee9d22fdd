import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { brokenPromises } from '../kill/promises.ts';
import { type Ledger, newLedger, pushUntilDeath, randomFrom } from '../kill/pusher.ts';
import { RegistryProcess } from '../registry-process.ts';
import { canMount, LoopDisk } from './loop-disk.ts';

const CUTS = Number(process.env['POWER_CUTS'] ?? 3);
const SEED = Number(process.env['POWER_SEED'] ?? 1);

const snapshotOf = ({ acknowledged, attempted }: Ledger): Ledger => ({
  acknowledged: new Set(acknowledged),
  attempted: new Set(attempted),
});

it.skipIf(!canMount)(
  `keeps what it acknowledged through ${CUTS} losses of power while four clients push${
    canMount ? '' : ' (needs root and loop devices)'
  }`,
  { timeout: CUTS * 60_000 },
  async () => {
    const disk = await LoopDisk.make(700);
    onTestFinished(() => disk.remove());
    const random = randomFrom(SEED);
    const registry = await RegistryProcess.start(join(disk.path, 'data'));
    const ledger = newLedger();
    const pusher = { url: registry.url, random, ledger };
    const pushers = ['a', 'b', 'c/d', 'e'].map((name) => pushUntilDeath(pusher, name));
    const checked: string[] = [];
    for (let cut = 0; cut < CUTS; cut += 1) {
      await setTimeout(300 + random() * 700);
      // What it has sent by then was acknowledged before; what it would do next does not happen.
      const promised = snapshotOf(ledger);
      registry.signal('SIGSTOP');
      const copy = await disk.copy();
      const tried = new Set(ledger.attempted);
      registry.signal('SIGCONT');
      const ledgerThen = { acknowledged: promised.acknowledged, attempted: tried };
      const restarted = await RegistryProcess.start(join(copy, 'data'));
      expect(await brokenPromises(restarted.url, ledgerThen), `cut ${cut}`).toEqual([]);
      await restarted.stop('SIGTERM');
      await disk.release(copy);
      checked.push(...promised.acknowledged);
    }
    await registry.stop('SIGKILL');
    await Promise.all(pushers);
    expect(checked.length).toBeGreaterThan(CUTS);
  },
);
