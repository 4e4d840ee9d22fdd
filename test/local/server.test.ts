import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { App } from '../../functions/app.ts';
import { serve } from '../../local/server.ts';

const MEBIBYTE = 1024 * 1024;

async function serving(app: App) {
  const errors: unknown[] = [];
  const server = await serve(app, { host: '127.0.0.1', port: 0, onError: (error) => errors.push(error) });
  onTestFinished(() => server.close());
  return { url: server.url, errors };
}

it('cuts the connection, and tells, where stored bytes end before the announced length', async () => {
  const failing = new ReadableStream({
    type: 'bytes',
    autoAllocateChunkSize: 10,
    pull: (controller) => controller.error(new Error('disk gone')),
  });
  const { url, errors } = await serving(
    async () => new Response(failing, { headers: { 'Content-Length': `${MEBIBYTE}` } }),
  );
  await expect(fetch(url).then((response) => response.bytes())).rejects.toThrow();
  expect(errors).toEqual([new Error('disk gone')]);
});

it('answers GET / itself where a watchdog asks, whatever the app says, and nothing else', async () => {
  const app: App = async () => new Response(null, { status: 403 });
  const server = await serve(app, { host: '127.0.0.1', port: 0, answersWatchdog: true });
  onTestFinished(() => server.close());
  const statusOf = async (path: string, method = 'GET') =>
    (await fetch(server.url + path, { method })).status;
  expect(await statusOf('/')).toBe(200);
  expect([await statusOf('/', 'POST'), await statusOf('/v2/')]).toEqual([403, 403]);
  const { url } = await serving(app);
  expect((await fetch(url)).status).toBe(403);
});

it('is kept busy by what it takes, and not by what it refuses, which a stranger can send for ever', async () => {
  const app: App = async ({ method }) => new Response(null, { status: method === 'PATCH' ? 401 : 202 });
  const server = await serve(app, { host: '127.0.0.1', port: 0 });
  onTestFinished(() => server.close());
  const busyAfter = async (method: string) => {
    await vi.waitFor(() => expect(server.wasBusy()).toBe(false));
    await (await fetch(server.url, { method })).bytes();
    await sleep(50);
    return server.wasBusy();
  };
  expect([await busyAfter('PATCH'), await busyAfter('POST')]).toEqual([false, true]);
});

it('sends a body that is no byte stream', async () => {
  const chunks = Array.from({ length: 5 }, (_, n) => new Uint8Array(MEBIBYTE).fill(n));
  const headers = { 'Content-Length': `${5 * MEBIBYTE}` };
  const { url } = await serving(async () => new Response(ReadableStream.from(chunks), { headers }));
  const bytes = await (await fetch(url)).bytes();
  expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
});

it('puts a reason into the status line where the app gives one', async () => {
  const refusal = new Response(null, { status: 403, statusText: 'robot:ci lacks the grant "pull"' });
  const { url } = await serving(async ({ method }) => (method === 'HEAD' ? refusal : new Response()));
  expect((await fetch(url, { method: 'HEAD' })).statusText).toBe('robot:ci lacks the grant "pull"');
  expect((await fetch(url)).statusText).toBe('OK');
});

it('stops reading a body, and tells nobody, when the client has gone', async () => {
  let cancelled = false;
  const watched = new ReadableStream({
    type: 'bytes',
    autoAllocateChunkSize: MEBIBYTE,
    pull: (controller) => controller.enqueue(new Uint8Array(MEBIBYTE)),
    cancel() {
      cancelled = true;
    },
  });
  const { url, errors } = await serving(
    async () => new Response(watched, { headers: { 'Content-Length': `${1000 * MEBIBYTE}` } }),
  );
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(socket, 'data');
  socket.destroy();
  await expect.poll(() => cancelled).toBe(true);
  expect(errors).toEqual([]);
});

it('hands on a request of method TRACE, which fetch knows no request for', async () => {
  const { url } = await serving(async (request) => new Response(request.method, { status: 405 }));
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write(`TRACE /v2/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  const answer = await text(socket);
  expect(answer).toMatch(/^HTTP\/1\.1 405 /);
  expect(answer).toContain('TRACE');
});

it.each([['GET * HTTP/1.1'], ['TRACE * HTTP/1.1'], ['GET http://[bad HTTP/1.1']])(
  'answers %s with a 4xx',
  async (line) => {
    const { url } = await serving(async () => new Response('reached'));
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write(`${line}\r\nHost: a\r\nConnection: close\r\n\r\n`);
    const [answer] = await once(socket, 'data');
    expect(`${answer}`).toMatch(/^HTTP\/1\.1 4\d\d /);
    socket.destroy();
  },
);

it('takes a head of 64 KiB, as a client sends that asks for hundreds of scopes, and no more', async () => {
  const { url } = await serving(async () => new Response());
  const statusOf = async (bytes: number) => (await fetch(`${url}/token?scope=${'x'.repeat(bytes)}`)).status;
  expect(await statusOf(60 * 1024)).toBe(200);
  expect(await statusOf(65 * 1024)).toBe(431);
});
