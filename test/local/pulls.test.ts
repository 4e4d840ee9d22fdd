import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { objectFiles } from '../object-files.ts';
import { RegistryProcess } from '../registry-process.ts';

// Blobs from the disk of a registry on one machine to its clients, who are many, slow, or gone.

let registry: RegistryProcess;
let data: string;
beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), 'stowage-'));
  registry = await RegistryProcess.start(data);
});
afterAll(async () => {
  await registry.stop('SIGKILL');
  await rm(data, { recursive: true });
});

const sha256 = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** A new blob, and where it is. */
async function pushed(size: number) {
  const bytes = randomBytes(size) as Uint8Array<ArrayBuffer>;
  const digest = sha256(bytes);
  const opened = await fetch(`${registry.url}/v2/a/blobs/uploads/?digest=${digest}`, {
    method: 'POST',
    body: bytes,
  });
  expect(opened.status).toBe(201);
  return { bytes, path: `/v2/a/blobs/${digest}`, url: `${registry.url}/v2/a/blobs/${digest}` };
}

/** As many answers as there are requests in one write, of which the client takes nothing yet. */
function pipelined(path: string, requests: number): Socket {
  const socket = connect(registry.port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.pause();
  const last = `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(requests - 1) + last);
  return socket;
}

/** Whether the answer to a request for a range, or for all, is these bytes; they are read bit by bit. */
async function pull(url: string, range: string | undefined, wanted: Uint8Array): Promise<boolean> {
  const request = get(url, { headers: range === undefined ? {} : { range } });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const read: Buffer[] = [];
  for await (const chunk of response) {
    read.push(chunk);
    await setImmediate();
  }
  return Buffer.concat(read).equals(wanted) && response.statusCode === (range === undefined ? 200 : 206);
}

function pullPart(url: string, bytes: Uint8Array, n: number): Promise<boolean> {
  const first = (n * 7919) % bytes.length;
  const last = Math.min(bytes.length - 1, first + n * 100_003);
  return pull(url, `bytes=${first}-${last}`, bytes.subarray(first, last + 1));
}

const openBlobs = () => registry.openFiles.filter((file) => file.includes('/blobs/')).length;

describe.each([0, 1, 65_536, 65_537, 1_048_576, 1_048_577, 5_000_000])('a blob of %i bytes', (size) => {
  it('comes whole and in parts to many at once, however they read', async () => {
    const { bytes, url } = await pushed(size);
    const wholes = Array.from({ length: 8 }, () => pull(url, undefined, bytes));
    const parts = size === 0 ? [] : Array.from({ length: 16 }, (_, n) => pullPart(url, bytes, n));
    const pulled = await Promise.all([...wholes, ...parts]);
    expect(pulled.filter((isRight) => !isRight)).toEqual([]);
  });

  // Open files are read from /proc.
  it.runIf(process.platform === 'linux')('is closed after its last byte, and after a HEAD', async () => {
    const { bytes, url } = await pushed(size);
    expect(sha256(await (await fetch(url)).bytes())).toBe(sha256(bytes));
    const head = await fetch(url, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, `${size}`]);
    await expect.poll(openBlobs).toBe(0);
  });
});

it('a pull that has begun gets all of a blob whose file is removed', async () => {
  const { bytes, url } = await pushed(24_000_000);
  const [response] = (await once(get(url), 'response')) as [IncomingMessage];
  await once(response, 'readable');
  for (const name of objectFiles(data)) await rm(join(data, 'blobs', name));
  expect((await fetch(url)).status).toBe(500);
  expect(sha256(await buffer(response))).toBe(sha256(bytes));
});

describe.runIf(process.platform === 'linux')('open files', () => {
  it('of clients who read nothing hold nobody up, and are closed when these go; nobody is told', async () => {
    const { path, url } = await pushed(24_000_000);
    const sockets = Array.from({ length: 30 }, () => pipelined(path, 1));
    await expect.poll(openBlobs).toBe(30);
    const other = await pushed(3_000_000);
    const parts = Array.from({ length: 8 }, (_, n) => pullPart(other.url, other.bytes, n + 8));
    const pulled = await Promise.all([...parts, pull(other.url, undefined, other.bytes)]);
    expect(pulled.filter((isRight) => !isRight)).toEqual([]);
    for (const socket of sockets) socket.destroy();
    await expect.poll(openBlobs).toBe(0);
    expect(registry.errors).not.toContain('was cut short');
    expect((await fetch(url)).status).toBe(200);
  });

  it('are one for all that a client asks for without waiting, and it gets all of it in turn', async () => {
    const { bytes, path } = await pushed(3_000_000);
    const socket = pipelined(path, 20);
    await expect.poll(openBlobs).toBe(1);
    const answers = await buffer(socket.resume());
    expect(answers.length).toBeGreaterThan(20 * bytes.length);
    let at = 0;
    for (let n = 0; n < 20; n += 1) {
      at = answers.indexOf(bytes, at);
      expect(at).toBeGreaterThan(0);
      at += bytes.length;
    }
    expect(at).toBe(answers.length);
  });

  it('are none of a client who has gone before its turns came', async () => {
    const { path, url } = await pushed(24_000_000);
    const socket = pipelined(path, 50);
    await expect.poll(openBlobs).toBe(1);
    socket.destroy();
    await expect.poll(openBlobs).toBe(0);
    expect((await fetch(url)).status).toBe(200);
  });
});
