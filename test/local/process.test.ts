import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { expect, it, onTestFinished } from 'vitest';
import { digestOf } from '../../functions/oci/digest.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';

async function start(): Promise<RegistryProcess> {
  const registry = await RegistryProcess.start(await scratch());
  onTestFinished(() => registry.stop('SIGKILL'));
  return registry;
}

async function openUpload({ url }: RegistryProcess): Promise<string> {
  const response = await fetch(`${url}/v2/a/blobs/uploads/`, { method: 'POST' });
  return url + response.headers.get('location');
}

/** A request whose head the registry has. */
async function begun(url: string, method: string, headers: OutgoingHttpHeaders = {}): Promise<ClientRequest> {
  const sent = request(url, { method, headers: { ...headers, Expect: '100-continue' } });
  sent.flushHeaders();
  await once(sent, 'continue');
  return sent;
}

async function answerTo(sent: ClientRequest): Promise<IncomingMessage> {
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  answer.resume();
  return answer;
}

it('shows how to push a first image, and logs one line of JSON per request', async () => {
  const registry = await start();
  const { host } = new URL(registry.url);
  for (const command of [
    'docker pull alpine',
    `docker tag alpine ${host}/alpine`,
    `docker push ${host}/alpine`,
  ]) {
    expect(registry.banner).toContain(`\n    ${command}\n`);
  }
  await fetch(`${registry.url}/v2/`);
  const answer = await fetch(`${registry.url}/v2/a/blobs/nonsense?secret=1`, {
    headers: { 'User-Agent': 'test/1', 'X-Request-Id': 'mine' },
  });
  await expect.poll(() => registry.log.length).toBe(2);
  const [ping, blob] = registry.log.map((line) => JSON.parse(line));
  expect(ping).toMatchObject({ method: 'GET', path: '/v2/', operation: 'ping', status: 200 });
  expect(blob).toEqual({
    time: expect.stringMatching(/^\d{4}-.*Z$/),
    level: 'info',
    requestId: answer.headers.get('x-request-id'),
    method: 'GET',
    path: '/v2/a/blobs/nonsense',
    operation: 'blob.get',
    repository: 'a',
    principal: 'everybody',
    address: '127.0.0.1',
    status: 400,
    milliseconds: expect.any(Number),
    bytes: expect.any(Number),
    userAgent: 'test/1',
  });
  expect(blob.requestId).toMatch(/^[0-9a-f-]{36}$/);
  expect(ping.requestId).not.toBe(blob.requestId);
  expect(registry.log.join()).not.toContain('secret');
});

it('finishes an upload that is under way when it is told to stop, takes no new one, and exits with 0', async () => {
  const registry = await start();
  const location = await openUpload(registry);
  const bytes = Buffer.from('first half, second half');
  const digest = digestOf('sha256', bytes);
  const sent = await begun(`${location}?digest=${digest}`, 'PUT', { 'Content-Length': bytes.length });
  sent.write(bytes.subarray(0, 10));
  registry.signal('SIGTERM');
  await expect.poll(() => fetch(`${registry.url}/v2/`).catch(() => 'refused')).toBe('refused');
  sent.end(bytes.subarray(10));
  expect(await answerTo(sent)).toMatchObject({ statusCode: 201 });
  expect(await registry.exited()).toBe(0);
});

it('does not wait for requests when it is told to stop twice', async () => {
  const registry = await start();
  const sent = await begun(await openUpload(registry), 'PATCH');
  sent.on('error', () => undefined);
  sent.write('never ends');
  registry.signal('SIGTERM');
  await expect.poll(() => fetch(`${registry.url}/v2/`).catch(() => 'refused')).toBe('refused');
  registry.signal('SIGTERM');
  expect(await registry.exited()).toBe(1);
});
