import { createHash, randomBytes } from 'node:crypto';
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type App, createApp } from '../../functions/app.ts';
import { createAwsRegistry } from '../../functions/aws.ts';
import { ENV } from '../../functions/environment.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { requireBlob } from '../../functions/registry/blobs.ts';
import { commitDirectUpload } from '../../functions/registry/direct-uploads.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { startUpload } from '../../functions/registry/uploads.ts';
import type { ObjectKey } from '../../functions/storage/blob-store.ts';
import { s3Client } from '../../functions/storage/s3/s3-client.ts';
import { type Mismatch, scanObjects } from '../../functions/upkeep/orphans.ts';
import { openUpload, pullBlob, send, sha256 } from './client.ts';
import { observe } from './observe.ts';
import { startAwsStores } from './stores.ts';

// Objects in S3 that are lost or have other bytes, for instance by somebody with the rights of an administrator.

const stores = await startAwsStores();
if (!stores && process.env['STOWAGE_REQUIRE_CLIENTS']) throw new Error('no DynamoDB server is installed');
if (!stores) console.warn('skipped: lost and damaged objects in S3; no DynamoDB server is installed');
afterAll(() => stores?.stop());

const [ONE, TWO] = ['team/one', 'team/two'] as RepositoryName[] as [RepositoryName, RepositoryName];
const MEBIBYTE = 1024 * 1024;
const bytesOf = (size: number) => randomBytes(size) as Uint8Array<ArrayBuffer>;

