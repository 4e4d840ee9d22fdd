import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../test/free-port.ts';
import { withConnection } from './http/connection.ts';
import { prepare, type Target } from './http/request.ts';

const LOOPBACK = '127.0.0.1';
const START_MS = 20_000;
const STOP_MS = 5_000;
const POLL_MS = 50;

/** One of the two servers under comparison. */
export interface Server {
  readonly name: string;
  readonly target: Target;
  /** Absent where the server was started elsewhere: then CPU and memory are not known. */
  readonly pid?: number;
}

/** Starts servers, and knows which to stop. */
export class ServerGroup {
  readonly #children: ChildProcess[] = [];

  /** The registry of this repository, on an empty directory below `workspace`. */
  async startStowage(root: string, workspace: string): Promise<Server> {
    const port = await freePort();
    const data = makeDirectory(workspace, 'stowage');
    // Like the registry it is compared with, it asks for no login.
    const settings = { STOWAGE_PORT: String(port), STOWAGE_DATA: data, STOWAGE_OPEN: '1' };
    const command = [process.execPath, join(root, 'local', 'main.ts')];
    return this.start({
      name: 'Stowage',
      command,
      port,
      settings,
      root,
      log: join(workspace, 'stowage.log'),
    });
  }

  /** The `docker-registry` on the PATH, on an empty directory below `workspace`. */
  async startDockerRegistry(workspace: string): Promise<Server> {
    const port = await freePort();
    const config = join(workspace, 'docker-registry.yaml');
    writeFileSync(config, dockerRegistryConfig(port, makeDirectory(workspace, 'docker-registry')));
    const command = ['docker-registry', 'serve', config];
    const log = join(workspace, 'docker-registry.log');
    return this.start({ name: 'docker-registry', command, port, settings: {}, root: workspace, log });
  }

  /** Stops what this group started, by process id, and nothing else. */
  async stop(): Promise<void> {
    await Promise.all(this.#children.map(stopChild));
  }

  /** The same without waiting, for a signal handler. */
  kill(): void {
    for (const child of this.#children) {
      child.kill('SIGKILL');
    }
  }

  /** Starts a program that serves HTTP on `port`, and waits until it answers. */
  async start({ name, command, port, settings, root, log }: StartOptions): Promise<Server> {
    const [program = '', ...args] = command;
    const output = openSync(log, 'a');
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...settings },
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    this.#children.push(child);
    const target = { host: LOOPBACK, port };
    await untilReady(name, child, target, log);
    return child.pid === undefined ? { name, target } : { name, target, pid: child.pid };
  }
}

/** A program to start; its output goes to `log`. */
export interface StartOptions {
  readonly name: string;
  readonly command: readonly string[];
  readonly port: number;
  readonly settings: Record<string, string>;
  readonly root: string;
  readonly log: string;
}

/** Debian's own configuration, with what slows it taken out: no access log, no purge of old uploads, no
 *  health checks of the storage, no password. The descriptor cache is Debian's. */
function dockerRegistryConfig(port: number, data: string): string {
  return `version: 0.1
log:
  level: error
  accesslog:
    disabled: true
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: ${JSON.stringify(data)}
  delete:
    enabled: true
  maintenance:
    uploadpurging:
      enabled: false
http:
  addr: ${LOOPBACK}:${port}
  secret: bench
`;
}

function makeDirectory(workspace: string, name: string): string {
  const path = join(workspace, name);
  mkdirSync(path);
  return path;
}

async function untilReady(name: string, child: ChildProcess, target: Target, log: string): Promise<void> {
  let failure: Error | undefined;
  child.once('error', (error) => {
    failure = error;
  });
  const deadline = Date.now() + START_MS;
  while (!(await answers(target))) {
    if (failure !== undefined || child.exitCode !== null || Date.now() > deadline) {
      const output = readFileSync(log, 'utf8').slice(-2000);
      throw new Error(`${name} did not start: ${failure?.message ?? ''}\n${output}`);
    }
    await sleep(POLL_MS);
  }
}

/** Whether something speaks HTTP there; what it says is the workloads' concern. */
async function answers(target: Target): Promise<boolean> {
  try {
    const version = prepare(target, { method: 'GET', path: '/v2/' });
    await withConnection(target, (connection) => connection.send(version));
    return true;
  } catch {
    return false;
  }
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
    return;
  }
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await exited;
  clearTimeout(late);
}
