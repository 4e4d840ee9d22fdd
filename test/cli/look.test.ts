import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RegistryProcess } from '../registry-process.ts';
import { blob, OCI_CONFIG, OCI_MANIFEST } from '../wire/content.ts';
import { Stowage } from './program.ts';

// The real program on a registry without users: what can be looked at, and what is deleted by pattern.

let folder: string;
let registry: RegistryProcess;
let stowage: Stowage;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stowage-look-'));
  registry = await RegistryProcess.start(join(folder, 'data'));
  stowage = new Stowage(folder, { STOWAGE_REGISTRY: registry.url });
  await pushImage('v1', { User: 'root' }, ['FROM a', 'x'.repeat(1000)], ['RUN npm ci', 'y'.repeat(2000)]);
  await pushImage('v2', { User: '65532' }, ['FROM a', 'x'.repeat(1000)], ['RUN npm ci', 'z'.repeat(5000)]);
});
afterAll(async () => {
  await registry.stop('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

async function pushImage(tag: string, config: object, ...layers: readonly (readonly [string, string])[]) {
  const history = layers.map(([line]) => ({ created_by: line }));
  const described = blob(JSON.stringify({ os: 'linux', architecture: 'amd64', config, history }));
  const contents = layers.map(([, text]) => blob(text));
  for (const { digest, bytes } of [described, ...contents])
    await send(`blobs/uploads/?digest=${digest}`, 'POST', bytes, 'application/octet-stream');
  const mediaType = 'application/vnd.oci.image.layer.v1.tar';
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: OCI_CONFIG, digest: described.digest, size: described.size },
    layers: contents.map(({ digest, size }) => ({ mediaType, digest, size })),
  };
  await send(`manifests/${tag}`, 'PUT', JSON.stringify(manifest), OCI_MANIFEST);
}

async function send(
  path: string,
  method: string,
  body: string | Uint8Array<ArrayBuffer>,
  type: string,
): Promise<void> {
  const url = `${registry.url}/v2/team/app/${path}`;
  const response = await fetch(url, { method, body, headers: { 'Content-Type': type } });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
}

it('shows an image with the lines that made its layers, and what is between two', async () => {
  const image = await stowage.print('image team/app:v1');
  expect(image).toMatch(/^user: +root$/m);
  expect(image).toMatch(/^sha256:[0-9a-f]{12} +2\.0 KiB +RUN npm ci$/m);
  const difference = await stowage.print('diff team/app:v1 team/app:v2');
  expect(difference).toMatch(/^difference: +\+2\.9 KiB\nsame: +1 layer, 1000 B$/m);
  expect(difference).toMatch(/^changed +\+2\.9 KiB +2\.0 KiB -> 4\.9 KiB +RUN npm ci$/m);
  expect(difference).toMatch(/^user +root +65532$/m);
  expect(await stowage.json('diff team/app:v1 team/app:v2')).toMatchObject({ bytes: 3000 });
  expect(await stowage.run('image team/app:v3')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('v3'),
  });
  expect(await stowage.print('search app:v1')).toMatch(/^team\/app:v1 +sha256:/m);
});

it('deletes the tags that match a pattern, once it was said what becomes of each', async () => {
  for (const tag of ['pr-1', 'pr-2']) await pushImage(tag, {}, ['RUN pr', 'pr'.repeat(10)]);
  const dry = await stowage.print(['tag', 'delete', 'team/app', '--pattern', 'pr-*', '--dry-run']);
  expect(dry).toMatch(/^pr-1 +deleted +sha256:\S+ +\d+ B/m);
  const asked = await stowage.run(['tag', 'delete', 'team/app', '--pattern', 'pr-*']);
  expect(asked).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') });
  expect(await stowage.print('tag list team/app')).toContain('pr-1');
  await stowage.print(['tag', 'delete', 'team/app', '--pattern', 'pr-*', '--yes']);
  expect(await stowage.print('tag list team/app')).not.toContain('pr-');
  expect(await stowage.run('tag delete team/app')).toMatchObject({ code: 2 });
  expect(await stowage.run('tag delete team/app:v2')).toMatchObject({
    code: 0,
    stderr: 'deleted team/app:v2\n',
  });
});