describe.runIf(stores)('in S3', () => {
  let registry: Registry;
  let app: App;
  let s3: ReturnType<typeof s3Client>;
  const calls: string[] = [];
  /** What was pushed in chunks. */
  const inParts = new Set<string>();

  beforeAll(() => {
    for (const [name, value] of Object.entries(stores?.environment ?? {})) vi.stubEnv(name, value);
    s3 = s3Client({ endpoint: process.env[ENV.bucketEndpoint], requestHandler: {} });
    const follow = (operation: string) => void calls.push(operation);
    ({ registry } = createAwsRegistry(process.env, { onClient: (client) => observe([client], follow) }));
    app = createApp({ registry });
  });
  afterAll(() => vi.unstubAllEnvs());

  async function push(repository: string, ...chunks: Uint8Array<ArrayBuffer>[]): Promise<void> {
    let { location } = await openUpload(app, repository);
    const digest = sha256(Buffer.concat(chunks));
    if (chunks.length > 1) inParts.add(digest);
    const [last, ...before] = chunks.toReversed();
    for (const body of before.toReversed()) {
      const { headers } = await send(app, `PATCH ${location}`, 202, { body });
      location = headers.get('location') ?? '';
    }
    calls.length = 0;
    await send(app, `PUT ${location}?digest=${digest}`, 201, last ? { body: last } : {});
  }

  const statusOf = async (method: string, bytes: Uint8Array, repository = ONE) => {
    const url = `http://registry.test/v2/${repository}/blobs/${sha256(bytes)}`;
    return (await app(new Request(url, { method }))).status;
  };

  const at = (Key: string) => ({ Bucket: process.env[ENV.bucket], Key });
  const keyOf = async (bytes: Uint8Array) => (await requireBlob(registry, ONE, sha256(bytes))).objectKey;

  const checksumOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('base64');

  /** Puts other bytes in the place of an object, or none. */
  async function replace(key: ObjectKey, body?: Uint8Array): Promise<void> {
    await s3.send(new DeleteObjectCommand(at(key)));
    if (!body) return;
    const input = { ...at(key), Body: body, ChecksumSHA256: checksumOf(body), IfNoneMatch: '*' };
    await s3.send(new PutObjectCommand(input));
  }

  async function scan(
    options: Partial<Parameters<typeof scanObjects>[1]> = {},
  ): Promise<readonly Mismatch[]> {
    const found: Mismatch[] = [];
    await scanObjects(registry, { report: (mismatch) => found.push(mismatch), mark: true, ...options });
    return found;
  }

  async function expectWhole(bytes: Uint8Array): Promise<void> {
    for (const repository of [ONE, TWO])
      expect(sha256(await pullBlob(app, repository, sha256(bytes)))).toBe(sha256(bytes));
  }

  const damages: Record<string, (bytes: Uint8Array) => Uint8Array | undefined> = {
    'is gone': () => undefined,
    'is shorter': (bytes) => bytes.subarray(1),
    'is longer': (bytes) => Buffer.concat([bytes, bytes]),
    'has other bytes of the same size': ({ length }) => bytesOf(length),
  };
  const sizes = {
    'a small blob': [1000],
    'a layer': [100_000],
    'a layer in parts': [5 * MEBIBYTE, MEBIBYTE],
  };
  const cases = Object.entries(damages).flatMap(([how, damage]) =>
    Object.entries(sizes).map(([what, chunks]) => ({ how, damage, what, chunks })),
  );

  it.each(cases)('$what whose object $how is healed by a push to either repository', async (one) => {
    const chunks = one.chunks.map(bytesOf);
    const bytes = Buffer.concat(chunks);
    for (const repository of [ONE, TWO]) await push(repository, ...chunks);
    await replace(await keyOf(bytes), one.damage(bytes));
    await push(TWO, ...chunks);
    await expectWhole(bytes);
  });

  it('a push of what is there already asks S3 once whether it is sound; a pull, and a client that asks, never', async () => {
    const bytes = bytesOf(100_000);
    await push(ONE, bytes);
    expect(calls).not.toContain('HeadObject');
    await push(TWO, bytes);
    expect(calls.filter((call) => call === 'HeadObject')).toHaveLength(1);
    calls.length = 0;
    expect([await statusOf('GET', bytes), await statusOf('HEAD', bytes)]).toEqual([307, 200]);
    expect(calls).toEqual(['GetItem', 'BatchGetItem']);
  });

  it('a small blob that is damaged is an error, and then not there for a client that is about to push', async () => {
    for (const damage of [undefined, bytesOf(999)]) {
      const bytes = bytesOf(1000);
      for (const repository of [ONE, TWO]) await push(repository, bytes);
      await replace(await keyOf(bytes), damage);
      expect(await statusOf('GET', bytes)).toBe(500);
      expect([await statusOf('HEAD', bytes), await statusOf('HEAD', bytes, TWO)]).toEqual([404, 404]);
      await push(TWO, bytes);
      expect([await statusOf('HEAD', bytes), await statusOf('GET', bytes)]).toEqual([200, 200]);
    }
  });

  it('a scan marks a layer that is gone: then it is not there for a client that is about to push', async () => {
    const bytes = bytesOf(100_000);
    for (const repository of [ONE, TWO]) await push(repository, bytes);
    await replace(await keyOf(bytes));
    expect(await statusOf('HEAD', bytes)).toBe(200);
    expect(await scan({ mark: false })).toHaveLength(2);
    expect(await statusOf('HEAD', bytes)).toBe(200);
    expect(await scan()).toHaveLength(2);
    expect([await statusOf('HEAD', bytes), await statusOf('HEAD', bytes, TWO)]).toEqual([404, 404]);
    await push(ONE, bytes);
    expect(await scan()).toEqual([]);
    await expectWhole(bytes);
  });

  it('a deep scan finds other bytes by the checksum that S3 keeps, and reads what came in parts only', async () => {
    const whole = bytesOf(100_000);
    const parts = [bytesOf(5 * MEBIBYTE), bytesOf(MEBIBYTE)];
    for (const repository of [ONE, TWO]) await push(repository, whole);
    await push(ONE, ...parts);
    expect(await scan({ deep: {} })).toEqual([]);
    await replace(await keyOf(whole), bytesOf(100_000));
    const gets = () => calls.splice(0).filter((call) => call === 'GetObject').length;
    gets();
    expect(await scan({ mark: false })).toEqual([]);
    const lists = gets(); // a list is a GET, too
    expect(await scan({ deep: {} })).toMatchObject([
      { is: 'damaged', repository: ONE, digest: sha256(whole) },
      { is: 'damaged', repository: TWO, digest: sha256(whole) },
    ]);
    expect(gets() - lists).toBe(inParts.size);
    expect(await statusOf('HEAD', whole)).toBe(404);
    await push(TWO, whole);
    expect(await scan({ deep: {} })).toEqual([]);
    await expectWhole(whole);
  });

  it('a layer that its client sends to S3 itself heals as well', async () => {
    const bytes = bytesOf(100_000);
    for (const repository of [ONE, TWO]) await push(repository, bytes);
    await replace(await keyOf(bytes), bytesOf(100_000));
    const { id, upload } = await startUpload(registry, TWO);
    const command = new PutObjectCommand({
      ...{ ...at(upload.objectKey), Body: bytes, IfNoneMatch: '*' },
      ChecksumSHA256: checksumOf(bytes),
      Metadata: { 'stowage-lane': 'direct' },
    });
    await s3.send(command);
    expect(await commitDirectUpload(registry, id)).toBe(true);
    await expectWhole(bytes);
  });
});
