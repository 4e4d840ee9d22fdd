import { createHash } from 'node:crypto';
import { afterAll, expect, it, vi } from 'vitest';
import { createApp } from '../../functions/app.ts';
import { createAwsRegistry } from '../../functions/aws.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { tagNamesKey } from '../../functions/registry/keys.ts';
import { manifestOf, newImage, pullImage, pushImage } from './client.ts';
import { startAwsStores } from './stores.ts';

const stores = await startAwsStores();
if (!stores && process.env['STOWAGE_REQUIRE_CLIENTS']) throw new Error('no DynamoDB server is installed');
if (!stores) console.warn('skipped: a full repository; no DynamoDB server is installed');
afterAll(() => stores?.stop());

const NAME = 'team/full';

it.runIf(stores)('a tag that a repository has no room for is refused, and nothing changes', async () => {
  for (const [name, value] of Object.entries(stores?.environment ?? {})) vi.stubEnv(name, value);
  const { registry } = createAwsRegistry(process.env);
  const app = createApp({ registry });
  const image = newImage(1, 100);
  await pushImage(app, NAME, image);
  const tag = 'x'.repeat(128);
  const shard = createHash('sha256').update(tag).digest('hex').slice(0, 2);
  // As many names as would take hours to push: 409,600 bytes are what an item holds.
  const names = ['a'.repeat(300_000), 'b'.repeat(109_450)];
  await registry.table.write([{ update: tagNamesKey(NAME as RepositoryName, shard), include: { names } }]);
  const put = (to: string) =>
    app(
      new Request(`http://registry.test/v2/${NAME}/manifests/${to}`, {
        method: 'PUT',
        body: `${manifestOf(image)} `,
        headers: { 'Content-Type': 'application/vnd.oci.image.manifest.v1+json' },
      }),
    );
  const refused = await put(tag);
  expect(refused.status).toBe(403);
  const { errors } = (await refused.json()) as { errors: { code: string; message: string }[] };
  expect(errors[0]).toMatchObject({ code: 'DENIED', message: expect.stringContaining('team/full') });
  expect((await app(new Request(`http://registry.test/v2/${NAME}/manifests/${tag}`))).status).toBe(404);
  await pullImage(app, NAME, image);
  expect((await put('another')).status).toBe(201);
});
