import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';

// Memory is read from /proc.
it.runIf(process.platform === 'linux')('takes and serves 1 GiB in less than a quarter of it', async () => {
  const registry = await RegistryProcess.start(await scratch());
  onTestFinished(() => registry.stop('SIGKILL'));
  const opened = await fetch(`${registry.url}/v2/a/blobs/uploads/`, { method: 'POST' });
  const location = registry.url + opened.headers.get('location');
  const chunk = Buffer.alloc(1024 * 1024);
  const sent = request(location, { method: 'PATCH' });
  const answered = once(sent, 'response');
  for (let n = 0; n < 1024; n += 1) if (!sent.write(chunk)) await once(sent, 'drain');
  sent.end();
  const [answer] = (await answered) as [IncomingMessage];
  answer.resume();
  expect(answer).toMatchObject({ statusCode: 202, headers: { range: `0-${2 ** 30 - 1}` } });
  const digest = 'sha256:49bc20df15e412a64472421e13fe86ff1c5165e18b2afccf160d4dc19fe68a14';
  const finished = await fetch(`${location}?digest=${digest}`, { method: 'PUT' });
  expect(finished.status).toBe(201);
  const blob = await fetch(`${registry.url}/v2/a/blobs/${digest}`);
  let size = 0;
  for await (const part of blob.body ?? []) size += part.length;
  expect(size).toBe(2 ** 30);
  expect(registry.peakMemory).toBeLessThan(256);
});

const READERS = 1_000;

it.runIf(process.platform === 'linux')('holds little for a thousand readers who take nothing', async () => {
  const registry = await RegistryProcess.start(await scratch());
  onTestFinished(() => registry.stop('SIGKILL'));
  const body = Buffer.alloc(16 * 2 ** 20);
  const digest = 'sha256:080acf35a507ac9849cfcba47dc2ad83e01b75663a516279c8b9d243b719643e';
  const uploads = `${registry.url}/v2/a/blobs/uploads/?digest=${digest}`;
  expect((await fetch(uploads, { method: 'POST', body })).status).toBe(201);
  const sockets = await Promise.all(
    Array.from({ length: READERS }, async (_, n) => {
      // From many addresses: what one of them may have at once is limited otherwise.
      const socket = connect({
        host: '127.0.0.1',
        port: registry.port,
        localAddress: `127.0.1.${1 + (n % 200)}`,
      });
      onTestFinished(() => void socket.destroy());
      await once(socket.pause(), 'connect');
      socket.write(`GET /v2/a/blobs/${digest} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      return socket;
    }),
  );
  const openBlobs = () => registry.openFiles.filter((file) => file.includes('/blobs/')).length;
  await expect.poll(openBlobs, { timeout: 20_000 }).toBe(READERS);
  const pulled = await fetch(`${registry.url}/v2/a/blobs/${digest}`);
  expect((await pulled.bytes()).length).toBe(body.length);
  const peak = registry.peakMemory;
  expect(peak).toBeLessThan(300);
  for (const socket of sockets) socket.destroy();
  await expect.poll(openBlobs, { timeout: 20_000 }).toBe(0);
  await expect.poll(() => peak - registry.memory).toBeGreaterThan(48); // of 64 MiB at least
});
