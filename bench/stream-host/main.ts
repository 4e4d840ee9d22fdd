import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { type ClientRequest, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { buildSync } from 'esbuild';
import { BUNDLING, STREAM_HOST_BOUNDS, STREAM_HOST_NODE_FLAGS } from '../../lib/bundle.ts';
import { startAwsStores } from '../../test/aws/stores.ts';
import { freePort } from '../../test/free-port.ts';
import { peakBytes } from '../process-usage.ts';

// How much memory the stream host needs while layers of unknown length go through it: the Node host on the AWS stores,
// and so many chunked PATCHes at once. A t4g.nano has 512 MiB for all that runs on it, and the unit of the host 320. Beside them are slow
// clients, who begin a layer and send no more of it than just does not fill a part.

const { values } = parseArgs({
  options: {
    pushes: { type: 'string', default: '8' },
    megabytes: { type: 'string', default: '1500' },
    slow: { type: 'string', default: '60' },
    limit: { type: 'string', default: '250' },
  },
});
const MEGABYTE = 1_000_000;
const SLOW_BYTES = 4_900_000;
const START_TIMEOUT_MS = 10_000;

await main();

async function main(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'stowage-stream-host-'));
  const stores = await startAwsStores(directory);
  if (!stores) throw new Error('no DynamoDB server for this platform; name one in STOWAGE_TEST_DYNAMODB');
  const host = await startHost(join(directory, 'host'), stores.environment);
  try {
    const pushes = Number(values.pushes);
    const megabytes = Number(values.megabytes);
    const idle = peakBytes(host.pid);
    const slow = await Promise.all(
      Array.from({ length: Number(values.slow) }, (_, n) => beginSlow(host.url, n)),
    );
    const started = performance.now();
    await Promise.all(Array.from({ length: pushes }, (_, number) => push(host.url, number, megabytes)));
    const seconds = (performance.now() - started) / 1000;
    const peak = peakBytes(host.pid) / MEGABYTE;
    for (const client of slow) client.destroy();
    const rate = (pushes * megabytes) / seconds;
    process.stdout.write(
      `${pushes} chunked PATCHes of ${megabytes} MB at once, and ${values.slow} slow ones: peak ${peak.toFixed(0)} MB, ` +
        `${(idle / MEGABYTE).toFixed(0)} MB before; ${seconds.toFixed(0)} s, ${rate.toFixed(0)} MB/s in all\n`,
    );
    if (peak > Number(values.limit)) process.exitCode = 1;
  } finally {
    host.child.kill('SIGTERM');
    await stores.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

interface Host {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly url: string;
}

/** Bundled, as it is deployed. */
async function startHost(outdir: string, environment: Readonly<Record<string, string>>): Promise<Host> {
  const absWorkingDir = join(import.meta.dirname, '../..');
  buildSync({ ...BUNDLING, absWorkingDir, entryPoints: { main: 'local/main.ts' }, outdir });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const own = { STOWAGE_STORE: 'aws', STOWAGE_PORT: `${port}`, STOWAGE_OPEN: '1' };
  const child = spawn(process.execPath, [...STREAM_HOST_NODE_FLAGS, join(outdir, 'main.mjs')], {
    cwd: outdir,
    env: { ...process.env, ...environment, ...STREAM_HOST_BOUNDS, ...own },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error('the host did not start');
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (
    !(await fetch(`${url}/v2/`).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (performance.now() > deadline) throw new Error('the host does not answer');
    await sleep(100);
  }
  return { child, pid, url };
}

/** POST, PATCH with the whole blob and no length, PUT: as Docker's own store and podman do. */
async function push(url: string, number: number, megabytes: number): Promise<void> {
  const repository = `stream/push-${number}`;
  const block = randomBytes(MEGABYTE);
  const hash = createHash('sha256');
  const opened = await fetch(`${url}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
  const location = new URL(opened.headers.get('location') ?? '', url);
  async function* content(): AsyncGenerator<Buffer> {
    for (let sent = 0; sent < megabytes; sent += 1) {
      hash.update(block);
      yield block;
    }
  }
  await patch(location, Readable.from(content(), { objectMode: false }));
  location.searchParams.set('digest', `sha256:${hash.digest('hex')}`);
  const finished = await fetch(location, { method: 'PUT' });
  if (finished.status !== 201) throw new Error(`PUT is answered ${finished.status} ${await finished.text()}`);
}

/** POST, and the beginning of a PATCH that is said to be larger. */
async function beginSlow(url: string, number: number): Promise<ClientRequest> {
  const opened = await fetch(`${url}/v2/slow/push-${number}/blobs/uploads/`, { method: 'POST' });
  const location = new URL(opened.headers.get('location') ?? '', url);
  const sending = request(location, { method: 'PATCH', headers: { 'Content-Length': 100 * SLOW_BYTES } });
  sending.on('error', () => undefined); // in the end it is cut
  sending.write(Buffer.alloc(SLOW_BYTES, number));
  return sending;
}

/** `fetch` would not send a stream without holding parts of it in ways that we cannot see. */
async function patch(location: URL, body: Readable): Promise<void> {
  const sending = request(location, { method: 'PATCH' });
  const answered = new Promise<number>((resolve, reject) => {
    sending.once('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sending.once('error', reject);
  });
  await pipeline(body, sending);
  const status = await answered;
  if (status !== 202) throw new Error(`PATCH is answered ${status}`);
}
