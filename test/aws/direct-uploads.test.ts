import { createHash, createHmac, createVerify, generateKeyPairSync, randomBytes } from 'node:crypto';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type App, createApp } from '../../functions/app.ts';
import { Authentication } from '../../functions/auth/authentication.ts';
import { IdTokenVerifier } from '../../functions/auth/id-tokens.ts';
import { decodeKeyRing } from '../../functions/auth/signing-keys.ts';
import { createAwsRegistry } from '../../functions/aws.ts';
import { ENV, FRONT_HEADERS } from '../../functions/environment.ts';
import { secretHash } from '../../functions/front-door.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { s3Client } from '../../functions/storage/s3/s3-client.ts';
import { type Login, PRINCIPALS, tokenFor } from '../auth/world.ts';
import { type Image, manifestOf, newImage, send, sha256 } from './client.ts';
import { startAwsStores } from './stores.ts';

// The registry behind a front door, on DynamoDB and S3: what clients send to S3 themselves, and S3 has not told of yet.

const stores = await startAwsStores();
if (!stores && process.env['STOWAGE_REQUIRE_CLIENTS']) throw new Error('no DynamoDB server is installed');
if (!stores) console.warn('skipped: the registry behind a front door; no DynamoDB server is installed');
afterAll(() => stores?.stop());

const SECRET = 'only the front door knows this';
const REPOSITORIES = ['team/one', 'team/two'] as const;
const [ONE, TWO] = REPOSITORIES;
const keyPair = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const DOWNLOAD_KEY = '/stowage/test/download-key';

