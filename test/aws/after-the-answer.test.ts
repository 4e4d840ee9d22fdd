import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type App, createApp } from '../../functions/app.ts';
import { Authentication } from '../../functions/auth/authentication.ts';
import { IdTokenVerifier } from '../../functions/auth/id-tokens.ts';
import { TableKeys } from '../../functions/auth/table-keys.ts';
import { createAwsRegistry } from '../../functions/aws.ts';
import { ENV } from '../../functions/environment.ts';
import { authorityOf } from '../../functions/identity/grants.ts';
import { setGrant } from '../../functions/identity/subject-grants.ts';
import { discard, drainOutbox, rescue } from '../../functions/registry/outbox.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import type { ObjectKey } from '../../functions/storage/blob-store.ts';
import { PRINCIPALS, sendAs } from '../auth/world.ts';
import { type Image, manifestOf, newImage, pushImage, send, sha256 } from './client.ts';
import { type HoldingProxy, startHoldingProxy } from './holding-proxy.ts';
import { startAwsStores } from './stores.ts';

// A process that has told its client an error stands still, others go on, and then it is woken: docs/concurrency.md,
// "Nobody acts after the answer".

let atS3: ((operation: string) => Promise<void>) | undefined;
const before = async ({ operation }: { operation: string }) => void (await atS3?.(operation));
const stores = await startAwsStores(undefined, { s3: { before: before as never } });
if (!stores && process.env['STOWAGE_REQUIRE_CLIENTS']) throw new Error('no DynamoDB server is installed');
if (!stores) console.warn('skipped: what is done after an answer; no DynamoDB server is installed');
afterAll(() => stores?.stop());

const environment = stores?.environment ?? {};
const TYPE = 'application/vnd.oci.image.manifest.v1+json';
const REPOSITORY = 'late/app';
const MANIFESTS = `/v2/${REPOSITORY}/manifests`;

/** The instance that is cut off, whose calls to DynamoDB can be held, and one that goes on. */
interface Instances {
  readonly proxy: HoldingProxy;
  readonly first: Instance;
  readonly second: Instance;
}

interface Instance {
  readonly registry: Registry;
  readonly app: App;
}

async function openInstances(): Promise<Instances> {
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  const proxy = await startHoldingProxy(environment[ENV.tableEndpoint] ?? '');
  const instance = (endpoint: string): Instance => {
    const { registry } = createAwsRegistry({ ...environment, [ENV.tableEndpoint]: endpoint });
    const keys = new TableKeys(registry);
    const authentication = new Authentication({ registry, keys, workloads: new IdTokenVerifier() });
    return { registry, app: createApp({ registry, authentication }) };
  };
  return { proxy, first: instance(proxy.url), second: instance(environment[ENV.tableEndpoint] ?? '') };
}

const ADMIN = [{ pattern: '*', actions: ['admin'] }] as const;

