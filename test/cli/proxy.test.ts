import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { type RunningProxy, startProxy } from '../../cli/proxy/proxy.ts';
import { createDisplay } from '../../cli/push/display.ts';
import { scratch } from '../scratch.ts';
import {
  blob,
  type Content,
  config,
  describe as described,
  image,
  OCI_CONFIG,
  OCI_LAYER,
} from '../wire/content.ts';
import { type Host, startHost } from './program.ts';

let host: Host;
let spool: string;
let proxy: RunningProxy;

beforeAll(async () => {
  host = await startHost();
  spool = await mkdtemp(join(tmpdir(), 'stowage-test-'));
  proxy = await start(host.password);
});
afterAll(async () => {
  await proxy.close();
  await host.stop();
  await rm(spool, { recursive: true, force: true });
});

const start = (password: string, folder = spool, url = host.registry.url) =>
  startProxy({
    url,
    credential: { is: 'password', username: 'admin', password },
    ...{ host: '127.0.0.1', port: 0, names: ['proxy.internal'], spool: folder },
    display: createDisplay(process.stderr, true),
  });

/** As a client that knows no login, and no length either where the body is a stream. */
const send = (call: string, init: RequestInit = {}) => {
  const [method = '', path = ''] = call.split(' ');
  return fetch(new URL(path, proxy.url), {
    method,
    redirect: 'manual',
    ...init,
    duplex: 'half',
  } as RequestInit);
};

const streamOf = (...chunks: readonly Uint8Array[]) => ReadableStream.from(chunks);

/** What docker, podman and crane do with a layer. */
async function upload(repository: string, { bytes, digest }: Content): Promise<Response> {
  const opened = await send(`POST /v2/${repository}/blobs/uploads/`);
  expect(opened.status).toBe(202);
  const middle = Math.ceil(bytes.length / 2);
  const body = streamOf(bytes.subarray(0, middle), bytes.subarray(middle));
  const sent = await send(`PATCH ${opened.headers.get('location')}`, { body });
  expect([sent.status, sent.headers.get('range')]).toEqual([202, `0-${bytes.length - 1}`]);
  return send(`PUT ${sent.headers.get('location')}?digest=${digest}`);
}

const filesIn = async () =>
  (await Promise.all((await readdir(spool)).map((name) => readdir(join(spool, name))))).flat();

it('takes an image from a client without a login, and the registry has it', async () => {
  const layer = blob(randomBytes(300_000));
  for (const each of [config, layer]) {
    const closed = await upload('p/app', each);
    expect([closed.status, closed.headers.get('docker-content-digest')]).toEqual([201, each.digest]);
  }
  const { bytes, mediaType, digest } = image({
    config: described(config, OCI_CONFIG),
    layers: [described(layer, OCI_LAYER)],
  });
  const put = await send('PUT /v2/p/app/manifests/1', {
    body: bytes,
    headers: { 'Content-Type': mediaType },
  });
  expect([put.status, put.headers.get('docker-content-digest')]).toEqual([201, digest]);
  expect(await host.admin.print('tag show p/app:1')).toContain(digest);
  expect(await (await send('GET /v2/p/app/tags/list')).json()).toEqual({ name: 'p/app', tags: ['1'] });
  expect(Buffer.from(await (await send(`GET /v2/p/app/blobs/${layer.digest}`)).bytes())).toEqual(
    Buffer.from(layer.bytes),
  );
  const head = await send('HEAD /v2/p/app/manifests/1');
  expect([head.status, head.headers.get('content-length')]).toEqual([200, `${bytes.length}`]);
  expect((await send('GET /v2/')).status).toBe(200);
  expect(await filesIn()).toEqual([]);
});

it('takes a blob in one request, and in chunks that say where they begin', async () => {
  const whole = blob(randomBytes(5000));
  const body = whole.bytes;
  expect((await send(`POST /v2/p/chunks/blobs/uploads/?digest=${whole.digest}`, { body })).status).toBe(201);
  const { bytes, digest } = blob(randomBytes(5000));
  const { headers } = await send('POST /v2/p/chunks/blobs/uploads/');
  const location = headers.get('location');
  const chunk = (first: number, last: number) =>
    send(`PATCH ${location}`, {
      body: bytes.subarray(first, last + 1),
      headers: { 'Content-Range': `${first}-${last}` },
    });
  expect((await chunk(0, 1999)).status).toBe(202);
  const twice = await chunk(0, 1999);
  expect([twice.status, twice.headers.get('range')]).toEqual([416, '0-1999']);
  expect((await chunk(2000, 4999)).status).toBe(202);
  expect((await send(`GET ${location}`)).headers.get('range')).toBe('0-4999');
  expect((await send(`PUT ${location}?digest=${digest}`)).status).toBe(201);
});

