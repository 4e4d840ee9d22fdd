import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { freePort } from '../../free-port.ts';

/** A DynamoDB for tests. */
export interface DynamoDbServer {
  readonly endpoint: string;
  /** Ends the process, where there is one. */
  readonly stop: () => Promise<void>;
}

const START_TIMEOUT_MS = 20_000;
const POLL_MS = 20;

/** The endpoint in STOWAGE_TEST_DYNAMODB, else Dynoxide in a process of its own; `undefined` where its binary is not
 *  installed. Data is in memory where `path` names no file. */
export async function startDynamoDb(path?: string): Promise<DynamoDbServer | undefined> {
  const endpoint = process.env['STOWAGE_TEST_DYNAMODB'];
  if (endpoint) return { endpoint, stop: async () => undefined };
  const binary = findDynoxide();
  if (!binary) return undefined;
  const port = await freePort();
  const file = path === undefined ? [] : ['--db-path', path];
  return startServer(port, binary, ['serve', '--port', `${port}`, ...file]);
}

/** Runs a server, which must listen on `port` of the loopback address; fails with its output where it does not. */
export async function startServer(
  port: number,
  command: string,
  args: readonly string[],
): Promise<DynamoDbServer> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output = `${output}${text}`.slice(-10_000);
    });
  }
  child.once('error', (error) => {
    output += error.message;
  });
  const stop = async () => {
    process.off('exit', end);
    await stopProcess(child);
  };
  const endpoint = `http://127.0.0.1:${port}`;
  for (
    const deadline = Date.now() + START_TIMEOUT_MS;
    !(await answers(endpoint));
    await setTimeout(POLL_MS)
  ) {
    if (Date.now() < deadline && isRunning(child)) continue;
    await stop();
    throw new Error(`${command} did not start: ${output}`);
  }
  return { endpoint, stop };
}

function findDynoxide(): string | undefined {
  try {
    const description = createRequire(import.meta.url).resolve('@dynoxide/linux-x64/package.json');
    return join(dirname(description), 'dynoxide');
  } catch {
    return undefined;
  }
}

async function answers(endpoint: string): Promise<boolean> {
  const answer = await fetch(endpoint).catch(() => undefined);
  await answer?.body?.cancel();
  return answer !== undefined;
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

async function stopProcess(child: ChildProcess): Promise<void> {
  if (!isRunning(child)) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