describe.runIf(stores)('whoever was told an error changes nothing later', () => {
  let instances: Instances;
  beforeAll(async () => {
    instances = await openInstances();
    const seed = { registry: instances.second.registry, workloads: new Map() };
    await PRINCIPALS.user(seed, 'root', ADMIN);
    await PRINCIPALS.user(seed, 'alice', []);
  });
  afterAll(() => instances?.proxy.stop());

  const root = { username: 'root', password: 'correct horse battery staple' };
  const as = (instance: Instance, call: string, init: RequestInit = {}) => {
    const [method = '', path = ''] = call.split(' ');
    return sendAs(instance, root, path, { ...init, method });
  };
  const appOf = (instance: Instance): App => {
    return async (request) => {
      const { pathname, search } = new URL(request.url);
      const body = request.method === 'GET' ? {} : { body: await request.arrayBuffer() };
      const type = { 'Content-Type': request.headers.get('content-type') ?? '' };
      return as(instance, `${request.method} ${pathname}${search}`, { ...body, headers: type });
    };
  };
  const put = (instance: Instance, image: Image, tag: string, init: RequestInit = {}) =>
    as(instance, `PUT ${MANIFESTS}/${tag}`, {
      ...init,
      body: manifestOf(image),
      headers: { 'Content-Type': TYPE },
    });
  const digestOf = (image: Image) => sha256(Buffer.from(manifestOf(image)));
  const onTag = async (tag: string) => {
    const { headers } = await as(instances.second, `HEAD ${MANIFESTS}/${tag}`);
    return headers.get('docker-content-digest');
  };
  const newPushed = async () => {
    const image = newImage(1, 100);
    await pushImage(appOf(instances.second), REPOSITORY, image);
    return image;
  };

  /** `act` gets no further than the call held; its client is told an error; `meanwhile` happens; then it is woken. */
  async function cutOff(
    [operation, text]: readonly [string, string],
    act: (first: Instance, signal: AbortSignal) => Promise<Response>,
    meanwhile: (second: Instance) => Promise<Response>,
  ): Promise<void> {
    const { proxy, first, second } = instances;
    const timeout = new AbortController();
    const holding = proxy.hold(operation, text);
    const acting = act(first, timeout.signal);
    const held = await holding;
    timeout.abort();
    expect((await acting).status).toBe(500);
    expect((await meanwhile(second)).status).toBeLessThan(300);
    const before = proxy.trace.length;
    held.drop();
    await first.registry.table.get({ partition: 'none', sort: 'none' }); // all that was to come has come
    expect(proxy.trace.slice(before)).toEqual(['GetItem']);
  }

  it('a push that times out leaves the tag to the push after it', async () => {
    const [older, newer] = [await newPushed(), await newPushed()];
    await cutOff(
      ['TransactWriteItems', 'T#latest'],
      (first, signal) => put(first, older, 'latest', { signal }),
      (second) => put(second, newer, 'latest'),
    );
    expect(await onTag('latest')).toBe(digestOf(newer));
  });

  it('a delete that times out does not take what is pushed again', async () => {
    const image = await newPushed();
    const digest = digestOf(image);
    await cutOff(
      ['TransactWriteItems', `M#${digest}`],
      (first, signal) => as(first, `DELETE ${MANIFESTS}/${digest}`, { signal }),
      (second) => put(second, image, 'again'),
    );
    expect(await onTag('again')).toBe(digest);
  });

  it('a grant that times out does not come back after it is withdrawn', async () => {
    const grant = { subject: 'user:alice', pattern: '*', actions: ['admin'] };
    await cutOff(
      ['TransactWriteItems', 'user:alice'],
      (first, signal) =>
        as(first, 'PUT /api/v1/grants', {
          signal,
          body: JSON.stringify(grant),
          headers: { 'Content-Type': 'application/json' },
        }),
      async (second) => {
        const admin = authorityOf([{ pattern: '*', actions: ['admin'] }]);
        await setGrant(second.registry, 'user:alice', { pattern: 'team/*', actions: ['pull'] }, admin);
        return new Response();
      },
    );
    const answer = await as(instances.second, 'GET /api/v1/grants?subject=user:alice');
    expect(await answer.json()).toMatchObject({ grants: [{ pattern: 'team/*' }] });
  });

  it('a layer that times out on its way to S3 is not there', async () => {
    await newPushed();
    const layer = newImage(1, 100).layers[0] ?? Buffer.of();
    const [reached, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { proxy, first, second } = instances;
    const opened = await as(first, `POST /v2/${REPOSITORY}/blobs/uploads/`);
    const path = `${opened.headers.get('location')}?digest=${sha256(layer)}`;
    atS3 = async (operation) => {
      if (operation !== 'PutObject') return;
      reached.resolve();
      await gate.promise;
    };
    const timeout = new AbortController();
    const putting = as(first, `PUT ${path}`, { body: layer, signal: timeout.signal });
    await reached.promise;
    const before = proxy.trace.length;
    timeout.abort();
    expect((await putting).status).toBe(500);
    gate.resolve();
    atS3 = undefined;
    expect(proxy.trace.slice(before)).toEqual([]);
    expect((await as(second, `HEAD /v2/${REPOSITORY}/blobs/${sha256(layer)}`)).status).toBe(404);
    expect((await as(second, `PUT ${path}`, { body: layer })).status).toBe(201);
  });

  it('nor does it read on', async () => {
    await newPushed();
    await cutOff(
      ['Query', REPOSITORY],
      (first, signal) => as(first, `GET /v2/${REPOSITORY}/tags/list`, { signal }),
      async () => new Response(),
    );
  });
});

/** Less than the time after which a call without an answer is given up by itself, and repeated. */
const timeout = 10_000;

describe.runIf(stores)('the Lambda function that times out', () => {
  let proxy: HoldingProxy;
  beforeAll(async () => {
    proxy = await startHoldingProxy(environment[ENV.tableEndpoint] ?? '');
    const own = { ...environment, [ENV.tableEndpoint]: proxy.url, [ENV.open]: '1' };
    for (const [name, value] of Object.entries(own)) vi.stubEnv(name, value);
  });
  afterEach(() => vi.restoreAllMocks());
  afterAll(async () => {
    vi.unstubAllEnvs();
    await proxy?.stop();
  });

  it('is cut off at that moment, logs it once, and does nothing when woken', { timeout }, async () => {
    const stdout = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    const { handler } = await import('../../functions/api.ts');
    const { registry } = createAwsRegistry(environment);
    const app = createApp({ registry });
    const [older, newer] = [newImage(0, 0), newImage(0, 0)];
    await pushImage(app, 'late/lambda', older);
    const invoke = (method: string, path: string, remainingMs: number, body = '') =>
      handler(eventOf(method, path, body) as never, contextOf(remainingMs) as never);
    expect(await invoke('GET', '/v2/', 30_000)).toMatchObject({ statusCode: 200 });
    stdout.mockClear();
    const holding = proxy.hold('TransactWriteItems', 'T#latest');
    const answering = invoke('PUT', '/v2/late/lambda/manifests/latest', 1500, manifestOf(older));
    const held = await holding;
    expect(await answering).toMatchObject({ statusCode: 500 });
    await held.gone;
    await pushImage(app, 'late/lambda', { ...newer, tag: 'latest' });
    const before = proxy.trace.length;
    expect(await invoke('GET', '/v2/', 30_000)).toMatchObject({ statusCode: 200 });
    await setImmediate();
    expect(proxy.trace.slice(before)).toEqual([]);
    const lines = stdout.mock.calls.map(([line]) => JSON.parse(`${line}`) as Record<string, unknown>);
    expect(lines).toMatchObject([
      { operation: 'manifest.put', status: 500, error: expect.stringMatching('aborted') },
      { status: 200 },
    ]);
    const { headers } = await send(app, 'HEAD /v2/late/lambda/manifests/latest', 200);
    expect(headers.get('docker-content-digest')).toBe(sha256(Buffer.from(manifestOf(newer))));
  });
});

describe.runIf(stores)('a scheduled function that times out', () => {
  let proxy: HoldingProxy;
  beforeAll(async () => {
    proxy = await startHoldingProxy(environment[ENV.tableEndpoint] ?? '');
    for (const [name, value] of Object.entries({ ...environment, [ENV.tableEndpoint]: proxy.url }))
      vi.stubEnv(name, value);
  });
  afterAll(async () => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    await proxy?.stop();
  });

  it('is cut off at that moment: a drain deletes nothing that was rescued since', { timeout }, async () => {
    vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    const { handler } = await import('../../functions/expire.ts');
    const { registry } = createAwsRegistry(environment);
    const objectKey = `blobs/${randomUUID()}` as ObjectKey;
    const due = Date.now() - 1000;
    await registry.table.write([discard(objectKey, due)]);
    await registry.blobs.put(objectKey, Buffer.from('bytes'));
    const holding = proxy.hold('TransactWriteItems', objectKey);
    const draining = handler({} as never, contextOf(2000) as never).catch((error: Error) => error.message);
    const held = await holding;
    expect(await draining).toMatch('aborted');
    await held.gone;
    expect(await registry.table.write([rescue(objectKey, due)])).toEqual({ committed: true });
    await setImmediate();
    expect(proxy.trace.at(-1)).toBe('TransactWriteItems'); // the one that was held
    expect(await registry.blobs.read({ objectKey, size: 5 })).toBeDefined();
  });
});

