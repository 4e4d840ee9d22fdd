import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { blob, type Content } from '../wire/content.ts';
import { openServerHost } from '../wire/server-host.ts';
import { Connection } from './connection.ts';

const REPOSITORY = 'fuzz/sockets';
const HOST = 'Host: registry.test\r\n';
const content = blob('x'.repeat(200_000));

let host: Awaited<ReturnType<typeof openServerHost>>;

beforeAll(async () => {
  host = await openServerHost();
});

afterAll(async () => {
  await host.close();
});

async function startUpload(): Promise<string> {
  const started = await host.fetch(`/v2/${REPOSITORY}/blobs/uploads/`, { method: 'POST' });
  expect(started.status).toBe(202);
  return new URL(started.headers.get('location') ?? '', host.url).pathname;
}

/** How many bytes the upload holds, from its Range; 0-0 is read as none, as no test stops after one. */
async function offsetOf(upload: string): Promise<number> {
  const status = await host.fetch(upload, { method: 'GET' });
  expect(status.status).toBe(204);
  const end = Number(status.headers.get('range')?.split('-')[1]);
  return end === 0 ? 0 : end + 1;
}

/** Goes on from wherever the upload is, as a client does after a broken connection. */
async function resume(upload: string, { bytes, digest }: Content): Promise<void> {
  const statuses: number[] = [];
  while (statuses.at(-1) !== 202 && statuses.length < 50) {
    const offset = await offsetOf(upload);
    const headers = { 'Content-Range': `${offset}-${bytes.length - 1}` };
    const answer = await host.fetch(upload, { method: 'PATCH', headers, body: bytes.subarray(offset) });
    await answer.arrayBuffer();
    statuses.push(answer.status);
    if (answer.status !== 202) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(statuses.at(-1), `PATCH after a cut connection: ${statuses}`).toBe(202);
  const closed = await host.fetch(`${upload}?digest=${digest}`, { method: 'PUT' });
  expect(closed.status).toBe(201);
  await expectReadable({ bytes, digest });
}

async function expectReadable({ bytes, digest }: Pick<Content, 'bytes' | 'digest'>): Promise<void> {
  const read = await host.fetch(`/v2/${REPOSITORY}/blobs/${digest}`, { method: 'GET' });
  expect(read.status).toBe(200);
  expect(Buffer.compare(new Uint8Array(await read.arrayBuffer()), bytes)).toBe(0);
}

async function expectAlive(): Promise<void> {
  const ping = await host.fetch('/v2/', { method: 'GET' });
  expect([ping.status, await ping.text()]).toEqual([200, '{}']);
}

async function openConnection(): Promise<Connection> {
  const connection = await Connection.open(host.url);
  onTestFinished(() => connection.cut());
  return connection;
}

const SENT_BEFORE_THE_CUT = 70_000;

/** Sends the head of a request and a part of the body it announced, and hangs up. */
async function cutBody(requestLine: string, framing: 'length' | 'chunked'): Promise<void> {
  const connection = await openConnection();
  const part = content.bytes.subarray(0, SENT_BEFORE_THE_CUT);
  const announced =
    framing === 'length'
      ? `Content-Length: ${content.size}\r\n\r\n`
      : `Transfer-Encoding: chunked\r\n\r\n${part.length.toString(16)}\r\n`;
  await connection.write(`${requestLine} HTTP/1.1\r\n${HOST}${announced}`, part);
  await new Promise((resolve) => setTimeout(resolve, 30));
  connection.cut();
}

describe.each(['length', 'chunked'] as const)('a connection cut in the middle of a body (%s)', (framing) => {
  it('leaves an upload that a client can resume', async () => {
    const upload = await startUpload();
    await cutBody(`PATCH ${upload}`, framing);
    await resume(upload, content);
  });

  it('while the upload was being closed, makes nothing readable', async () => {
    const unread = blob(`cut while closing (${framing})`);
    const upload = await startUpload();
    await cutBody(`PUT ${upload}?digest=${unread.digest}`, framing);
    const read = await host.fetch(`/v2/${REPOSITORY}/blobs/${unread.digest}`, { method: 'GET' });
    expect(read.status).toBe(404);
    await read.arrayBuffer();
    await expectAlive();
  });

  it('while a manifest was being pushed, makes nothing readable', async () => {
    await cutBody(`PUT /v2/${REPOSITORY}/manifests/cut`, framing);
    const read = await host.fetch(`/v2/${REPOSITORY}/manifests/cut`, { method: 'GET' });
    expect(read.status).toBe(404);
    await read.arrayBuffer();
    await expectAlive();
  });
});

const GARBAGE = [
  '\x00\x01\x02\r\n\r\n',
  'GET\r\n\r\n',
  'GET /v2/\r\n\r\n',
  `GET /v2/ HTTP/9.9\r\n${HOST}\r\n`,
  `GET  /v2/  HTTP/1.1\r\n${HOST}\r\n`,
  'GET /v2/ HTTP/1.1\r\n\r\n',
  `GET /v2/ HTTP/1.1\r\n${HOST}Broken Header\r\n\r\n`,
  `GET /v2/${'x'.repeat(200_000)} HTTP/1.1\r\n${HOST}\r\n`,
  `GET /v2/ HTTP/1.1\r\n${HOST}X: ${'x'.repeat(200_000)}\r\n\r\n`,
  `GET //// HTTP/1.1\r\n${HOST}\r\n`,
  `GET //[/v2/ HTTP/1.1\r\n${HOST}\r\n`,
  `GET http://[::bad/v2/ HTTP/1.1\r\n${HOST}\r\n`,
  `GET http://elsewhere.test/v2/ HTTP/1.1\r\n${HOST}\r\n`,
  `GET * HTTP/1.1\r\n${HOST}\r\n`,
  `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`,
  `CONNECT registry.test:443 HTTP/1.1\r\n${HOST}\r\n`,
  `TRACE /v2/ HTTP/1.1\r\n${HOST}\r\n`,
  `GET /v2/%zz/%00/tags/list HTTP/1.1\r\n${HOST}\r\n`,
  `GET /v2/\xff\xfe/tags/list HTTP/1.1\r\n${HOST}\r\n`,
  'GET /v2/ HTTP/1.1\r\nHost: a b\r\n\r\n',
  'GET /v2/ HTTP/1.1\r\nHost: [::bad\r\n\r\n',
  `PATCH /v2/a/blobs/uploads/x HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
  `PUT /v2/a/manifests/x HTTP/1.1\r\n${HOST}Content-Length: -1\r\n\r\n`,
  `PUT /v2/a/manifests/x HTTP/1.1\r\n${HOST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  `GET /v2/ HTTP/1.1\r\n${HOST}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n`,
  `POST /v2/a/blobs/uploads/ HTTP/1.1\r\n${HOST}Expect: the-unexpected\r\nContent-Length: 0\r\n\r\n`,
];

describe('a request that is hardly HTTP', () => {
  it.each(GARBAGE.map((bytes) => ({ bytes, shown: JSON.stringify(bytes.slice(0, 60)) })))(
    '$shown is refused or hung up on, and the next client is served',
    async ({ bytes }) => {
      const connection = await openConnection();
      await connection.write(Buffer.from(bytes, 'latin1'));
      const answer = await Promise.race([
        connection.answer(),
        new Promise<'silence'>((resolve) => setTimeout(resolve, 1000, 'silence')),
      ]);
      if (answer !== undefined) expect(answer, 'neither answered nor hung up').not.toBe('silence');
      if (typeof answer === 'object') expect(answer.status, answer.body).toBeLessThan(500);
      await expectAlive();
    },
  );
});

async function send(method: string, path: string, body: Uint8Array, headers: Record<string, string> = {}) {
  const answer = await host.fetch(path, { method, body: Uint8Array.from(body), headers });
  await answer.arrayBuffer();
  return answer.status;
}

describe('two clients on one upload', () => {
  const ROUNDS = 15;
  const first = content.bytes.subarray(0, 100_000);
  const rest = content.bytes.subarray(100_000);

  it('sending the same chunk, append it once', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const upload = await startUpload();
      const chunk = { 'Content-Range': `0-${first.length - 1}` };
      const statuses = await Promise.all([1, 2].map(() => send('PATCH', upload, first, chunk)));
      expect(statuses.toSorted()).toEqual([202, 416]);
      expect(await offsetOf(upload)).toBe(first.length);
      const next = { 'Content-Range': `${first.length}-${content.size - 1}` };
      expect(await send('PATCH', upload, rest, next)).toBe(202);
      expect(await send('PUT', `${upload}?digest=${content.digest}`, new Uint8Array())).toBe(201);
      await expectReadable(content);
    }
  });

  it('of which one has lost its connection and the host does not know, are one: it goes on', async () => {
    const upload = await startUpload();
    const halfOpen = await openConnection();
    const head = `PATCH ${upload} HTTP/1.1\r\n${HOST}Content-Length: ${first.length}\r\n\r\n`;
    await halfOpen.write(head, first.subarray(0, 70_000));
    expect(await send('PATCH', upload, first)).toBe(202);
    const next = { 'Content-Range': `${first.length}-${content.size - 1}` };
    expect(await send('PATCH', upload, rest, next)).toBe(202);
    expect(await send('PUT', `${upload}?digest=${content.digest}`, new Uint8Array())).toBe(201);
    await expectReadable(content);
  });

  it('streaming without offsets, are put one after the other or one is refused', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const upload = await startUpload();
      const statuses = await Promise.all([first, rest].map((part) => send('PATCH', upload, part)));
      expect(statuses).toContain(202);
      for (const status of statuses) expect([202, 416]).toContain(status);
      const held = blob('x'.repeat(await offsetOf(upload)));
      expect(held.size).toBe(
        [first, rest].reduce((sum, part, at) => sum + (statuses[at] === 202 ? part.length : 0), 0),
      );
      expect(await send('PUT', `${upload}?digest=${held.digest}`, new Uint8Array())).toBe(201);
      await expectReadable(held);
    }
  });

  it('closing it with the same blob, both succeed or one learns that it is gone', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const upload = await startUpload();
      const closing = [1, 2].map(() => send('PUT', `${upload}?digest=${content.digest}`, content.bytes));
      const statuses = await Promise.all(closing);
      expect(statuses).toContain(201);
      for (const status of statuses) expect([201, 404, 416]).toContain(status);
      await expectReadable(content);
    }
  });

  it('of whom one cancels, leave either a blob or nothing', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const one = blob(`a blob whose upload is cancelled ${round}`);
      const upload = await startUpload();
      const closing = send('PUT', `${upload}?digest=${one.digest}`, one.bytes);
      const cancelling = host.fetch(upload, { method: 'DELETE' });
      const [closed, cancelled] = [await closing, (await cancelling).status];
      expect([201, 404, 416]).toContain(closed);
      expect([204, 404]).toContain(cancelled);
      const read = await host.fetch(`/v2/${REPOSITORY}/blobs/${one.digest}`, { method: 'GET' });
      await read.arrayBuffer();
      expect(read.status).toBe(closed === 201 ? 200 : 404);
    }
  });
});

