import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chosenTarget, openTarget, type Target, TargetUnavailable } from '../targets.ts';
import { Accounts } from './accounts.ts';
import { askWhileBusy } from './busy.ts';
import type { Client } from './client.ts';
import { CLIENTS } from './clients.ts';
import { cleanUpOnSignal, killRunning, searchPath } from './command.ts';
import { stopDaemons } from './daemons.ts';
import type { Errand } from './errands/errand.ts';
import { ERRANDS } from './errands/errands.ts';
import { whyAbsent } from './go-tools.ts';
import { FULL, makeTestImages, SMALL, type TestImages } from './image.ts';
import { Lanes } from './lanes.ts';
import { modernClients } from './modern.ts';
import { NamedRegistry } from './named-registry.ts';
import { Registry } from './registry.ts';
import { Report, Skip } from './report.ts';
import { type AskOptions, askClient } from './round-trip.ts';
import { removeTree } from './scratch.ts';

let cleaning: Promise<void> | undefined;
let target: Target | undefined;
const targetName = chosenTarget();
/** The one that has a front door and no stream host. */
const refusesPatches = targetName === 'front';
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    busy: { type: 'boolean', default: false },
    identity: { type: 'boolean', default: false },
    modern: { type: 'boolean', default: false },
    largest: { type: 'string' },
  },
});
const onlyIdentity = values.identity;
const chosen = choose(positionals);
const id = randomBytes(4).toString('hex');
// In lower case throughout: podman makes the name of an image of it.
const directory = join(tmpdir(), `stowage-clients-${id}`);
await mkdir(directory);
cleanUpOnSignal(cleanUp);
const report = new Report();
try {
  await askAll();
} finally {
  await cleanUp();
}
process.exitCode = report.close();

async function askAll(): Promise<void> {
  const cache = process.env['STOWAGE_TEST_CACHE'] ?? join(import.meta.dirname, '../../scratch');
  const registry = await report.check(targetName, 'answers', openRegistry, ({ url }) => `at ${url}`);
  if (registry === undefined) return;
  const images = await report.check('images', 'are made', () =>
    makeTestImages({ directory, cache, sizes: sizes() }),
  );
  if (images === undefined) return;
  const modern = values.modern ? await installModern(cache) : [];
  if (modern === undefined) return;
  const tools = join(cache, 'bin');
  const prefix = `clients-${id}`;
  const path = searchPath([...modern, tools]);
  const accounts = new Accounts(registry);
  const lanes = target?.harness === undefined ? undefined : new Lanes(target.harness);
  const people = { registry, accounts, images, prefix, path };
  const options = { ...people, directory, report, onlyIdentity, lanes, refusesPatches };
  for (const client of chosen.clients) await ask(client, tools, options);
  if (chosen.errands.length > 0) await doErrands(images, path, tools);
}

/** On a registry of their own, which has a name and TLS. */
async function doErrands(images: TestImages, path: string, tools: string): Promise<void> {
  if (refusesPatches) return report.skip('errands', 'everything', 'most of these clients cannot push here');
  const place = join(directory, 'errands');
  await mkdir(place);
  const open = () => NamedRegistry.open(targetName, join(place, 'named'));
  const named = await report.check('errands', 'have a registry with a name and TLS', open);
  if (named === undefined) return;
  const options = { named, images, path, tools, report, isModern: values.modern, isRequired };
  try {
    for (const { name, run } of chosen.errands) await run({ ...options, directory: join(place, name) });
  } finally {
    await named.close();
  }
}

/** The directory to put on the PATH first. */
function installModern(cache: string): Promise<string[] | undefined> {
  return report.check('clients', 'of today are installed', async () => [
    await modernClients({ cache, directory }),
  ]);
}

async function ask(client: Client, tools: string, options: AskOptions): Promise<void> {
  const absent = await whyAbsent(client.programs, options.path, tools);
  if (absent === undefined && values.busy) await askWhileBusy(client, { ...options, harness: harness() });
  else if (absent === undefined) await askClient(client, options);
  else if (isRequired(client.name)) report.fail(client.name, 'is required', absent);
  else report.skip(client.name, 'everything', absent);
}

function harness(): string {
  if (target?.harness) return target.harness;
  throw new Error('--busy needs a front door: STOWAGE_TARGET=front or front-full');
}

/** Starts the target, or finds the registry that is given. */
async function openRegistry(): Promise<Registry> {
  target = await openTarget(targetName, directory).catch((error: unknown) => {
    const mayBeAbsent = error instanceof TargetUnavailable && !process.env['STOWAGE_REQUIRE_CLIENTS'];
    throw mayBeAbsent ? new Skip(error.message) : error;
  });
  if (target.admin === undefined) {
    throw new Error(
      'STOWAGE_USERNAME and STOWAGE_PASSWORD have to name an admin of the registry at STOWAGE_URL',
    );
  }
  return new Registry(target.url, target.admin);
}

function choose(names: readonly string[]): { clients: readonly Client[]; errands: readonly Errand[] } {
  const known = [...CLIENTS, ...ERRANDS].map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new Error(`nothing is called ${unknown.join(' or ')}; there are ${known.join(' ')}`);
  const able = CLIENTS.filter((client) => values.modern || !client.isModern);
  const runsErrands = targetName === 'embedded' && !onlyIdentity;
  if (names.length === 0) return { clients: able, errands: runsErrands ? ERRANDS : [] };
  const isNamed = ({ name }: { readonly name: string }) => names.includes(name);
  return { clients: able.filter(isNamed), errands: ERRANDS.filter(isNamed) };
}

/** What the images are made of: `--largest` is the size of the big layer, in MB. */
function sizes() {
  if (onlyIdentity || values.busy) return SMALL;
  const largest = Number(values.largest ?? FULL.bigLayerMegabytes);
  if (!Number.isInteger(largest) || largest < 1) throw new Error(`--largest is no size: ${values.largest}`);
  const chunks = targetName === 'front' ? { chunkBytes: SMALL.chunkBytes, chunks: SMALL.chunks } : {};
  return { ...FULL, ...chunks, bigLayerMegabytes: largest };
}

/** STOWAGE_REQUIRE_CLIENTS is `all`, or names with commas between them. */
function isRequired(name: string): boolean {
  const required = (process.env['STOWAGE_REQUIRE_CLIENTS'] ?? '').split(',');
  return required.includes('all') || required.includes(name);
}

/** Ends all that was started, then removes all that was written; a second call waits for the first. */
function cleanUp(): Promise<void> {
  cleaning ??= endAndRemove();
  return cleaning;
}

async function endAndRemove(): Promise<void> {
  killRunning();
  await stopDaemons();
  await target?.stop();
  await removeTree(directory);
}
