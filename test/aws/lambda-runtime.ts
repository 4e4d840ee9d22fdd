import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { build } from 'esbuild';
import { FUNCTION_BUNDLING } from '../../lib/bundle.ts';
import { freePort } from '../free-port.ts';

/** Where `.ci/run` puts both: not in git. */
const FOLDER = join(import.meta.dirname, '../../scratch/lambda-runtime');
const EMULATOR = join(FOLDER, 'aws-lambda-rie');
const CLIENT = join(FOLDER, 'node_modules/aws-lambda-ric/index.mjs');

const START_TIMEOUT_MS = 20_000;
const POLL_MS = 20;

/** A function in a process of its own, as Lambda runs one: AWS's runtime client in AWS's emulator. */
export interface LambdaRuntime {
  /** Sends one event; the function gets one after the other. */
  invoke(event: unknown): Promise<unknown>;
  stop(): Promise<void>;
}

/** Whether AWS's runtime client and emulator are on this machine. */
export async function hasLambdaRuntime(): Promise<boolean> {
  const found = await Promise.allSettled([access(EMULATOR), access(CLIENT)]);
  return found.every(({ status }) => status === 'fulfilled');
}

/** Bundles `entry`, from the root of the project, as the stack does, and runs it with such variables. */
export async function startLambdaRuntime(
  entry: string,
  environment: Readonly<Record<string, string>>,
): Promise<LambdaRuntime> {
  const directory = await mkdtemp(join(tmpdir(), 'stowage-lambda-'));
  const absWorkingDir = join(import.meta.dirname, '../..');
  await build({ ...FUNCTION_BUNDLING, absWorkingDir, entryPoints: { index: entry }, outdir: directory });
  const started = await startEmulator({
    ...environment,
    PATH: process.env['PATH'] ?? '',
    HOME: directory, // nobody has left a configuration there
    LAMBDA_TASK_ROOT: directory,
    AWS_LAMBDA_FUNCTION_NAME: 'stowage',
    AWS_LAMBDA_FUNCTION_TIMEOUT: '29',
  });
  let last: Promise<unknown> = Promise.resolve();
  return {
    invoke(event) {
      const answer = last.catch(() => undefined).then(() => invoked(started.endpoint, event));
      last = answer;
      return answer;
    },
    async stop() {
      await started.stop();
      await rm(directory, { recursive: true });
    },
  };
}

/** In a process group of its own, which ends as a whole: the emulator starts the client. */
async function startEmulator(env: Readonly<Record<string, string>>) {
  const [port, api] = [await freePort(), await freePort()];
  const addresses = ['--runtime-interface-emulator-address', `127.0.0.1:${port}`];
  const client = [process.execPath, CLIENT, 'index.handler'];
  const args = [...addresses, '--runtime-api-address', `127.0.0.1:${api}`, ...client];
  const child = spawn(EMULATOR, args, { env, stdio: 'ignore', detached: true });
  const ended = once(child, 'exit');
  const end = () => process.kill(-(child.pid ?? 0), 'SIGKILL');
  process.once('exit', end);
  const endpoint = `http://127.0.0.1:${port}`;
  for (const until = Date.now() + START_TIMEOUT_MS; !(await answers(endpoint)); await setTimeout(POLL_MS)) {
    if (Date.now() > until) throw new Error('the emulator of Lambda did not start');
  }
  return {
    endpoint,
    async stop() {
      process.off('exit', end);
      end();
      await ended;
    },
  };
}

async function answers(endpoint: string): Promise<boolean> {
  const answer = await fetch(endpoint).catch(() => undefined);
  await answer?.body?.cancel();
  return answer !== undefined;
}

async function invoked(endpoint: string, event: unknown): Promise<unknown> {
  const url = `${endpoint}/2015-03-31/functions/function/invocations`;
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(event) });
  return response.json();
}
