import { createHash, randomBytes } from 'node:crypto';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { LIST_PRICES } from '../../cli/cost/prices.ts';
import { type App, createApp } from '../../functions/app.ts';
import { Authentication } from '../../functions/auth/authentication.ts';
import { IdTokenVerifier } from '../../functions/auth/id-tokens.ts';
import { newSigningKey } from '../../functions/auth/signing-keys.ts';
import { createAwsRegistry } from '../../functions/aws.ts';
import type { AwsClient } from '../../functions/aws-clients.ts';
import { recordAudit } from '../../functions/identity/audit.ts';
import { commitDirectUpload } from '../../functions/registry/direct-uploads.ts';
import { deletePolicy, putPolicy } from '../../functions/registry/policies.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { s3Client } from '../../functions/storage/s3/s3-client.ts';
import { PRINCIPALS, type Seed, tokenFor } from '../auth/world.ts';
import { type Image, manifestOf, newImage, openUpload, pushImage, send, sha256 } from './client.ts';
import { measuredInFile, measuredOnPage, pageTable, writeMeasured } from './measured.ts';
import { type Billed, Meter } from './meter.ts';
import { startAwsStores } from './stores.ts';

// docs/aws-calls.md says which calls to AWS each operation makes, and cli/cost/measured.json what is billed for them;
// here they are counted. STOWAGE_WRITE_CALLS=1 writes both.

const stores = await startAwsStores();
if (!stores && process.env['STOWAGE_REQUIRE_CLIENTS']) throw new Error('no DynamoDB server is installed');
if (!stores) console.warn('skipped: calls to AWS; no DynamoDB server is installed');
afterAll(() => stores?.stop());

const MEBIBYTE = 1024 * 1024;
const DOWNLOADS = 256;
const bytesOf = (size: number) => randomBytes(size) as Uint8Array<ArrayBuffer>;
const put = (app: App, path: string, body: Uint8Array<ArrayBuffer>) =>
  send(app, `PUT ${path}`, 201, { body });
const patch = async (app: App, path: string, body: Uint8Array<ArrayBuffer>) =>
  (await send(app, `PATCH ${path}`, 202, { body })).headers.get('location') ?? '';

/** What is measured, by the words of the page: brings things about, and returns the call to count. */
type Operation = (world: { app: App; image: Image }) => Promise<() => Promise<unknown>>;

const MANIFEST = '/v2/calls/image/manifests';
const BLOB = '/v2/calls/image/blobs';

const reading =
  (call: string, status = 200): Operation =>
  async ({ app }) =>
  () =>
    send(app, call, status);

const readingBlob =
  (method: string, part: (image: Image) => Uint8Array, status: number): Operation =>
  async ({ app, image }) =>
  () =>
    send(app, `${method} ${BLOB}/${sha256(part(image))}`, status);

const config = (image: Image) => image.config;
const layer = (image: Image) => image.layers[0] ?? Buffer.of();

/** After chunks of these sizes: a further PATCH, or the closing PUT with a body of that size. */
const uploading =
  (before: readonly number[], last: { patch: number } | { put: number }): Operation =>
  async ({ app }) => {
    let { location } = await openUpload(app, 'calls/image');
    const chunks = before.map((size) => bytesOf(size * MEBIBYTE));
    for (const chunk of chunks) location = await patch(app, location, chunk);
    if ('patch' in last) return () => patch(app, location, bytesOf(last.patch * MEBIBYTE));
    const rest = bytesOf(last.put * MEBIBYTE);
    return () => put(app, `${location}?digest=${sha256(Buffer.concat([...chunks, rest]))}`, rest);
  };

const pushingManifest =
  (layers: number): Operation =>
  async ({ app }) => {
    const image = { ...newImage(layers, 10), tag: `n${layers}` };
    await pushImage(app, 'calls/image', { ...image, tag: 'other' });
    const changed = `${manifestOf(image).slice(0, -1)},"annotations":{"n":"${layers}"}}`;
    const headers = { 'Content-Type': 'application/vnd.oci.image.manifest.v1+json' };
    return () => send(app, `PUT ${MANIFEST}/n${layers}`, 201, { body: changed, headers });
  };

const mounting =
  (from: string): Operation =>
  async ({ app, image }) => {
    await pushImage(app, 'calls/target', newImage(1, 10));
    const digest = sha256(layer(image));
    return () => send(app, `POST /v2/calls/target/blobs/uploads/?mount=${digest}${from}`, 201);
  };

