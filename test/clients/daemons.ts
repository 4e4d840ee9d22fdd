import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Environment, killGroup, refuseIfClosed } from './command.ts';

const START_TIMEOUT_SECONDS = 60;
const POLL_INTERVAL_MS = 250;

/** dockerd stops its own containerd within this; one that does not end in time is killed. */
const STOP_TIMEOUT_SECONDS = 30;

const REPORTED_LOG_CHARACTERS = 3000;

export interface DaemonOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Environment;
  readonly cwd?: string;
  /** Where its output goes. */
  readonly log: string;
  /** Resolves once the daemon answers; rejects while it does not. */
  readonly answers: () => Promise<unknown>;
}

export interface Daemon {
  stop(): Promise<void>;
}

const started = new Set<ChildProcess>();

/** Starts a daemon and waits until it answers. It is stopped by process id, whatever happens. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  refuseIfClosed();
  const output = openSync(options.log, 'w');
  const child = spawn(options.program, options.args, {
    cwd: options.cwd,
    env: options.env,
    stdio: ['ignore', output, output],
    detached: true, // a Ctrl-C in the terminal is ours to pass on, in order
  });
  let failure: Error | undefined;
  child.once('error', (error) => {
    failure = error;
  });
  started.add(child);
  const deadline = performance.now() + START_TIMEOUT_SECONDS * 1000;
  let problem: unknown;
  while (performance.now() < deadline && failure === undefined && isRunning(child)) {
    try {
      await options.answers();
      return { stop: () => stop(child) };
    } catch (error) {
      problem = error;
      await sleep(POLL_INTERVAL_MS);
    }
  }
  await stop(child);
  const log = (await readFile(options.log, 'utf8')).slice(-REPORTED_LOG_CHARACTERS);
  throw new Error(`${options.program} does not answer: ${String(failure ?? problem)}\n${log}`);
}

/** Stops the daemons that are still there, last started first. */
export async function stopDaemons(): Promise<void> {
  for (const child of [...started].reverse()) await stop(child);
}

async function stop(child: ChildProcess): Promise<void> {
  started.delete(child);
  if (child.pid === undefined || !isRunning(child)) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await Promise.race([ended, sleep(STOP_TIMEOUT_SECONDS * 1000, undefined, { ref: false })]);
  killGroup(child);
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}
