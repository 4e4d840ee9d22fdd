import { randomBytes } from 'node:crypto';
import { afterAll, expect, it, vi } from 'vitest';
import { startAwsPath } from '../aws-path.ts';
import { send } from './fixture.ts';
import { digestOf } from './registry-client.ts';

const LARGE = 5 * 1024 * 1024;
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

vi.spyOn(process.stdout, 'write').mockReturnValue(true); // the log of its functions
vi.stubEnv('STOWAGE_OPEN', '1');
const path = await startAwsPath();
if (!path && process.env['STOWAGE_REQUIRE_CLIENTS']) throw new Error('no DynamoDB server is installed');
afterAll(async () => {
  await path?.stop();
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

it.runIf(path)(
  'STOWAGE_OPEN=1 is open through the front door: nobody logs in to push and to pull',
  async () => {
    const url = path?.url ?? '';
    expect((await send(url, 'GET /v2/')).status).toBe(200);
    const blobs = [randomBytes(1000), randomBytes(LARGE)];
    for (const body of blobs) {
      const { headers } = await send(url, 'POST /v2/team/app/blobs/uploads/');
      expect(await send(url, `PUT ${headers.location}&digest=${digestOf(body)}`, { body })).toMatchObject({
        status: 201,
      });
    }
    expect(path?.counters.counts.blobs.uploadBytes).toBe(LARGE);
    const [config, layer] = blobs.map((bytes) => ({
      mediaType: 'application/octet-stream',
      digest: digestOf(bytes),
      size: bytes.length,
    }));
    const body = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers: [layer] });
    const pushed = await send(url, 'PUT /v2/team/app/manifests/v1', {
      headers: { 'content-type': MANIFEST },
      body,
    });
    expect(pushed.status).toBe(201);
    expect((await send(url, 'GET /v2/team/app/manifests/v1')).body.toString()).toBe(body);
    const { headers } = await send(url, `GET /v2/team/app/blobs/${layer?.digest}`);
    const pulled = await fetch(headers.location ?? '');
    expect(digestOf(await pulled.bytes())).toBe(layer?.digest);
  },
);