const MEBIBYTE = 1024 * 1024;

/** Requests that can be refused on sight, and the size of the body that nevertheless follows. */
const EARLY_REFUSALS = [
  ['PUT /v2/Not-A-Name/manifests/v1', MEBIBYTE, 400],
  [`PUT /v2/${REPOSITORY}/manifests/too-large`, 5 * MEBIBYTE, 413],
  [`PATCH /v2/${REPOSITORY}/blobs/uploads/00000000-0000-4000-8000-000000000000`, 8 * MEBIBYTE, 404],
  [`POST /v2/${REPOSITORY}/tags/list`, MEBIBYTE, 405],
  [`POST /v2/${REPOSITORY}/blobs/uploads/?digest=md5:x`, MEBIBYTE, 400],
] as const;

describe('a request refused before its body is read', () => {
  it.each(EARLY_REFUSALS)(
    '%s with %i bytes: %i, and the connection serves the next',
    async (line, size, status) => {
      const connection = await openConnection();
      const type = 'Content-Type: application/vnd.oci.image.manifest.v1+json\r\n';
      const head = `${line} HTTP/1.1\r\n${HOST}${type}Content-Length: ${size}\r\n\r\n`;
      const next = `GET /v2/ HTTP/1.1\r\n${HOST}\r\n`;
      const sent = connection.write(head, Buffer.alloc(size, 'x'), next, next);
      const answers = [await connection.answer(), await connection.answer(), await connection.answer()];
      expect(answers.map((answer) => answer?.status)).toEqual([status, 200, 200]);
      await sent;
    },
    10_000,
  );
});
