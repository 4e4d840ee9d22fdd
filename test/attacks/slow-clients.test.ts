import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';
import { head, SlowClient } from './slow-clients.ts';

// Clients who begin and do not go on. The bounds are small here, so that nobody waits; what they are is in docs/limits.md.

const HURRY = {
  STOWAGE_HEADER_SECONDS: '1',
  STOWAGE_FORM_SECONDS: '1',
  STOWAGE_SLOW_SECONDS: '2',
  STOWAGE_STOP_SECONDS: '1',
  STOWAGE_WAIT_SECONDS: '1',
};
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };

const clients: SlowClient[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

async function start(environment: Readonly<Record<string, string>> = { STOWAGE_OPEN: '1' }) {
  const registry = await RegistryProcess.start(await scratch(), { ...HURRY, ...environment });
  onTestFinished(() => registry.stop('SIGKILL'));
  const open = async (...pieces: readonly (string | Uint8Array)[]) => {
    const client = await SlowClient.open(registry.url, ...pieces);
    clients.push(client);
    return client;
  };
  const upload = async () => {
    const opened = await fetch(`${registry.url}/v2/a/blobs/uploads/`, { method: 'POST' });
    return opened.headers.get('location') ?? '';
  };
  return { registry, open, upload };
}

/** Sends a byte every now and then, for as long as the connection stands. */
async function trickle(client: SlowClient): Promise<void> {
  const timer = setInterval(() => client.send('a'), 100);
  await client.closed();
  clearInterval(timer);
}

describe('whoever does not go on is cut', () => {
  it('before the head of a request, in the middle of it, and where it trickles', async () => {
    const { registry, open } = await start();
    const silent = await open();
    const begun = await open('GET /v2/ HTTP/1.1\r\nHost: a\r\n');
    const trickling = await open('GET /v2/ HTTP/1.1\r\nHost: a\r\nX-A: ');
    await Promise.all([silent.closed(), begun.closed(), trickle(trickling)]);
    expect([begun.status, trickling.status]).toEqual([408, 408]);
    expect((await fetch(`${registry.url}/v2/`)).status).toBe(200);
  });

  it('in a form, a form that trickles, JSON and a manifest', async () => {
    const { open } = await start({});
    const form = await open(head('POST /token', { ...FORM, 'Content-Length': 5000 }), 'grant_type=pass');
    const trickling = await open(head('POST /token', { ...FORM, 'Content-Length': 5000 }));
    await Promise.all([form.closed(), trickle(trickling)]);
    expect([form.status, trickling.status]).toEqual([408, 408]);
    expect(form.received).toContain('the body came too slowly');
  });

  it('in a manifest, which may be large', async () => {
    const { open } = await start();
    const type = { 'Content-Type': 'application/vnd.oci.image.manifest.v1+json' };
    const manifest = await open(head('PUT /v2/a/manifests/x', { ...type, 'Content-Length': 2000 }), '{');
    await manifest.closed();
    expect(manifest.status).toBe(408);
  });

  it.each(['PATCH', 'PUT'])('in a layer by %s that stands still, and one that trickles', async (method) => {
    const { open, upload } = await start();
    const begin = async () => {
      const query = method === 'PUT' ? `?digest=sha256:${'0'.repeat(64)}` : '';
      return open(head(`${method} ${await upload()}${query}`, { 'Content-Length': 500_000_000 }), 'begun');
    };
    const [still, trickling] = await Promise.all([begin(), begin()]);
    await Promise.all([still.closed(), trickle(trickling)]);
    expect([still.status, trickling.status]).toEqual([408, 408]);
  });

  it('in a body that nobody wants any more', async () => {
    const { open } = await start();
    const client = await open(head('POST /nowhere', { 'Content-Length': 500_000_000 }), 'begun');
    await trickle(client);
    expect(client.status).toBe(404);
  });
});

it('lets a layer through that comes at a pace which a slow line keeps', async () => {
  const { open, upload } = await start();
  const seconds = 5; // longer than whoever is too slow has
  const client = await open(head(`PATCH ${await upload()}`, { 'Content-Length': seconds * 10 * 200 }));
  for (let n = 0; n < seconds * 10; n += 1) {
    client.send(Buffer.alloc(200));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await expect.poll(() => client.status).toBe(202);
});

describe('whoever comes too many', () => {
  const FEW = { STOWAGE_OPEN: '1', STOWAGE_SLOW_SECONDS: '60', STOWAGE_MAX_REQUESTS_PER_ADDRESS: '2' };
  const NINE = { 'Content-Length': 9, Expect: '100-continue' };

  /** Two uploads that the registry waits for. */
  async function twoUploads({ open, upload }: Awaited<ReturnType<typeof start>>) {
    const locations = [await upload(), await upload()];
    const begin = async (location: string) => {
      const client = await open(head(`PATCH ${location}`, NINE));
      await client.continued();
      return client;
    };
    return Promise.all(locations.map(begin));
  }

  it('waits for a turn, and gets it', async () => {
    const started = await start({ ...FEW, STOWAGE_WAIT_SECONDS: '30' });
    const slow = await twoUploads(started);
    const waiting = await started.open(head('GET /v2/', { Expect: '100-continue' }));
    await waiting.continued();
    expect(waiting.status).toBeUndefined();
    for (const client of slow) client.send('all of it');
    await expect.poll(() => waiting.status).toBe(200);
    await expect.poll(() => slow.map(({ status }) => status)).toEqual([202, 202]);
  });

  it('is told 429 where it waits in vain', async () => {
    const started = await start(FEW);
    await twoUploads(started);
    const refused = await fetch(`${started.registry.url}/v2/`);
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(await refused.json()).toMatchObject({ errors: [{ code: 'TOOMANYREQUESTS' }] });
  });

  it('is told 503 where it is too many of all', async () => {
    const started = await start({ STOWAGE_OPEN: '1', STOWAGE_SLOW_SECONDS: '60', STOWAGE_MAX_REQUESTS: '2' });
    await twoUploads(started);
    const refused = await fetch(`${started.registry.url}/v2/`);
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ errors: [{ code: 'TOOMANYREQUESTS' }] });
  });

  it('has an idle connection closed for it, or is told 429 where none is idle', async () => {
    const few = { STOWAGE_MAX_CONNECTIONS_PER_ADDRESS: '2', STOWAGE_HEADER_SECONDS: '60' };
    const started = await start({ ...few, STOWAGE_OPEN: '1', STOWAGE_SLOW_SECONDS: '60' });
    const idle = await started.open();
    const slow = await twoUploads(started);
    await idle.closed();
    const surplus = await started.open(head('GET /v2/'));
    await surplus.closed();
    expect([surplus.status, ...slow.map(({ isClosed }) => isClosed)]).toEqual([429, false, false]);
  });

  it('is cut where it sends requests by the hundred without waiting for an answer', async () => {
    const { registry, open } = await start();
    const client = await open(head('GET /v2/').repeat(500));
    await client.closed();
    expect((await fetch(`${registry.url}/v2/`)).status).toBe(200);
  });
});

it('counts one more connection of an address again when another has gone', async () => {
  const { registry, open } = await start({ STOWAGE_OPEN: '1', STOWAGE_MAX_CONNECTIONS_PER_ADDRESS: '3' });
  for (let n = 0; n < 20; n += 1) (await open()).close();
  expect((await fetch(`${registry.url}/v2/`)).status).toBe(200);
});
