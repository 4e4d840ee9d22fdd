import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const PROJECT = join(import.meta.dirname, '../..');
const START_TIMEOUT_SECONDS = 20;
const STOP_TIMEOUT_SECONDS = 10;

interface LocalRegistry {
  readonly url: string;
  /** Ends the process that was started, and removes what it stored. */
  stop(): Promise<void>;
}

/** Starts the registry as `npm start` does, on a free port and with an empty directory. */
export async function startLocalRegistry(): Promise<LocalRegistry> {
  const data = await mkdtemp(join(tmpdir(), 'stowage-conformance-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(process.execPath, ['local/main.ts'], {
    cwd: PROJECT,
    env: { ...process.env, STOWAGE_PORT: `${port}`, STOWAGE_DATA: data },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = once(child, 'exit');
  const stop = async () => {
    child.kill('SIGTERM');
    const inTime = await Promise.race([exited, wait(STOP_TIMEOUT_SECONDS * 1000, undefined, { ref: false })]);
    if (inTime === undefined) child.kill('SIGKILL');
    await exited;
    await rm(data, { recursive: true, force: true });
  };
  const answered = await Promise.race([answers(url), exited.then(() => false)]);
  if (answered) return { url, stop };
  await stop();
  throw new Error('the registry did not start');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}

async function answers(url: string): Promise<boolean> {
  const deadline = Date.now() + START_TIMEOUT_SECONDS * 1000;
  while (Date.now() < deadline) {
    const response = await fetch(`${url}/v2/`).catch(() => undefined);
    if (response) return true;
    await wait(100);
  }
  return false;
}