describe.runIf(stores)('behind a front door', () => {
  let registry: Registry;
  let s3: ReturnType<typeof s3Client>;
  let alice: App;
  let bob: App;
  let cdn: App;

  beforeAll(async () => {
    for (const [name, value] of Object.entries(stores?.environment ?? {})) vi.stubEnv(name, value);
    vi.stubEnv(ENV.frontSecretHash, secretHash(SECRET));
    stores?.ssm.parameters.set(DOWNLOAD_KEY, keyPair.privateKey);
    s3 = s3Client({ endpoint: process.env[ENV.bucketEndpoint], requestHandler: {} });
    const through = openApp({});
    registry = through.registry;
    const grants = REPOSITORIES.map((pattern) => ({ pattern, actions: ['push'] as const }));
    const [first, second] = await Promise.all(
      ['alice', 'bob'].map((name) => PRINCIPALS.user({ registry, workloads: new Map() }, name, grants)),
    );
    alice = await loggedIn(through.app, first);
    bob = await loggedIn(through.app, second);
    const settings = {
      [ENV.downloads]: 'cdn',
      [ENV.downloadKey]: DOWNLOAD_KEY,
      [ENV.downloadKeyId]: 'K2EXAMPLE',
    };
    cdn = await loggedIn(openApp(settings).app, first);
  });
  afterAll(() => vi.unstubAllEnvs());

  /** The registry as a deployment opens it, as the front door reaches it. */
  function openApp(settings: Record<string, string>) {
    const opened = createAwsRegistry({ ...process.env, ...settings });
    const { keys, front } = opened;
    if (!keys || !front) throw new Error('no keys or no front door');
    const authentication = new Authentication({
      registry: opened.registry,
      keys,
      workloads: new IdTokenVerifier(),
    });
    const behind = createApp({ registry: opened.registry, authentication, front });
    const app: App = (request) => {
      request.headers.set(FRONT_HEADERS.secret, SECRET);
      request.headers.set(FRONT_HEADERS.host, 'registry.example.com');
      return behind(request);
    };
    return { registry: opened.registry, app };
  }

  async function loggedIn(app: App, login: Login | undefined): Promise<App> {
    const scopes = REPOSITORIES.map((name) => `repository:${name}:pull,push`);
    const token = await tokenFor({ app }, login, scopes);
    return (request) => {
      request.headers.set('Authorization', `Bearer ${token}`);
      return app(request);
    };
  }

  /** As the front door has S3 take a PUT to this Location. */
  async function sendToS3(location: string, bytes: Uint8Array): Promise<void> {
    const object = new URLSearchParams(location.slice(location.indexOf('?'))).get('token')?.split('.')[2];
    const command = new PutObjectCommand({
      Bucket: process.env[ENV.bucket],
      Key: `blobs/${object}`,
      Body: bytes,
      ChecksumSHA256: createHash('sha256').update(bytes).digest('base64'),
      Metadata: { 'stowage-lane': 'direct' },
      IfNoneMatch: '*',
    });
    await s3.send(command);
  }

  async function upload(app: App, repository: string, bytes: Uint8Array): Promise<string> {
    const started = await send(app, `POST /v2/${repository}/blobs/uploads/`, 202);
    const location = started.headers.get('location') ?? '';
    await sendToS3(location, bytes);
    return location;
  }

  const blobPath = (repository: string, bytes: Uint8Array) => `/v2/${repository}/blobs/${sha256(bytes)}`;
  const partsOf = ({ config, layers }: Image) => [config, ...layers];

  it.each([
    ['cancels the upload', 'DELETE', undefined, 404],
    ['closes it for the same digest', 'PUT', 'the same', 201],
    ['closes it for another digest', 'PUT', 'another', 400],
  ])(
    'a blob that S3 has answered 201 for stays where its client %s, before S3 has told of it',
    async (_, method, digest, status) => {
      const bytes = randomBytes(5000);
      const location = await upload(alice, ONE, bytes);
      const query = digest && `&digest=${sha256(digest === 'the same' ? bytes : Buffer.from('other'))}`;
      await send(alice, `${method} ${location}${query ?? ''}`, status);
      const found = await send(alice, `GET ${blobPath(ONE, bytes)}`, 200);
      expect(Buffer.from(await found.bytes())).toEqual(bytes);
    },
  );

  async function putManifest(app: App, repository: string, image: Image, status: number): Promise<void> {
    const headers = { 'Content-Type': 'application/vnd.oci.image.manifest.v1+json' };
    const path = `/v2/${repository}/manifests/v1`;
    await send(app, `PUT ${path}`, status, { body: manifestOf(image), headers });
  }

  it('a Location carries a token of the upload, signed with the key that access tokens are signed with', async () => {
    const { headers } = await send(alice, `POST /v2/${ONE}/blobs/uploads/`, 202);
    const location = headers.get('location') ?? '';
    const [, session = '', id, expires, object, mac] =
      /uploads\/([^?]+)\?offset=0&token=([^.]+)\.([^.]+)\.([^.]+)\.(.+)$/.exec(location) ?? [];
    const ring = decodeKeyRing(stores?.ssm.parameters.get(process.env[ENV.signingKeys] ?? '') ?? '');
    const key = ring.find((one) => one.id === id);
    const text = ['upload', ONE, session, `blobs/${object}`, expires, 'user:alice'].join('\n');
    expect(mac).toBe(
      createHmac('sha256', key?.secret ?? '')
        .update(text)
        .digest('base64url'),
    );
  });

  it('a blob that S3 has not told of is there for whoever has sent it, by HEAD and by GET', async () => {
    const [one, two] = [randomBytes(100_000), randomBytes(100_000)];
    await upload(alice, ONE, one);
    await upload(alice, ONE, two);
    await send(bob, `HEAD ${blobPath(ONE, one)}`, 404);
    await send(alice, `HEAD ${blobPath(TWO, one)}`, 404);
    const head = await send(alice, `HEAD ${blobPath(ONE, one)}`, 200);
    expect(head.headers.get('content-length')).toBe('100000');
    await send(alice, `GET ${blobPath(ONE, two)}`, 307);
    await send(bob, `HEAD ${blobPath(ONE, one)}`, 200);
  });

  it('a manifest finds its blobs, however many were sent at once', async () => {
    const image = newImage(25, 1000);
    await Promise.all(partsOf(image).map((bytes) => upload(alice, ONE, bytes)));
    await putManifest(bob, ONE, image, 400);
    await putManifest(alice, ONE, image, 201);
    for (const bytes of partsOf(image)) await send(bob, `HEAD ${blobPath(ONE, bytes)}`, 200);
  });

  it('one digest sent to two repositories at once is there in both', async () => {
    const image = newImage(2, 1000);
    await Promise.all(
      REPOSITORIES.flatMap((name) => partsOf(image).map((bytes) => upload(alice, name, bytes))),
    );
    await Promise.all(REPOSITORIES.map((name) => putManifest(alice, name, image, 201)));
    const objects = await Promise.all(
      REPOSITORIES.map(async (name) => {
        const answer = await send(alice, `GET ${blobPath(name, image.config)}`, 200);
        return Buffer.from(await answer.bytes());
      }),
    );
    expect(objects.map((bytes) => bytes.equals(image.config))).toEqual([true, true]);
  });

  it('bytes that S3 refuses leave nothing, and the upload as it was', async () => {
    const bytes = randomBytes(1000);
    const started = await send(alice, `POST /v2/${ONE}/blobs/uploads/`, 202);
    const location = started.headers.get('location') ?? '';
    const wrong = new PutObjectCommand({
      Bucket: process.env[ENV.bucket],
      Key: `blobs/${started.headers.get('docker-upload-uuid')}`,
      Body: randomBytes(1000),
      ChecksumSHA256: createHash('sha256').update(bytes).digest('base64'),
      Metadata: { 'stowage-lane': 'direct' },
      IfNoneMatch: '*',
    });
    await expect(s3.send(wrong)).rejects.toMatchObject({ name: 'BadDigest' });
    await send(alice, `HEAD ${blobPath(ONE, bytes)}`, 404);
    await sendToS3(location, bytes);
    await send(alice, `HEAD ${blobPath(ONE, bytes)}`, 200);
  });

  it('bytes that are in S3 are not written over, by nobody who has the token still', async () => {
    const bytes = randomBytes(1000);
    const location = await upload(alice, ONE, bytes);
    await send(alice, `HEAD ${blobPath(ONE, bytes)}`, 200);
    await expect(sendToS3(location, randomBytes(1000))).rejects.toMatchObject({ name: 'PreconditionFailed' });
    const answer = await send(alice, `GET ${blobPath(ONE, bytes)}`, 200);
    expect(Buffer.from(await answer.bytes()).equals(bytes)).toBe(true);
  });

  describe('that also hands out downloads', () => {
    /** A signed URL's parts, decoded as CloudFront does. */
    function partsOfUrl(location: string) {
      const [path = '', query = ''] = location.split('?');
      const parameters = new Map(query.split('&').map((pair) => pair.split('=', 2) as [string, string]));
      const decode = (name: string) => {
        const text = parameters.get(name) ?? '';
        return Buffer.from(text.replaceAll('-', '+').replaceAll('_', '=').replaceAll('~', '/'), 'base64');
      };
      return { path, names: [...parameters.keys()], digest: parameters.get('digest'), decode };
    }

    async function locationOf(bytes: Uint8Array): Promise<string> {
      await upload(cdn, ONE, bytes);
      return (await send(cdn, `GET ${blobPath(ONE, bytes)}`, 307)).headers.get('location') ?? '';
    }

    it('a large blob is behind a relative URL, signed for CloudFront, good for 20 minutes', async () => {
      const bytes = randomBytes(100_000);
      const before = Math.floor(Date.now() / 1000);
      const location = await locationOf(bytes);
      const { path, names, digest, decode } = partsOfUrl(location);
      expect(path).toMatch(/^\/blobs\/[0-9a-f-]{36}$/);
      expect(names).toEqual(['digest', 'Policy', 'Signature', 'Key-Pair-Id']);
      expect(digest).toBe(sha256(bytes));
      const policy = decode('Policy');
      expect(createVerify('RSA-SHA1').update(policy).verify(keyPair.publicKey, decode('Signature'))).toBe(
        true,
      );
      const { Statement } = JSON.parse(`${policy}`);
      const until = Statement[0].Condition.DateLessThan['AWS:EpochTime'];
      expect(Statement).toEqual([
        {
          Resource: `https://registry.example.com${path}?digest=${digest}`,
          Condition: { DateLessThan: { 'AWS:EpochTime': until } },
        },
      ]);
      expect([until >= before + 1200, until <= before + 1260]).toEqual([true, true]);
      expect(`${policy}`).not.toMatch(/\s/);
    });

    it('the key is read once, and a small blob needs none', async () => {
      const reads = () => stores?.ssm.calls.length;
      const small = randomBytes(1000);
      await upload(cdn, ONE, small);
      await send(cdn, `GET ${blobPath(ONE, small)}`, 200);
      await locationOf(randomBytes(100_000));
      const once = reads();
      await locationOf(randomBytes(100_000));
      expect(reads()).toBe(once);
    });

    it('a registry that is told no key does not start', () => {
      expect(() => createAwsRegistry({ ...process.env, [ENV.downloads]: 'cdn' })).toThrow(ENV.downloadKey);
    });

    it('a key that is missing is asked for again with the next download', async () => {
      const bytes = randomBytes(100_000);
      const missing = {
        [ENV.downloads]: 'cdn',
        [ENV.downloadKey]: '/nowhere',
        [ENV.downloadKeyId]: 'K2EXAMPLE',
      };
      const { blobs } = createAwsRegistry({ ...process.env, ...missing }).registry;
      const object = { objectKey: 'blobs/x' as never, size: bytes.length };
      await expect(blobs.downloadUrl(object, sha256(bytes), 'registry.test')).rejects.toThrow('/nowhere');
      stores?.ssm.parameters.set('/nowhere', keyPair.privateKey);
      expect(await blobs.downloadUrl(object, sha256(bytes), 'registry.test')).toMatch(/^\/blobs\/x\?digest=/);
    });
  });
});
