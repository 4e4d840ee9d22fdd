import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { withConnection } from './http/connection.ts';
import { prepare, type Target } from './http/request.ts';
import { LOOPBACK, type Recipe, type Server } from './servers.ts';

const START_MS = 20_000;
const STOP_MS = 5_000;
/** A start is measured by it. */
const POLL_MS = 1;

export interface StartedServer extends Server {
  readonly pid: number;
  /** From the spawn of the process to its first `200` for `GET /v2/`. */
  readonly startSeconds: number;
  /** Lets requests finish; resolves when the process has ended. */
  stop(): Promise<void>;
}

/** Starts servers, and knows which to stop. */
export class ServerGroup {
  readonly #children = new Set<ChildProcess>();

  /** Resolves once it answers; fails with its output where it does not. */
  async start({ name, command, port, settings, root, log }: Recipe): Promise<StartedServer> {
    const [program = '', ...args] = command;
    const output = openSync(log, 'a');
    const spawned = process.hrtime.bigint();
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...settings },
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    this.#children.add(child);
    const target = { host: LOOPBACK, port };
    await untilReady(name, child, target, log);
    const startSeconds = Number(process.hrtime.bigint() - spawned) / 1e9;
    const stop = () => this.#stop(child);
    return { name, target, pid: child.pid as number, startSeconds, stop };
  }

  /** Stops what this group started, by process id, and nothing else. */
  async stop(): Promise<void> {
    await Promise.all([...this.#children].map((child) => this.#stop(child)));
  }

  /** The same without waiting, for a signal handler. */
  kill(): void {
    for (const child of this.#children) {
      child.kill('SIGKILL');
    }
  }

  async #stop(child: ChildProcess): Promise<void> {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) {
      return;
    }
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    await exited;
    clearTimeout(late);
    this.#children.delete(child);
  }
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

async function answers(target: Target): Promise<boolean> {
  try {
    const version = prepare(target, { method: 'GET', path: '/v2/' });
    const { status } = await withConnection(target, (connection) => connection.send(version));
    return status === 200 || status === 401; // which a registry with users says
  } catch {
    return false;
  }
}
