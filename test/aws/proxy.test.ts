import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, expect, it, onTestFinished, vi } from 'vitest';
import { createAwsRegistry } from '../../functions/aws.ts';
import { ENV } from '../../functions/environment.ts';
import type { ObjectKey } from '../../functions/storage/blob-store.ts';
import { startAwsStores } from './stores.ts';

const stores = await startAwsStores();
afterAll(() => stores?.stop());

/** A company's proxy: passes on what is asked in clear, and refuses tunnels; with what it was asked for. */
async function startProxy() {
  const asked: string[] = [];
  const server = createServer((incoming, outgoing) => {
    asked.push(`${new URL(incoming.url ?? '').host}`);
    const { method, headers } = incoming;
    const onward = request(incoming.url ?? '', { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(onward);
  });
  server.on('connect', ({ url }, socket) => {
    asked.push(`tunnel to ${url}`);
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function use(environment: Record<string, string>): Promise<void> {
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  const { registry } = createAwsRegistry(environment);
  const object = { objectKey: 'blobs/00000000-0000-4000-8000-000000000000' as ObjectKey, size: 1 };
  await registry.table.get({ partition: 'a', sort: 'b' }).catch(() => undefined);
  await registry.blobs.read(object).catch(() => undefined);
}

it.runIf(stores)(
  'asks DynamoDB and S3 by the proxy of the environment, and directly what NO_PROXY names',
  async () => {
    const environment: Readonly<Record<string, string>> = stores?.environment ?? {};
    const hosts = [ENV.tableEndpoint, ENV.bucketEndpoint].map(
      (name) => new URL(environment[name] ?? '').host,
    );
    const proxy = await startProxy();
    await use({ ...environment, HTTP_PROXY: proxy.url });
    expect(new Set(proxy.asked)).toEqual(new Set(hosts));
    const other = await startProxy();
    await use({ ...environment, HTTP_PROXY: other.url, NO_PROXY: 'localhost,127.0.0.1' });
    expect(other.asked).toEqual([]);
  },
);

it('asks AWS itself through a tunnel of the proxy', async () => {
  const proxy = await startProxy();
  const secrets = {
    AWS_ACCESS_KEY_ID: 'AKIASTOWAGE',
    AWS_SECRET_ACCESS_KEY: 'none',
    AWS_REGION: 'eu-central-1',
  };
  await use({
    ...secrets,
    AWS_MAX_ATTEMPTS: '1',
    https_proxy: proxy.url,
    [ENV.table]: 'stowage',
    [ENV.bucket]: 'stowage-blobs',
  });
  expect(proxy.asked).toContain('tunnel to dynamodb.eu-central-1.amazonaws.com:443');
  expect(proxy.asked.join()).toContain('s3.eu-central-1.amazonaws.com:443');
});