const OPERATIONS: Readonly<Record<string, Operation>> = {
  'GET manifest by tag': reading(`GET ${MANIFEST}/v1`),
  'HEAD manifest by tag': reading(`HEAD ${MANIFEST}/v1`),
  'GET manifest by a tag that is missing': reading(`GET ${MANIFEST}/v2`, 404),
  'GET manifest by digest':
    async ({ app, image }) =>
    () =>
      send(app, `GET ${MANIFEST}/${sha256(Buffer.from(manifestOf(image)))}`, 200),
  'HEAD manifest by digest':
    async ({ app, image }) =>
    () =>
      send(app, `HEAD ${MANIFEST}/${sha256(Buffer.from(manifestOf(image)))}`, 200),
  'GET blob': readingBlob('GET', layer, 307),
  'GET blob of at most 64 KiB': readingBlob('GET', config, 200),
  'HEAD blob': readingBlob('HEAD', layer, 200),
  'HEAD blob that is missing':
    async ({ app }) =>
    () =>
      send(app, `HEAD ${BLOB}/${sha256(bytesOf(9))}`, 404),
  'POST upload': reading('POST /v2/calls/image/blobs/uploads/', 202),
  'PATCH upload, first chunk': uploading([], { patch: 4 }),
  'PATCH upload, second chunk of 4 MiB': uploading([4], { patch: 4 }),
  'PATCH upload, third chunk of 4 MiB': uploading([4, 4], { patch: 4 }),
  'PUT upload, after one chunk': uploading([4], { put: 0 }),
  'PUT upload, with the whole blob': uploading([], { put: 4 }),
  'PUT upload, after three chunks of 4 MiB': uploading([4, 4, 4], { put: 0 }),
  'PUT upload, with the whole blob, into a new repository': async ({ app }) => {
    const { location } = await openUpload(app, `calls/${randomBytes(4).toString('hex')}`);
    const bytes = bytesOf(10);
    return () => put(app, `${location}?digest=${sha256(bytes)}`, bytes);
  },
  'PUT upload, with a whole blob that is there': async ({ app, image }) => {
    const { location } = await openUpload(app, 'calls/image');
    const bytes = layer(image) as Uint8Array<ArrayBuffer>;
    return () => put(app, `${location}?digest=${sha256(bytes)}`, bytes);
  },
  'PUT manifest, 1 layer': pushingManifest(1),
  'PUT manifest, 49 layers': pushingManifest(49),
  'PUT manifest, 120 layers': pushingManifest(120),
  'mount with from': mounting('&from=calls/image'),
  'mount without from': mounting(''),
  'GET tags/list': reading('GET /v2/calls/image/tags/list'),
  'GET referrers':
    async ({ app, image }) =>
    () =>
      send(app, `GET /v2/calls/image/referrers/${sha256(layer(image))}`, 200),
};

const PAGE = '/api/v1/repositories/calls/image/-';

/** A POST or a PUT of the API, after a tag is on each of two manifests. */
const changing =
  (call: string, bodyOf: (digest: string) => object): Operation =>
  async ({ app, image }) => {
    await pushImage(app, 'calls/image', { ...newImage(1, 10), tag: 'page' });
    const body = JSON.stringify(bodyOf(sha256(Buffer.from(manifestOf(image)))));
    const headers = { 'Content-Type': 'application/json' };
    return () => send(app, call, 200, { body, headers });
  };

/** What the page and the command line ask, in a registry without users; with users, who asks is looked up besides. */
const LOOKS: Readonly<Record<string, Operation>> = {
  'GET repositories': reading('GET /api/v1/repositories'),
  'GET repository': reading('GET /api/v1/repositories/calls/image'),
  'GET search by name': reading('GET /api/v1/search?q=image'),
  'GET search by tag': reading('GET /api/v1/search?q=image:v1'),
  'GET tag-names': reading(`GET ${PAGE}/tag-names`),
  'POST tags/query': changing(`POST ${PAGE}/tags/query`, () => ({ names: ['v1', 'page'] })),
  'GET image by tag': reading(`GET ${PAGE}/images/v1`),
  'GET manifests without a tag': reading(`GET ${PAGE}/manifests?untagged=true`),
  'GET tags of a manifest':
    async ({ app, image }) =>
    () =>
      send(app, `GET ${PAGE}/manifests/${sha256(Buffer.from(manifestOf(image)))}/tags`, 200),
  'PUT tag on a manifest that is there': changing(`PUT ${PAGE}/tags/page`, (digest) => ({ digest })),
  'POST tags/delete, dry run': changing(`POST ${PAGE}/tags/delete`, () => ({ tags: ['page'], dryRun: true })),
};

