import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type AwsPath, startAwsPath } from '../aws/aws-path.ts';
import { scratch } from '../scratch.ts';
import { blob, config, describe as described, image, OCI_CONFIG, OCI_LAYER } from '../wire/content.ts';
import { writeLayout } from './images.ts';
import { type Meddling, startProxy } from './meddling-proxy.ts';
import { Stowage } from './program.ts';

// What `stowage push` does where S3 takes layers from it, and something is in the way.

const MIB = 1024 * 1024;

let path: AwsPath | undefined;

beforeAll(async () => {
  path = await startAwsPath();
}, 60_000);
afterAll(() => path?.stop());

const stowageAt = async ({ admin }: AwsPath, url: string) =>
  new Stowage(await scratch(), {
    STOWAGE_REGISTRY: url,
    STOWAGE_USERNAME: admin.username,
    STOWAGE_TOKEN: admin.password,
    DOCKER_CONFIG: await scratch(),
  });

/** An image of one layer that nothing has packed. */
function imageWith(bytes: number) {
  const layer = blob(randomBytes(bytes));
  const manifest = image({ config: described(config, OCI_CONFIG), layers: [described(layer, OCI_LAYER)] });
  return { manifest, blobs: [config, layer] };
}

/** A registry whose store is somewhere else. */
const withStoreAt = (registry: string, there: string) =>
  startProxy(registry, ({ method, url }) =>
    method === 'POST' && url.includes('/blobs/uploads/')
      ? { is: 'rewrite', answer: (body) => body.replace(/http:\/\/localhost:\d+/, there) }
      : undefined,
  );

it('a layer whose connection is cut comes in parts, and those that were taken are not sent again', async ({
  skip,
}) => {
  if (!path) return skip('no DynamoDB server for this platform');
  const cut = (afterBytes: number): Meddling => ({ is: 'cut', afterBytes });
  const tried = new Map<string, number>();
  const store = await startProxy(path.stores.s3.url.replace('127.0.0.1', 'localhost'), ({ url }) => {
    const part = /partNumber=(\d+)/.exec(url)?.[1] ?? 'whole';
    tried.set(part, (tried.get(part) ?? 0) + 1);
    if (part === 'whole') return cut(36 * MIB);
    return part === '2' && tried.get(part) === 1 ? cut(3 * MIB) : undefined;
  });
  const registry = await withStoreAt(path.url, store.url);
  const made = imageWith(40 * MIB);
  const pushed = await (await stowageAt(path, registry.url)).run([
    'push',
    await writeLayout({ made }),
    'd/cut:1',
  ]);
  expect(pushed).toMatchObject({ code: 0, stdout: expect.stringContaining(made.manifest.digest) });
  expect(Object.fromEntries(tried)).toEqual({ whole: 1, '1': 1, '2': 2, '3': 1 });
});

it('goes by way of the registry where the store cannot be reached', async ({ skip }) => {
  if (!path) return skip('no DynamoDB server for this platform');
  const registry = await withStoreAt(path.url, 'http://127.0.0.1:9');
  const made = imageWith(6 * MIB);
  const pushed = await (await stowageAt(path, registry.url)).run([
    'push',
    await writeLayout({ made }),
    'd/far:1',
  ]);
  expect(pushed).toMatchObject({ code: 0, stdout: expect.stringContaining(made.manifest.digest) });
  expect(pushed.stderr).toContain('cannot reach http://127.0.0.1:9');
});

it('sends nothing in the clear to a store that is somewhere else', async ({ skip }) => {
  if (!path) return skip('no DynamoDB server for this platform');
  const registry = await withStoreAt(path.url, 'http://store.example.com');
  const made = imageWith(6 * MIB);
  const pushed = await (await stowageAt(path, registry.url)).run([
    'push',
    await writeLayout({ made }),
    'd/clear:1',
  ]);
  expect(pushed).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('would cross a network in the clear'),
  });
});