describe('refuses', () => {
  it('bytes of another digest, and keeps nothing of them', async () => {
    const answer = await upload('p/wrong', { ...blob(randomBytes(5000)), digest: config.digest });
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('DIGEST_INVALID')]);
    expect(await filesIn()).toEqual([]);
  });

  it('the host of a web page that has the DNS point here, and pages of other hosts', async () => {
    const asked = (headers: Record<string, string>) =>
      new Promise<string>((resolve, reject) => {
        const sent = request(
          `${proxy.url}/v2/_catalog`,
          { headers },
          (answer) => void text(answer).then((body) => resolve(`${answer.statusCode} ${body}`), reject),
        );
        sent.on('error', reject).end();
      });
    expect(await asked({ host: 'evil.example.com' })).toMatch(/^403 .*answers as localhost/);
    expect(await asked({ origin: 'https://evil.example.com' })).toMatch(/^403 /);
    for (const name of ['localhost', 'proxy.internal'])
      expect(await asked({ host: `${name}:5001` })).toMatch(/^200 /);
  });

  it('a layer that the disk has no room for, before it comes', async () => {
    const { headers } = await send('POST /v2/p/full/blobs/uploads/');
    const url = new URL(headers.get('location') ?? '', proxy.url);
    const answer = await new Promise<string>((resolve, reject) => {
      const sent = request(url, { method: 'PATCH', headers: { 'Content-Length': 9e15 } }, (got) => {
        void text(got).then((body) => resolve(`${got.statusCode} ${body}`), reject);
        got.on('end', () => sent.destroy());
      });
      sent.on('error', () => undefined);
      sent.flushHeaders();
    });
    expect(answer).toMatch(/^507 .*make room there, or name another TMPDIR/);
  });

  it('what its own login may not do, with the cure', async () => {
    const other = await start('another password');
    onTestFinished(() => other.close());
    const answer = await fetch(`${other.url}/v2/p/app/manifests/1`);
    expect([answer.status, await answer.text()]).toEqual([
      403,
      expect.stringContaining(`stowage login ${host.registry.url}`),
    ]);
  });

  it('what it does not know, and what is for people', async () => {
    expect((await send('GET /api/v1/users')).status).toBe(404);
    expect((await send('POST /v2/p/app/manifests/1')).status).toBe(405);
    expect((await send('PATCH /v2/p/app/blobs/uploads/none')).status).toBe(404);
  });
});

it('says 503 where the registry cannot be reached', async () => {
  const away = await start('any', await scratch(), 'http://127.0.0.1:9');
  onTestFinished(() => away.close());
  const answer = await fetch(`${away.url}/v2/p/app/manifests/1`);
  expect([answer.status, await answer.text()]).toEqual([
    503,
    expect.stringContaining('cannot reach http://127.0.0.1:9'),
  ]);
});

it('removes what one that was killed has left, and its own at the end', async () => {
  const folder = await scratch();
  await mkdir(join(folder, 'stowage-proxy-999999999-left'));
  await mkdir(join(folder, `stowage-proxy-${process.pid}-alive`));
  const other = await start(host.password, folder);
  expect((await readdir(folder)).filter((name) => name.endsWith('left'))).toEqual([]);
  await other.close();
  expect(await readdir(folder)).toEqual([`stowage-proxy-${process.pid}-alive`]);
});

describe('stowage proxy', () => {
  it('runs until it is told to end', async () => {
    const running = host.admin.start(['proxy', '--listen', '127.0.0.1:0']);
    await expect
      .poll(async () => running.printed(), { timeout: 25_000 })
      .toContain(`passes on to ${host.registry.url}`);
    running.signal('SIGTERM');
    expect(await running.ended).toMatchObject({ code: 0, stderr: '' });
  });

  it('listens on this machine alone, unless it is told what it is called elsewhere', async () => {
    expect(await host.admin.run('proxy --listen 0.0.0.0:0')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--name'),
    });
  });
});