const contextOf = (remainingMs: number) => ({
  awsRequestId: 'i-1',
  getRemainingTimeInMillis: () => remainingMs,
});

const eventOf = (method: string, path: string, body: string) => ({
  version: '2.0',
  rawPath: path,
  rawQueryString: '',
  headers: { 'content-type': TYPE },
  requestContext: { requestId: 'r', http: { method, path, sourceIp: '127.0.0.1', userAgent: 'test' } },
  ...(body && { body }),
});

describe.runIf(stores)(
  'an attempt of a write that is carried out late, after its repetition and what followed',
  () => {
    let instances: Instances;
    beforeAll(async () => {
      instances = await openInstances();
    });
    afterAll(() => instances?.proxy.stop());

    it.each(['PutItem', 'TransactWriteItems'])(
      'does not bring an outbox entry back (%s)',
      async (operation) => {
        const { proxy, first } = instances;
        const app = createApp({ registry: first.registry });
        const image = newImage(1, 100);
        await pushImage(app, 'late/large', image);
        const large = manifestOf(image).replace('{', `{"annotations":{"x":"${'x'.repeat(20_000)}"},`);
        const holding = proxy.hold(operation, '"X#');
        const headers = { 'Content-Type': TYPE };
        const pushing = send(app, 'PUT /v2/late/large/manifests/large', 201, { body: large, headers });
        const held = await Promise.race([holding, pushing.then(() => undefined)]);
        held?.drop();
        await pushing;
        await held?.carryOut();
        const tomorrow = { ...first.registry, now: () => Date.now() + 25 * 60 * 60_000 };
        await drainOutbox(tomorrow);
        const pulled = await send(app, 'GET /v2/late/large/manifests/large', 200);
        expect(await pulled.text()).toBe(large);
      },
    );
  },
);
