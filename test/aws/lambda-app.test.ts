import { rm } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, type Mock, vi } from 'vitest';
import { handler } from '../../functions/api.ts';
import { handler as expire } from '../../functions/expire.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { blob } from '../wire/content.ts';
import { runWireTable } from '../wire/run.ts';
import { type Gateway, startGateway } from './gateway/gateway.ts';

// The Lambda entry points themselves behind the gateway, on the embedded stores instead of AWS's.

const embedded = vi.hoisted(() => ({}) as { registry: Registry; close(): Promise<void>; data: string });

vi.mock('../../functions/aws.ts', async (importOriginal) => {
  const { mkdtemp } = await import('node:fs/promises');
  const { tmpdir } = await import('node:os');
  const { openEmbedded } = await import('../../local/embedded.ts');
  const data = await mkdtemp(`${tmpdir()}/stowage-lambda-`);
  Object.assign(process.env, { STOWAGE_OPEN: '1', STOWAGE_DYNAMODB_ENDPOINT: 'none' });
  Object.assign(embedded, await openEmbedded({ data }), { data });
  const actual = await importOriginal<object>();
  return { ...actual, createAwsRegistry: () => ({ registry: embedded.registry, callsMade: () => 0 }) };
});

let stdout: Mock<typeof process.stdout.write>;

beforeEach(() => {
  stdout = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
});
afterEach(() => {
  vi.restoreAllMocks();
});
afterAll(async () => {
  await embedded.close();
  await rm(embedded.data, { recursive: true });
});

/** The lines that functions have written during this test. */
const lines = () => stdout.mock.calls.map(([line]) => JSON.parse(`${line}`) as Record<string, unknown>);

function gateway(options: Omit<Parameters<typeof startGateway>[0], 'handler'> = {}) {
  let started: Gateway | undefined;
  beforeAll(async () => {
    started = await startGateway({ handler, ...options });
  });
  afterAll(async () => {
    await started?.close();
  });
  return {
    fetch: async (path: string, init?: RequestInit) => await fetch(new URL(path, started?.url), init),
  };
}

describe.each([
  { about: 'that hands text types out as text', textTypes: true },
  { about: 'that hands every body out as base64', textTypes: false },
])('the Lambda function behind a gateway $about', ({ textTypes }) => {
  runWireTable(gateway({ textTypes }));
});

/** Pushes `bytes` in chunks that pass the gateway, and answers the blob's path. */
async function pushChunks({ fetch }: ReturnType<typeof gateway>, repository: string, bytes: Uint8Array) {
  const chunk = 3 * 1024 * 1024;
  const opened = await fetch(`/v2/${repository}/blobs/uploads/`, { method: 'POST' });
  let location = opened.headers.get('location') ?? '';
  for (let start = 0; start < bytes.length; start += chunk) {
    const body = bytes.subarray(start, start + chunk) as Uint8Array<ArrayBuffer>;
    const patched = await fetch(location, { method: 'PATCH', body });
    expect(patched.status).toBe(202);
    location = patched.headers.get('location') ?? '';
  }
  const { digest } = blob(bytes);
  expect((await fetch(`${location}?digest=${digest}`, { method: 'PUT' })).status).toBe(201);
  return `/v2/${repository}/blobs/${digest}`;
}

