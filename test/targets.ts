import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startDynamoDb } from './aws/dynamodb/server.ts';
import { makeFirstAdmin } from './aws/first-admin.ts';
import { type StoresOptions, startAwsStores } from './aws/stores.ts';
import { type Environment, inheritedEnvironment } from './clients/command.ts';
import { type Daemon, startDaemon } from './clients/daemons.ts';
import type { Credentials } from './clients/registry.ts';
import { freePort } from './free-port.ts';

const PROJECT = join(import.meta.dirname, '..');
const PING_TIMEOUT_SECONDS = 10;
const BANNER_TIMEOUT_SECONDS = 10;
const BANNER_POLL_MS = 50;

/** The Node host on its own stores; the Node host on DynamoDB and S3; a deployment behind its front door, and one with a
 *  stream host and with downloads through the front door. Servers on this machine stand in for AWS. */
export const TARGETS = ['embedded', 'aws', 'front', 'front-full'] as const;
export type TargetName = (typeof TARGETS)[number];

/** A registry to test, in a process of its own. */
export interface Target {
  readonly url: string;
  /** Who may do everything; absent where a registry is given without it. */
  readonly admin?: Credentials;
  /** Where the front door's harness tells what went where, and takes faults. */
  readonly harness?: string;
  /** Ends all of it; what it wrote stays. */
  stop(): Promise<void>;
}

/** What `openTarget` fails with where a target cannot run on this machine. */
export class TargetUnavailable extends Error {
  override readonly name = 'TargetUnavailable';

  constructor() {
    super('there is no DynamoDB server for this platform; name one in STOWAGE_TEST_DYNAMODB');
  }
}

/** What STOWAGE_TARGET names, by default `embedded`. */
export function chosenTarget(): TargetName {
  const chosen = process.env['STOWAGE_TARGET'] || 'embedded';
  const target = TARGETS.find((name) => name === chosen);
  if (target === undefined) throw new Error(`STOWAGE_TARGET is none of ${TARGETS.join(', ')}: ${chosen}`);
  return target;
}

/** The registry at STOWAGE_URL; without one, a new one of this checkout, its data and its log in `directory`. */
export async function openTarget(
  name: TargetName,
  directory: string,
  options: TargetOptions = {},
): Promise<Target> {
  const given = process.env['STOWAGE_URL'];
  if (given) {
    await ping(given);
    const { STOWAGE_USERNAME: username, STOWAGE_PASSWORD: password } = process.env;
    const admin = username && password ? { admin: { username, password } } : {};
    return { url: given, ...admin, stop: async () => undefined };
  }
  const data = join(directory, 'registry');
  await mkdir(join(data, 's3'), { recursive: true });
  return await STARTERS[name](data, options);
}

/** How far away DynamoDB and S3 are, how long transactions run there, and what the registry calls itself. */
type TargetOptions = Pick<StoresOptions, 'latencyMs' | 'transactionMs'> & {
  /** @default where it listens */
  readonly publicUrl?: string;
  /** Of a front door, and how long the machine of one that sleeps takes to start. @default none */
  readonly streamHost?: 'wake';
  readonly bootMs?: number;
};

const STARTERS: Readonly<Record<TargetName, (data: string, options: TargetOptions) => Promise<Target>>> = {
  embedded: startEmbedded,
  aws: startOnAws,
  front: (data, options) => startFront(data, options),
  'front-full': (data, options) =>
    startFront(data, options, { STOWAGE_STREAM_HOST: 'instance', STOWAGE_DOWNLOADS: 'cdn' }),
};

async function startEmbedded(data: string, { publicUrl = '' }: TargetOptions): Promise<Target> {
  const host = await startNodeHost(data, { STOWAGE_STORE: 'directory', STOWAGE_PUBLIC_URL: publicUrl });
  return { ...host, admin: await adminIn(host.log) };
}

function startNodeHost(data: string, environment: Environment): Promise<Host> {
  return startHost('local/main.ts', data, 'STOWAGE_PORT', { STOWAGE_DATA: data, ...environment });
}

/** The server that stands in for S3 runs in this process. */
async function startOnAws(data: string, options: TargetOptions): Promise<Target> {
  const stores = await startAwsStores(data, options);
  if (!stores) throw new TargetUnavailable();
  try {
    const admin = await makeFirstAdmin(stores.environment);
    const named = { STOWAGE_STORE: 'aws', STOWAGE_PUBLIC_URL: options.publicUrl ?? '' };
    const host = await startNodeHost(data, { ...stores.environment, ...named });
    const stop = async () => {
      await host.stop();
      await stores.stop();
    };
    return { url: host.url, admin, stop };
  } catch (error) {
    await stores.stop();
    throw error;
  }
}

/** It starts its stores itself, so whether it can is found out first. */
async function startFront(
  data: string,
  { latencyMs = 0, transactionMs, publicUrl = '', streamHost, bootMs }: TargetOptions,
  environment: Environment = {},
): Promise<Target> {
  const dynamodb = await startDynamoDb();
  if (!dynamodb) throw new TargetUnavailable();
  await dynamodb.stop();
  const settings = {
    STOWAGE_AWS_DATA: data,
    STOWAGE_STREAM_HOST: streamHost ?? 'none',
    STOWAGE_EC2_BOOT_MS: `${bootMs ?? ''}`,
    STOWAGE_DOWNLOADS: 's3',
    STOWAGE_AWS_LATENCY_MS: `${latencyMs}`,
    STOWAGE_AWS_TRANSACTION_MS: `${transactionMs ?? ''}`,
    STOWAGE_PUBLIC_URL: publicUrl,
    ...environment,
  };
  const host = await startHost('test/aws/main.ts', data, 'STOWAGE_FRONT_PORT', settings);
  const [, harness] = await told(host.log, /STOWAGE_HARNESS_URL=(\S+)\n/);
  return { ...host, admin: await adminIn(host.log), ...(harness && { harness }) };
}

interface Host extends Target {
  /** Where its output goes. */
  readonly log: string;
}

/** Runs a program of this project on a free port, which `portVariable` tells it, until it is stopped. */
async function startHost(
  program: string,
  data: string,
  portVariable: string,
  environment: Environment,
): Promise<Host> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const log = `${data}.log`;
  const daemon: Daemon = await startDaemon({
    program: process.execPath,
    args: [program],
    env: { ...inheritedEnvironment(), ...environment, [portVariable]: `${port}` },
    cwd: PROJECT,
    log,
    answers: () => ping(url),
  });
  return { url, log, stop: () => daemon.stop() };
}

/** The first admin, whose password a host prints as soon as it listens. */
async function adminIn(log: string): Promise<Credentials> {
  const [, password = ''] = await told(log, /first admin is "admin"[\s\S]*?:\s+(\S{20,})/);
  return { username: 'admin', password };
}

/** What a host prints when it has just begun to listen. */
async function told(log: string, what: RegExp): Promise<RegExpExecArray> {
  const deadline = performance.now() + BANNER_TIMEOUT_SECONDS * 1000;
  while (performance.now() < deadline) {
    const found = what.exec(await readFile(log, 'utf8'));
    if (found) return found;
    await sleep(BANNER_POLL_MS);
  }
  throw new Error(`${log} does not say ${what.source}`);
}

async function ping(url: string): Promise<void> {
  const signal = AbortSignal.timeout(PING_TIMEOUT_SECONDS * 1000);
  const response = await fetch(new URL('/v2/', url), { signal });
  await response.arrayBuffer();
  // A registry that wants a login answers, too.
  if (!response.ok && response.status !== 401) throw new Error(`${url}/v2/ is answered ${response.status}`);
}
