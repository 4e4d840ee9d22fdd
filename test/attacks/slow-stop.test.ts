import { randomBytes } from 'node:crypto';
import { expect, it, onTestFinished } from 'vitest';
import { digestOf } from '../../functions/oci/digest.ts';
import { startAwsStores } from '../aws/stores.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';
import { head, SlowClient } from './slow-clients.ts';

const STOP_SECONDS = 2;

/** What the registry may take beyond it, on a machine that does other things too. */
const MARGIN_SECONDS = 5;

const ENVIRONMENT = { STOWAGE_OPEN: '1', STOWAGE_STOP_SECONDS: `${STOP_SECONDS}` };

async function start(data: string, environment: Readonly<Record<string, string>> = {}) {
  const registry = await RegistryProcess.start(data, { ...ENVIRONMENT, ...environment });
  onTestFinished(() => registry.stop('SIGKILL'));
  return registry;
}

async function openUpload(url: string): Promise<string> {
  const opened = await fetch(`${url}/v2/a/blobs/uploads/`, { method: 'POST' });
  return opened.headers.get('location') ?? '';
}

/** A client of each kind that keeps a connection open for ever. */
async function everyKind(url: string, digest: string): Promise<readonly SlowClient[]> {
  const endless = { 'Content-Length': 500_000_000 };
  const [patch, put] = [await openUpload(url), await openUpload(url)];
  const manifest = { 'Content-Type': 'application/vnd.oci.image.manifest.v1+json', 'Content-Length': 9000 };
  const clients = await Promise.all([
    SlowClient.open(url),
    SlowClient.open(url, 'GET /v2/ HTTP/1.1\r\nHost: a\r\n'),
    SlowClient.open(url, head(`PATCH ${patch}`, endless), 'begun'),
    SlowClient.open(url, head(`PUT ${put}?digest=${digest}`, endless), 'begun'),
    SlowClient.open(url, head('PUT /v2/a/manifests/x', manifest), '{'),
    SlowClient.open(url, head('POST /nowhere', endless), 'begun'),
    SlowClient.open(url, head(`GET /v2/a/blobs/${digest}`)),
    SlowClient.open(url, head('GET /v2/'), head('GET /v2/')),
  ]);
  clients.at(-2)?.stopReading();
  return clients;
}

const stores = await startAwsStores();
const HOSTS = [
  { host: 'embedded', environment: {}, size: 40 * 1024 * 1024 },
  ...(stores
    ? [
        {
          host: 'on the AWS stores',
          environment: { ...stores.environment, STOWAGE_STORE: 'aws' },
          size: 50_000,
        },
      ]
    : []),
];

it.each(HOSTS)(
  'SIGTERM ends it in the time that is set, whatever clients do, and loses nothing: $host',
  async ({ environment, size }) => {
    const data = await scratch();
    const registry = await start(data, environment);
    const { url } = registry;
    const blob = randomBytes(size);
    const digest = digestOf('sha256', blob);
    const pushed = await fetch(`${url}/v2/a/blobs/uploads/?digest=${digest}`, { method: 'POST', body: blob });
    expect(pushed.status).toBe(201);
    const begun = await fetch(url + (await openUpload(url)), { method: 'PATCH', body: 'acknowledged' });
    expect(begun.status).toBe(202);
    const half = begun.headers.get('location') ?? '';
    const clients = await everyKind(url, digest);
    const before = performance.now();
    registry.signal('SIGTERM');
    expect(await registry.exited()).toBe(0);
    const seconds = (performance.now() - before) / 1000;
    expect(seconds).toBeLessThan(STOP_SECONDS + MARGIN_SECONDS);
    await Promise.all(clients.filter((_, n) => n !== 6).map((client) => client.closed()));
    clients[6]?.close();
    expect(clients.slice(2, 5).map(({ status }) => status)).not.toContain(201);
    const again = await start(data, environment);
    const found = await fetch(`${again.url}/v2/a/blobs/${digest}`);
    expect(digestOf('sha256', await found.bytes())).toBe(digest);
    const upload = await fetch(again.url + half);
    expect(upload.headers.get('range')).toBe(`0-${'acknowledged'.length - 1}`);
    const whole = digestOf('sha256', Buffer.from('acknowledged, and more'));
    const close = new URL(half, again.url);
    close.searchParams.set('digest', whole);
    const closed = await fetch(close, { method: 'PUT', body: ', and more' });
    expect(closed.status).toBe(201);
  },
  60_000,
);

it('SIGTERM without requests under way ends it at once, though clients keep connections', async () => {
  const registry = await start(await scratch(), { STOWAGE_STOP_SECONDS: '600' });
  const idle = await SlowClient.open(registry.url, head('GET /v2/'));
  await expect.poll(() => idle.status).toBe(200);
  registry.signal('SIGTERM');
  expect(await registry.exited()).toBe(0);
});