/** Has S3 take a blob past the registry, which hears nothing of it; answers which upload it is of. */
async function sendToS3(app: App, bytes: Uint8Array): Promise<string> {
  const { location } = await openUpload(app, 'calls/front');
  const id = /([^/?]+)\?/.exec(location)?.[1] ?? '';
  const s3 = s3Client({ endpoint: process.env['STOWAGE_S3_ENDPOINT'], requestHandler: {} });
  const command = new PutObjectCommand({
    Bucket: process.env['STOWAGE_BUCKET'],
    Key: `blobs/${id}`,
    Body: bytes,
    ChecksumSHA256: createHash('sha256').update(bytes).digest('base64'),
    Metadata: { 'stowage-lane': 'direct' },
    IfNoneMatch: '*',
  });
  await s3.send(command);
  return id;
}

/** Where uploads may go past the registry. */
const BEHIND_A_FRONT_DOOR: Readonly<Record<string, Operation>> = {
  'HEAD blob, behind a front door': readingBlob('HEAD', layer, 200),
  'HEAD blob that is missing, behind a front door':
    async ({ app }) =>
    () =>
      send(app, `HEAD /v2/calls/front/blobs/${sha256(bytesOf(9))}`, 404),
  'POST upload of a blob that is announced': reading(
    `POST /v2/calls/image/blobs/uploads/?mount=sha256:${'0'.repeat(64)}&size=20000000`,
    202,
  ),
  'HEAD blob that S3 has not told of': async ({ app }) => {
    const bytes = bytesOf(9);
    await sendToS3(app, bytes);
    return () => send(app, `HEAD /v2/calls/front/blobs/${sha256(bytes)}`, 200);
  },
  'PUT manifest, 1 layer, behind a front door': pushingManifest(1),
  'PUT manifest with a layer that S3 has not told of': async ({ app }) => {
    const before = newImage(1, 10);
    await pushImage(app, 'calls/front', before);
    const image = { ...before, layers: [bytesOf(10)] };
    await sendToS3(app, layer(image));
    const headers = { 'Content-Type': 'application/vnd.oci.image.manifest.v1+json' };
    return () => send(app, 'PUT /v2/calls/front/manifests/late', 201, { body: manifestOf(image), headers });
  },
};

/** Where a quota covers the repository, after its first push. */
const UNDER_A_QUOTA: Readonly<Record<string, Operation>> = {
  'POST upload, under a quota': reading('POST /v2/calls/image/blobs/uploads/', 202),
  'PUT upload, with the whole blob, under a quota': uploading([], { put: 4 }),
  'PUT manifest with a new tag, under a quota': pushingManifest(2),
};

const QUOTA = { each: { bytes: 1e9, tags: 100 }, together: { bytes: 1e9 } };

const PULL_AND_PUSH = [{ pattern: 'calls/*', actions: ['pull', 'push'] }] as const;

/** A login for a pull, after `before` others of the same principal. */
const loggingIn =
  (kind: keyof typeof PRINCIPALS, before: number): LoginOperation =>
  async ({ app, seed }) => {
    const login = await PRINCIPALS[kind](seed, `${kind}-${before}`, PULL_AND_PUSH);
    const logIn = () => tokenFor({ app }, login, ['repository:calls/image:pull']);
    for (let n = 0; n < before; n += 1) await logIn();
    return logIn;
  };

type LoginOperation = (world: { app: App; seed: Seed }) => Promise<() => Promise<unknown>>;

const LOGINS: Readonly<Record<string, LoginOperation>> = {
  'token, anonymous':
    async ({ app }) =>
    () =>
      tokenFor({ app }, undefined, ['repository:calls/image:pull']),
  'token, user by password': loggingIn('user', 0),
  'token, user by the same password within five minutes': loggingIn('user', 1),
  'token, member of a group, within five minutes': loggingIn('member', 1),
  'token, user by access token, first in an hour': loggingIn('token', 0),
  'token, user by access token': loggingIn('token', 1),
  'token, robot': loggingIn('robot', 1),
  'token, by refresh token': async ({ app, seed }) => {
    const login = await PRINCIPALS.user(seed, 'refresher', PULL_AND_PUSH);
    const post = async (form: Record<string, string>) => {
      const answer = await send(app, 'POST /token', 200, { body: new URLSearchParams(form) });
      return ((await answer.json()) as { refresh_token: string }).refresh_token;
    };
    const refresh = await post({ grant_type: 'password', access_type: 'offline', ...login });
    return () =>
      post({ grant_type: 'refresh_token', refresh_token: refresh, scope: 'repository:calls/image:pull' });
  },
};

/** What no request of a client does by itself. */
const WITHOUT_A_REQUEST: Readonly<Record<string, JobOperation>> = {
  'commit of an upload that S3 has told of': async ({ app, registry }) => {
    const id = await sendToS3(app, bytesOf(9));
    return () => commitDirectUpload(registry, id);
  },
  'entry of the audit trail':
    async ({ registry }) =>
    () =>
      recordAudit(registry, {
        time: registry.now(),
        principal: 'robot:ci',
        operation: 'manifest.put',
        outcome: 'allowed',
        status: 201,
        repository: 'calls/image',
        target: '/v2/calls/image/manifests/v1',
        address: '192.0.2.1',
        userAgent: 'containerd/2.3.4',
      }),
};

