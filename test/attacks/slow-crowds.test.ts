import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, expect, it, onTestFinished } from 'vitest';
import { digestOf } from '../../functions/oci/digest.ts';
import { startAwsStores } from '../aws/stores.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';
import { head, SlowClient } from './slow-clients.ts';

// Crowds: of clients that are slow, and what they take; and of clients who do nothing wrong, whom no bound may meet. Memory is
// read from /proc. The crowds of what is promised are those of `npm run bench -- memory` and `npm run bench:stream-host`.

const isLinux = process.platform === 'linux';
const SLOW = 300;
const ENDLESS = { 'Content-Length': 500_000_000 };

/** Jobs behind one address, and what each has open: as a farm of CI machines has. */
const [JOBS, CONNECTIONS] = [200, 10];

const stores = await startAwsStores();
afterAll(() => stores?.stop());

async function start(environment: Readonly<Record<string, string>> = { STOWAGE_OPEN: '1' }) {
  const registry = await RegistryProcess.start(await scratch(), environment);
  onTestFinished(() => registry.stop('SIGKILL'));
  return registry;
}

async function openUpload({ url }: RegistryProcess): Promise<string> {
  const opened = await fetch(`${url}/v2/a/blobs/uploads/`, { method: 'POST' });
  return opened.headers.get('location') ?? '';
}

/** MiB that a crowd of slow clients takes, at most. */
async function memoryOf(
  registry: RegistryProcess,
  open: (n: number) => Promise<SlowClient>,
): Promise<number> {
  const before = registry.memory;
  const clients = await SlowClient.crowd(SLOW, open);
  onTestFinished(() => {
    for (const client of clients) client.close();
  });
  await settled(registry);
  return registry.peakMemory - before;
}

/** Resolves when the registry has read what has been sent to it: then it has nothing to do. */
async function settled({ pid }: RegistryProcess): Promise<void> {
  const ticks = () =>
    readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ').slice(11, 13).join();
  let last: string | undefined;
  const rests = () => {
    const [before, now] = [last, ticks()];
    last = now;
    return before === now;
  };
  await expect.poll(rests, { interval: 500, timeout: 20_000 }).toBe(true);
}

it.runIf(isLinux)('slow layers take a third of the memory of what they have sent, or less', async () => {
  const registry = await start();
  const sent = Buffer.alloc(900 * 1024);
  const locations: string[] = [];
  for (let n = 0; n < SLOW; n += 1) locations.push(await openUpload(registry));
  const taken = await memoryOf(registry, (n) =>
    SlowClient.open(registry.url, head(`PATCH ${locations[n]}`, ENDLESS), sent),
  );
  expect(taken).toBeLessThan((SLOW * 900) / 1024 / 3);
});

it.runIf(isLinux)('slow manifests wait for one another, and a small one beside them does not', async () => {
  const registry = await start();
  const type = { 'Content-Type': 'application/vnd.oci.image.manifest.v1+json' };
  const sent = Buffer.alloc(900 * 1024, ' ');
  const taken = await memoryOf(registry, () =>
    SlowClient.open(
      registry.url,
      head('PUT /v2/a/manifests/x', { ...type, 'Content-Length': 4_000_000 }),
      sent,
    ),
  );
  expect(taken).toBeLessThan((SLOW * 900) / 1024 / 3);
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [],
  });
  const headers = { 'Content-Type': 'application/vnd.oci.image.index.v1+json' };
  const pushed = await fetch(`${registry.url}/v2/a/manifests/y`, { method: 'PUT', headers, body: index });
  expect(pushed.status).toBe(201);
});

it('slow forms make room for those that come whole', async () => {
  const registry = await start({});
  const form = { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': 65_000 };
  const clients = await SlowClient.crowd(400, () =>
    SlowClient.open(registry.url, head('POST /token', form), Buffer.alloc(63 * 1024, 'a')),
  );
  onTestFinished(() => {
    for (const client of clients) client.close();
  });
  await expect.poll(() => clients.filter(({ status }) => status === 503).length).toBeGreaterThan(100);
  const body = new URLSearchParams({ grant_type: 'password', username: 'admin', password: 'wrong' });
  expect((await fetch(`${registry.url}/token`, { method: 'POST', body })).status).toBe(401);
});

it(`meets no bound: ${JOBS} jobs with ${CONNECTIONS} connections each, behind one address, that push at once`, async () => {
  const registry = await start();
  const clients = await SlowClient.crowd(JOBS * CONNECTIONS, () =>
    SlowClient.open(registry.url, head('POST /v2/a/blobs/uploads/', { 'Content-Length': 0 })),
  );
  onTestFinished(() => {
    for (const client of clients) client.close();
  });
  // All of them are under way before the first is done.
  for (const client of clients) {
    const [, location] = await client.receives(/^HTTP\/1\.1 202 [\s\S]*?location: (\S+)\r\n[\s\S]*\r\n\r\n/i);
    client.send(head(`PATCH ${location}`, { 'Content-Length': 9, Expect: '100-continue' }));
  }
  for (const client of clients) await client.receives(/HTTP\/1\.1 100 /);
  for (const client of clients) client.send('all of it');
  for (const client of clients) await client.receives(/HTTP\/1\.1 100 [\s\S]*HTTP\/1\.1 202 /);
}, 120_000);

it.runIf(stores)(
  'a layer gets to S3 beside slow ones that hold all the memory there is for it',
  async () => {
    const registry = await start({
      ...stores?.environment,
      STOWAGE_STORE: 'aws',
      STOWAGE_OPEN: '1',
      STOWAGE_PART_MEMORY_MIB: '10',
    });
    const slow: SlowClient[] = [];
    for (let n = 0; n < 4; n += 1)
      slow.push(
        await SlowClient.open(
          registry.url,
          head(`PATCH ${await openUpload(registry)}`, ENDLESS),
          Buffer.alloc(4_900_000),
        ),
      );
    const layer = randomBytes(12_000_000);
    const location = await openUpload(registry);
    const patched = await fetch(registry.url + location, { method: 'PATCH', body: layer });
    expect(patched.status).toBe(202);
    const closed = await fetch(`${registry.url}${location}?digest=${digestOf('sha256', layer)}`, {
      method: 'PUT',
    });
    expect(closed.status).toBe(201);
    expect(slow.filter(({ status }) => status === 503).length).toBeGreaterThan(0);
    for (const client of slow) client.close();
  },
  60_000,
);