describe('the Lambda function', () => {
  const client = gateway();

  it('writes one line for each request, of which CloudWatch makes no metric', async () => {
    const path = '/v2/team/image/manifests/v1?secret=1';
    const { headers } = await client.fetch(path, { headers: { 'User-Agent': 'probe/1' } });
    expect(lines()).toEqual([
      {
        time: expect.stringMatching(/^\d{4}-.*Z$/),
        level: 'info',
        requestId: headers.get('x-request-id'),
        invocationId: expect.any(String),
        method: 'GET',
        operation: 'manifest.get',
        repository: 'team/image',
        principal: 'everybody',
        userAgent: 'probe/1',
        status: 404,
        calls: 0,
        milliseconds: expect.any(Number),
      },
    ]);
  });

  it('says in the log why it answered 500, and not to the client', async () => {
    const cause = new Error('authorization: Bearer 5ec2e7.a-b_c was refused');
    vi.spyOn(embedded.registry.table, 'get').mockRejectedValue(
      new Error('cannot reach https://table.test/?X-Amz-Signature=5ec2e7', { cause }),
    );
    const response = await client.fetch('/v2/team/image/manifests/v1');
    const text = await response.text();
    expect([response.status, response.headers.get('docker-distribution-api-version')]).toEqual([
      500,
      'registry/2.0',
    ]);
    expect(text).not.toContain('cannot reach');
    const [line] = lines();
    expect(line).toMatchObject({ level: 'error', operation: 'manifest.get', status: 500 });
    expect(line?.['error']).toMatch(/cannot reach https:\/\/table\.test\/\?…\n +at /);
    expect(line?.['error']).toMatch(/caused by: Error: authorization: Bearer … was refused\n +at /);
    expect(JSON.stringify(lines())).not.toContain('5ec2e7');
  });

  it('answers 500 where a body is larger than an answer may be, and says so in the log', async () => {
    const path = await pushChunks(client, 'team/large', new Uint8Array(6 * 1024 * 1024));
    stdout.mockClear();
    const response = await client.fetch(path);
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ errors: [{ message: expect.stringMatching('internal') }] });
    expect(lines()).toMatchObject([{ operation: 'blob.get', error: expect.stringMatching('does not fit') }]);
  });

  it('answers a part of such a body', async () => {
    const path = await pushChunks(client, 'team/parts', new Uint8Array(5 * 1024 * 1024).fill(7));
    const response = await client.fetch(path, { headers: { Range: 'bytes=10-19' } });
    expect(response.status).toBe(206);
    expect(await response.bytes()).toEqual(new Uint8Array(10).fill(7));
  });
});

describe('the Lambda function, about to time out', () => {
  const client = gateway({ timeoutMilliseconds: 700 });

  it('answers and logs before it is ended', async () => {
    vi.spyOn(embedded.registry.table, 'get').mockReturnValue(new Promise(() => undefined));
    const response = await client.fetch('/v2/team/image/manifests/v1');
    expect(response.status).toBe(500);
    expect(lines()).toMatchObject([
      { operation: 'manifest.get', repository: 'team/image', error: expect.stringMatching('aborted') },
    ]);
  });
});

describe('the Lambda function behind a gateway that recomputes Content-Length on HEAD', () => {
  const client = gateway({ contentLengthOnHead: 'recomputed' });

  it('keeps the length where the app gives HEAD the body of GET', async () => {
    const response = await client.fetch('/v2/', { method: 'HEAD' });
    expect(response.headers.get('content-length')).toBe('2');
  });

  it('loses the length of a blob, which is answered from metadata alone', async () => {
    const path = await pushChunks(client, 'team/head', new Uint8Array(10));
    const response = await client.fetch(path, { method: 'HEAD' });
    expect(response.headers.get('content-length')).toBe('0');
  });
});

describe('the scheduled deletion', () => {
  const event = {} as Parameters<typeof expire>[0];
  const context = { awsRequestId: 'i-1' } as Parameters<typeof expire>[1];

  it('tells how many objects went', async () => {
    vi.spyOn(embedded.registry, 'now').mockReturnValue(Date.now() + 30 * 24 * 60 * 60_000);
    const deleted = await expire(event, context);
    expect(lines()).toMatchObject([
      {
        level: 'info',
        job: 'expire',
        invocationId: 'i-1',
        objectsDeleted: deleted,
      },
    ]);
    expect(deleted).toBeGreaterThan(0); // what the wire table opened and left
  });

  it('logs a failure, and stays failed', async () => {
    vi.spyOn(embedded.registry.table, 'query').mockRejectedValue(new Error('no table'));
    await expect(expire(event, context)).rejects.toThrow('no table');
    expect(lines()).toMatchObject([
      { level: 'error', job: 'expire', error: expect.stringMatching('no table\n +at ') },
    ]);
    expect(lines()[0]).not.toHaveProperty('objectsDeleted');
  });
});
