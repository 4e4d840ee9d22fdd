import { randomBytes } from 'node:crypto';
import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type AwsPath, startAwsPath } from '../aws/aws-path.ts';
import { scratch } from '../scratch.ts';
import { config, image, OCI_CONFIG, OCI_LAYER } from '../wire/content.ts';
import { imageOf, writeLayout } from './images.ts';
import { startProxy } from './meddling-proxy.ts';
import { Stowage } from './program.ts';

// A deployment without a stream host: what docker's classic store cannot get a large layer into.

const MIB = 1024 * 1024;

let path: AwsPath | undefined;

beforeAll(async () => {
  path = await startAwsPath();
}, 60_000);
afterAll(() => path?.stop());

async function stowageAt({ url: own, admin }: AwsPath, url = own): Promise<Stowage> {
  return new Stowage(await scratch(), {
    STOWAGE_REGISTRY: url,
    STOWAGE_USERNAME: admin.username,
    STOWAGE_TOKEN: admin.password,
    DOCKER_CONFIG: await scratch(),
  });
}

it('sends large layers to S3 itself, past CloudFront, API Gateway and Lambda, and finds them at once', async ({
  skip,
}) => {
  if (!path) return skip('no DynamoDB server for this platform');
  const made = imageOf([randomBytes(12 * MIB), randomBytes(6 * MIB), randomBytes(1000)]);
  const layout = await writeLayout({ made });
  const stowage = await stowageAt(path);
  const before = await countsOf(path);
  expect(await stowage.print(['push', layout, 'front/app:1'])).toContain(made.manifest.digest);
  const after = await countsOf(path);
  expect(after.blobs.uploadBytes - before.blobs.uploadBytes).toBe(0);
  expect(after.api.uploadBytes - before.api.uploadBytes).toBeLessThan(10_000);
  expect(JSON.parse(await stowage.print(['push', layout, 'front/app:2', '--json']))).toMatchObject({
    digest: made.manifest.digest,
    blobs: { sent: 0, present: 4, mounted: 0 },
  });
});

it('says what a deployment lacks that takes layers over 5 GiB from nobody, as an older one', async ({
  skip,
}) => {
  if (!path) return skip('no DynamoDB server for this platform');
  const digest = `sha256:${'5'.repeat(64)}`;
  const size = 5 * 1024 * MIB + 1;
  const manifest = image({
    config: { mediaType: OCI_CONFIG, digest: config.digest, size: config.size },
    layers: [{ mediaType: OCI_LAYER, digest, size }],
  });
  const layout = await writeLayout({ made: { manifest, blobs: [config] } });
  const file = join(layout, 'blobs/sha256', digest.slice(7));
  await writeFile(file, '');
  await truncate(file, size);
  const older = await startProxy(path.url, ({ url }) => ({
    is: 'rewrite',
    url: url.replace(/&size=\d+/, ''),
  }));
  const stowage = await stowageAt(path, older.url);
  expect(await stowage.run(['push', layout, 'front/huge:1'])).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('streamHost=instance'),
  });
});

interface Counts {
  readonly api: { readonly uploadBytes: number };
  readonly blobs: { readonly uploadBytes: number };
}

const countsOf = async ({ controlUrl }: AwsPath) =>
  (await (await fetch(`${controlUrl}/counts`)).json()) as Counts;