type JobOperation = (world: { app: App; registry: Registry }) => Promise<() => Promise<unknown>>;

/** What is prepared with `of`, then run. */
async function measure<W>(
  meter: Meter,
  operations: Readonly<Record<string, (of: W) => Promise<() => Promise<unknown>>>>,
  of: W,
): Promise<[name: string, billed: Billed][]> {
  const found: [string, Billed][] = [];
  for (const [name, prepare] of Object.entries(operations)) {
    const run = await prepare(of);
    found.push([name, await meter.of(run)]);
  }
  return found;
}

async function measureAll(): Promise<Record<string, Billed>> {
  const meter = new Meter();
  const onClient = (client: AwsClient) => meter.follow(client);
  const { registry } = createAwsRegistry(process.env, { onClient });
  const app = createApp({ registry });
  const behind = createAwsRegistry({ ...process.env, STOWAGE_FRONT_SECRET_SHA256: 'secret' }, { onClient });
  const appBehind = createApp({ registry: behind.registry }); // without its door: that asks AWS for nothing
  const image = newImage(1, 100_000);
  await pushImage(app, 'calls/image', image);
  await send(app, `GET ${BLOB}/${sha256(layer(image))}`, 307); // the policies are read once a minute
  const plain = await measure(meter, OPERATIONS, { app, image });
  await pushImage(app, 'calls/front', image);
  const front = await measure(meter, BEHIND_A_FRONT_DOOR, { app: appBehind, image });
  const jobs = await measure(meter, WITHOUT_A_REQUEST, { app: appBehind, registry: behind.registry });
  await putPolicy(registry, { name: 'quota', repositories: ['calls/*'], quota: QUOTA });
  await pushImage(app, 'calls/image', newImage(1, 10));
  const quota = await measure(meter, UNDER_A_QUOTA, { app, image });
  await deletePolicy(registry, 'quota');
  const looks = await measure(meter, LOOKS, { app, image });
  const ring = [newSigningKey(Date.now())];
  const keys = { keys: async () => ring, reload: async () => ring };
  const authentication = new Authentication({ registry, keys, workloads: new IdTokenVerifier() });
  const world = { app: createApp({ registry, authentication }), seed: { registry, workloads: new Map() } };
  const logins = await measure(meter, LOGINS, world);
  return Object.fromEntries([...plain, ...front, ...jobs, ...quota, ...logins, ...looks]);
}

describe.runIf(stores)('docs/aws-calls.md and cli/cost/measured.json', () => {
  it('tell what each operation asks of AWS, and what is billed for it', { timeout: 120_000 }, async () => {
    for (const [name, value] of Object.entries(stores?.environment ?? {})) vi.stubEnv(name, value);
    const operations = await measureAll();
    if (process.env['STOWAGE_WRITE_CALLS']) writeMeasured(operations);
    expect(measuredInFile()).toEqual(operations);
    expect(measuredOnPage()).toBe(pageTable(operations));
  });

  it('counters of downloads and their limits cost less than a hundredth of the bytes that they count', {
    timeout: 120_000,
  }, async () => {
    for (const [name, value] of Object.entries(stores?.environment ?? {})) vi.stubEnv(name, value);
    const meter = new Meter();
    const { registry } = createAwsRegistry(process.env, { onClient: (client) => meter.follow(client) });
    const { downloads, ...uncounted } = registry;
    const image = newImage(1, 100_000);
    await pushImage(createApp({ registry }), 'calls/counted', image);
    const name = 'calls-downloads';
    await putPolicy(registry, {
      name,
      repositories: ['calls/counted'],
      downloads: { anonymous: 1e9, all: 1e10 },
    });
    const blob = `GET /v2/calls/counted/blobs/${sha256(layer(image))}`;
    const billed = (of: Registry) =>
      meter.of(async () => {
        const app = createApp({ registry: of });
        for (let count = 0; count < DOWNLOADS; count += 1) await send(app, blob, 307);
      });
    const [without, counted] = [
      await billed(uncounted),
      await billed({ ...uncounted, ...(downloads && { downloads }) }),
    ];
    await deletePolicy(registry, name);
    const { reads, writes, egress } = LIST_PRICES.items;
    const dollars = (price: typeof reads, units: number) => (units * price.price) / price.per;
    const more =
      dollars(reads, counted.reads - without.reads) + dollars(writes, counted.writes - without.writes);
    expect(counted.writes - without.writes).toBeGreaterThan(0);
    expect(more).toBeLessThan(0.01 * dollars(egress, (DOWNLOADS * layer(image).length) / 2 ** 30));
  });
});
