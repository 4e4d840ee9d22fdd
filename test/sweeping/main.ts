import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Accounts } from '../clients/accounts.ts';
import { type Client, Desk } from '../clients/client.ts';
import { CLIENTS } from '../clients/clients.ts';
import { cleanUpOnSignal, killRunning, searchPath } from '../clients/command.ts';
import { stopDaemons } from '../clients/daemons.ts';
import { whyAbsent } from '../clients/go-tools.ts';
import { invitePeople } from '../clients/identity.ts';
import { ImageSource, makeTestImages, SMALL } from '../clients/image.ts';
import { Registry } from '../clients/registry.ts';
import { Report } from '../clients/report.ts';
import { removeTree } from '../clients/scratch.ts';
import { chosenTarget, openTarget, type Target } from '../targets.ts';
import { checkAtRest } from './at-rest.ts';
import { Sweeper } from './sweeper.ts';
import { Worker } from './worker.ts';

/** While sweeps run in a tight loop, real clients push, pull, retag and delete. Nothing may fail, all that is kept pulls
 *  with equal digests, and at rest no byte is left that nothing reaches. `--minutes 10`; clients by name. */

/** Short, so that many go by; long enough for the slowest client from its first request to its manifest. */
const EPOCH_SECONDS = 30;
const QUARANTINE_SECONDS = 45;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { minutes: { type: 'string', default: '10' } },
});
const names =
  positionals.length > 0 ? positionals : ['crane', 'oras', 'regctl', 'skopeo', 'docker', 'podman'];
Object.assign(process.env, {
  STOWAGE_EPOCH_SECONDS: `${EPOCH_SECONDS}`,
  STOWAGE_QUARANTINE_SECONDS: `${QUARANTINE_SECONDS}`,
  STOWAGE_UNSAFE_SHORT_EPOCHS: '1',
});
const id = randomBytes(4).toString('hex');
const directory = join(tmpdir(), `stowage-sweeping-${id}`);
await mkdir(directory);
let target: Target | undefined;
cleanUpOnSignal(cleanUp);
const report = new Report();
try {
  await workAndSweep(chosenTarget());
} finally {
  await cleanUp();
}
process.exitCode = report.close();

async function workAndSweep(name: ReturnType<typeof chosenTarget>): Promise<void> {
  target = await openTarget(name, directory);
  if (!target.admin) throw new Error('the registry has to be one of our own');
  const registry = new Registry(target.url, target.admin);
  const workers = await openWorkers(registry);
  const repositories = workers.flatMap((worker) => worker.repositories);
  const sweeper = new Sweeper(registry, repositories);
  const until = performance.now() + Number(values.minutes) * 60_000;
  const sweeping = Promise.allSettled([sweeper.run(), sweeper.run()]); // two at once, all the time
  await Promise.all(workers.map((worker) => worker.run(until)));
  sweeper.stop();
  for (const run of await sweeping) {
    const ended = async () => run.status === 'fulfilled' || Promise.reject(run.reason);
    await report.check('sweeps', 'run in a tight loop:', ended, () => sweeper.summary);
  }
  for (const worker of workers) {
    await report.check(worker.name, 'finds all that it kept:', () => worker.verifyKept(), String);
  }
  await Promise.all(workers.map((worker) => worker.close()));
  await target.stop();
  target = undefined;
  const kept = workers.flatMap((worker) => worker.kept);
  const atRest = () => checkAtRest(name, join(directory, 'registry'), { repositories, kept });
  await report.check('at rest', 'no byte is left that nothing reaches:', atRest, String);
}

async function openWorkers(registry: Registry): Promise<Worker[]> {
  const cache = process.env['STOWAGE_TEST_CACHE'] ?? join(import.meta.dirname, '../../scratch');
  const images = await makeTestImages({ directory, cache, sizes: SMALL });
  const path = searchPath([join(cache, 'bin')]);
  const workers: Worker[] = [];
  for (const client of names.map(clientNamed)) {
    const absent = await whyAbsent(client.programs, path, join(cache, 'bin'));
    if (absent !== undefined) {
      report.fail(client.name, 'is required', absent);
      continue;
    }
    const place = join(directory, client.name);
    await mkdir(place);
    const desk = await Desk.create(client.name, place, { registry, images, prefix: `sweeping-${id}`, path });
    const session = await client.open(desk);
    await session.login((await invitePeople(new Accounts(registry), desk)).user);
    const source = await ImageSource.open(join(place, 'images'));
    workers.push(new Worker({ client, desk, session, source, report }));
  }
  return workers;
}

function clientNamed(name: string): Client {
  const found = CLIENTS.find((client) => client.name === name);
  if (!found) throw new Error(`no client is called ${name}`);
  return found;
}

async function cleanUp(): Promise<void> {
  killRunning();
  await stopDaemons();
  await target?.stop();
  await removeTree(directory);
}
