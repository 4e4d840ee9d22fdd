import { createHash, randomBytes } from 'node:crypto';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it, type Mock, vi } from 'vitest';
import { type App, createApp } from '../../functions/app.ts';
import { createAwsRegistry } from '../../functions/aws.ts';
import { s3Client } from '../../functions/storage/s3/s3-client.ts';
import { openUpload, pullBlob, send, sha256 } from './client.ts';
import { startAwsStores } from './stores.ts';

/** More than the API itself could take. */
const LARGE = 4 * 1024 * 1024 + 1;

const stores = await startAwsStores();
if (!stores && process.env['STOWAGE_REQUIRE_CLIENTS']) throw new Error('no DynamoDB server is installed');
if (!stores) console.warn('skipped: uploads that go straight to S3; no DynamoDB server is installed');
afterAll(() => stores?.stop());

describe.runIf(stores)('commit-uploads', () => {
  let app: App;
  let log: Mock<typeof process.stdout.write>;
  let s3: ReturnType<typeof s3Client>;
  let commit: (key: string, size?: number) => Promise<number>;

  beforeAll(async () => {
    for (const [name, value] of Object.entries(stores?.environment ?? {})) vi.stubEnv(name, value);
    log = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    s3 = s3Client({ endpoint: process.env['STOWAGE_S3_ENDPOINT'], requestHandler: {} });
    app = createApp({ registry: createAwsRegistry(process.env).registry });
    const { handler } = await import('../../functions/commit-uploads.ts');
    const context = { awsRequestId: 'test', getRemainingTimeInMillis: () => 30_000 };
    commit = (key, size = LARGE) => handler({ detail: { object: { key, size } } } as never, context as never);
  });
  afterAll(() => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
  });

  const keyOf = (location: string) => `blobs/${/([^/?]+)(?:\?|$)/.exec(location)?.[1]}`;
  const lastLine = () => JSON.parse(`${log.mock.lastCall?.[0]}`);

  /** What the front door does for a client: the bytes go to S3, which checks them, and are marked. */
  async function putDirectly(key: string, bytes: Uint8Array): Promise<void> {
    const command = new PutObjectCommand({
      Bucket: process.env['STOWAGE_BUCKET'],
      Key: key,
      Body: bytes,
      ChecksumSHA256: createHash('sha256').update(bytes).digest('base64'),
      Metadata: { 'stowage-lane': 'direct' },
      IfNoneMatch: '*',
    });
    await s3.send(command);
  }

  const blobPath = (bytes: Uint8Array) => `/v2/direct/blobs/${sha256(bytes)}`;

  it('links what a client has written to S3 itself, once, however often it is told', async () => {
    const bytes = randomBytes(LARGE);
    const { location } = await openUpload(app, 'direct');
    await putDirectly(keyOf(location), bytes);
    expect(await Promise.all([commit(keyOf(location)), commit(keyOf(location))])).toContain(1);
    expect(await commit(keyOf(location))).toBe(0);
    expect(Buffer.from(await pullBlob(app, 'direct', sha256(bytes))).equals(bytes)).toBe(true);
    await send(app, `PUT ${location}?digest=${sha256(bytes)}`, 201); // a client that repeats its PUT
  });

  it('leaves an upload alone whose chunks come through the API', async () => {
    const bytes = randomBytes(1000);
    const { location } = await openUpload(app, 'direct');
    const { headers } = await send(app, `PATCH ${location}`, 202, { body: bytes.subarray(0, 500) });
    expect(await commit(keyOf(location))).toBe(0);
    await send(app, `PUT ${headers.get('location')}?digest=${sha256(bytes)}`, 201, {
      body: bytes.subarray(500),
    });
    expect(await commit(keyOf(location))).toBe(0);
  });

  it('does nothing for an upload that was cancelled before it heard of the object', async () => {
    const bytes = randomBytes(1000);
    const { location } = await openUpload(app, 'direct');
    await send(app, `DELETE ${location}`, 204);
    await putDirectly(keyOf(location), bytes);
    expect(await commit(keyOf(location))).toBe(0);
    await send(app, `GET ${blobPath(bytes)}`, 404);
  });

  it('asks nothing of an object that the API could have taken itself', async () => {
    const bytes = randomBytes(1000);
    const { location } = await openUpload(app, 'direct');
    await putDirectly(keyOf(location), bytes);
    expect(await commit(keyOf(location), LARGE - 1)).toBe(0);
    expect(lastLine()).toMatchObject({ calls: 0, uploadsCommitted: 0 });
    await send(app, `GET ${blobPath(bytes)}`, 404);
  });

  it('writes in its line whether an upload was committed', async () => {
    const { location } = await openUpload(app, 'direct');
    await putDirectly(keyOf(location), randomBytes(1000));
    await commit(keyOf(location));
    expect(lastLine()).toMatchObject({ job: 'commit-uploads', uploadsCommitted: 1 });
    await commit(keyOf(location));
    expect(lastLine()).toMatchObject({ job: 'commit-uploads', uploadsCommitted: 0 });
  });

  it.each(['blobs/unknown', 'uploads/tail', 'x', ''])('does nothing for the key %j', async (key) => {
    expect(await commit(key)).toBe(0);
  });

  it('links a blob of which the registry has another object to that one', async () => {
    const bytes = randomBytes(1000);
    const first = await openUpload(app, 'other');
    await send(app, `PUT ${first.location}?digest=${sha256(bytes)}`, 201, { body: bytes });
    const { location } = await openUpload(app, 'direct');
    await putDirectly(keyOf(location), bytes);
    expect(await commit(keyOf(location))).toBe(1);
    await send(app, `GET ${blobPath(bytes)}`, 200);
  });
});
