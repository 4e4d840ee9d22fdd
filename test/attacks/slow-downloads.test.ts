import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { App } from '../../functions/app.ts';
import { boundsFrom } from '../../local/bounds.ts';
import { type RunningServer, serve } from '../../local/server.ts';
import { head, SlowClient } from './slow-clients.ts';

// Clients who ask for a layer and take nothing of it, so that their requests stay under way: as many as may be.

const MEBIBYTE = 1024 * 1024;
const BLOB = '/v2/a/blobs/b';
const STALL_MS = 1000;

const LAYER_BYTES = 256 * MEBIBYTE;

function* layer() {
  const chunk = new Uint8Array(MEBIBYTE);
  for (let sent = 0; sent < LAYER_BYTES; sent += chunk.length) yield chunk;
}

let server: RunningServer;
/** Answers of requests that the registry itself takes long for. */
let answers: (() => void)[];
const clients: SlowClient[] = [];

const app: App = async (request, sender) => {
  if (sender?.refused) return new Response(null, { status: sender.refused.status });
  const { pathname } = new URL(request.url);
  if (pathname === '/v2/slow') await new Promise<void>((resolve) => answers.push(resolve));
  if (pathname !== BLOB) return new Response(null);
  return new Response(ReadableStream.from(layer()), { headers: { 'Content-Length': `${LAYER_BYTES}` } });
};

/** Two addresses are enough for all places. */
async function start(waitMs: number): Promise<void> {
  const bounds = { ...boundsFrom({}), requests: 4, requestsPerAddress: 2, waitMs, paceMs: STALL_MS };
  server = await serve(app, { host: '127.0.0.1', port: 0, proxies: 1, bounds });
}

beforeEach(() => {
  answers = [];
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const answer of answers) answer();
  await server.close();
});

async function ask(path: string, address: string): Promise<SlowClient> {
  const client = await SlowClient.open(server.url, head(`GET ${path}`, { 'X-Forwarded-For': address }));
  clients.push(client);
  return client;
}

/** Takes the beginning of a layer, and no more. */
async function stall(address: string): Promise<SlowClient> {
  const client = await ask(BLOB, address);
  await client.receives(/^HTTP\/1\.1 200/);
  client.stopReading();
  return client;
}

const ofTwoAddresses = (begin: (address: string) => Promise<SlowClient>) =>
  Promise.all(['192.0.2.1', '192.0.2.1', '192.0.2.2', '192.0.2.2'].map(begin));

describe('downloads that stand still', () => {
  it('lose their places to whoever else waits for one, one for each', async () => {
    await start(30_000);
    const stalled = await ofTwoAddresses(stall);
    for (const address of ['198.51.100.1', '198.51.100.2']) await ask('/v2/slow', address);
    await expect.poll(() => answers.length, { timeout: 10_000 }).toBe(2);
    for (const client of stalled) client.resumeReading();
    await expect.poll(() => stalled.filter(({ isClosed }) => isClosed).length, { timeout: 20_000 }).toBe(2);
  });

  it('lose their places to others of their own address, where that may have no more', async () => {
    await start(30_000);
    await stall('192.0.2.1');
    await stall('192.0.2.1');
    const own = await ask('/v2/', '192.0.2.1');
    await expect.poll(() => own.status, { timeout: 10_000 }).toBe(200);
  });

  it('are left alone where nobody waits', async () => {
    await start(30_000);
    const stalled = await ofTwoAddresses(stall);
    await sleep(2.5 * STALL_MS); // nothing tells that nothing happens
    for (const client of stalled) client.resumeReading();
    await expect.poll(() => stalled.map(({ isClosed }) => isClosed)).toEqual([false, false, false, false]);
  });
});

describe('whoever else has a place keeps it, however many wait', () => {
  it('a download that is taken slowly', async () => {
    await start(2.5 * STALL_MS);
    const slow = await ofTwoAddresses(stall);
    const sip = setInterval(() => {
      for (const client of slow) client.sip(2 * MEBIBYTE);
    }, STALL_MS / 10);
    const refused = await ask('/v2/', '198.51.100.1');
    await expect.poll(() => refused.status, { timeout: 10_000 }).toBe(503);
    clearInterval(sip);
    expect(slow.map(({ isClosed }) => isClosed)).toEqual([false, false, false, false]);
  });

  it('a request that the registry takes long for', async () => {
    await start(2.5 * STALL_MS);
    const slow = await ofTwoAddresses((address) => ask('/v2/slow', address));
    const refused = await ask('/v2/', '198.51.100.1');
    await expect.poll(() => refused.status, { timeout: 10_000 }).toBe(503);
    for (const answer of answers.splice(0)) answer();
    await expect.poll(() => slow.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });
});

it('a place that is free goes to the address that has least', async () => {
  await start(30_000);
  const slow = await ofTwoAddresses((address) => ask('/v2/slow', address));
  await expect.poll(() => answers.length).toBe(4);
  const [first] = slow;
  // Of 192.0.2.3 two wait before the one of 192.0.2.4.
  const waiting = await Promise.all(['192.0.2.3', '192.0.2.3'].map((address) => ask('/v2/slow', address)));
  answers.shift()?.();
  await expect.poll(() => first?.status).toBe(200);
  await expect.poll(() => answers.length).toBe(4);
  const expecting = { 'X-Forwarded-For': '192.0.2.4', Expect: '100-continue' };
  const other = await SlowClient.open(server.url, head('GET /v2/', expecting));
  clients.push(other);
  await other.continued();
  answers.shift()?.();
  await expect.poll(() => other.status).toBe(200);
  for (const answer of answers.splice(0)) answer();
  await expect.poll(() => waiting.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
});
