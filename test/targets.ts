import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startDynamoDb } from './aws/dynamodb/server.ts';
import { makeFirstAdmin } from './aws/first-admin.ts';
import { startAwsStores } from './aws/stores.ts';
import { type Environment, inheritedEnvironment } from './clients/command.ts';
import { type Daemon, startDaemon } from './clients/daemons.ts';
import type { Credentials } from './clients/registry.ts';
import { freePort } from './free-port.ts';

const PROJECT = join(import.meta.dirname, '..');
const PING_TIMEOUT_SECONDS = 10;
const BANNER_TIMEOUT_SECONDS = 10;
const BANNER_POLL_MS = 50;

/** The Node host on its own stores; the Node host on DynamoDB and S3; the Lambda function behind an HTTP API. Servers on
 *  this machine stand in for AWS. */
export const TARGETS = ['embedded', 'aws', 'lambda'] as const;
export type TargetName = (typeof TARGETS)[number];

/** A registry to test, in a process of its own. */
export interface Target {
  readonly url: string;
  /** Who may do everything; absent where a registry is given without it. */
  readonly admin?: Credentials;
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
export async function openTarget(name: TargetName, directory: string): Promise<Target> {
  const given = process.env['STOWAGE_URL'];
  if (given) {
    await ping(given);
    const { STOWAGE_USERNAME: username, STOWAGE_PASSWORD: password } = process.env;
    const admin = username && password ? { admin: { username, password } } : {};
    return { url: given, ...admin, stop: async () => undefined };
  }
  const data = join(directory, 'registry');
  await mkdir(join(data, 's3'), { recursive: true });
  return await STARTERS[name](data);
}

const STARTERS: Readonly<Record<TargetName, (data: string) => Promise<Target>>> = {
  embedded: startEmbedded,
  aws: startOnAws,
  lambda: startOnLambda,
};

async function startEmbedded(data: string): Promise<Target> {
  const host = await startNodeHost(data, { STOWAGE_STORE: 'directory' });
  return { ...host, admin: await adminIn(host.log) };
}

function startNodeHost(data: string, environment: Environment): Promise<Host> {
  return startHost('local/main.ts', data, 'STOWAGE_PORT', { STOWAGE_DATA: data, ...environment });
}

/** The server that stands in for S3 runs in this process. */
async function startOnAws(data: string): Promise<Target> {
  const stores = await startAwsStores(data);
  if (!stores) throw new TargetUnavailable();
  try {
    const admin = await makeFirstAdmin(stores.environment);
    const host = await startNodeHost(data, { ...stores.environment, STOWAGE_STORE: 'aws' });
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
async function startOnLambda(data: string): Promise<Target> {
  const dynamodb = await startDynamoDb();
  if (!dynamodb) throw new TargetUnavailable();
  await dynamodb.stop();
  const host = await startHost('test/aws/main.ts', data, 'STOWAGE_FRONT_PORT', { STOWAGE_AWS_DATA: data });
  return { ...host, admin: await adminIn(host.log) };
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
  const deadline = performance.now() + BANNER_TIMEOUT_SECONDS * 1000;
  while (performance.now() < deadline) {
    const [, password] =
      /first admin is "admin"[\s\S]*?:\s+(\S{20,})/.exec(await readFile(log, 'utf8')) ?? [];
    if (password !== undefined) return { username: 'admin', password };
    await sleep(BANNER_POLL_MS);
  }
  throw new Error(`no password of a first admin in ${log}`);
}

async function ping(url: string): Promise<void> {
  const signal = AbortSignal.timeout(PING_TIMEOUT_SECONDS * 1000);
  const response = await fetch(new URL('/v2/', url), { signal });
  await response.arrayBuffer();
  // A registry that wants a login answers, too.
  if (!response.ok && response.status !== 401) throw new Error(`${url}/v2/ is answered ${response.status}`);
}
