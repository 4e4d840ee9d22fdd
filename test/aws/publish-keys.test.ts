import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, beforeEach, describe, expect, it, type Mock, onTestFinished, vi } from 'vitest';
import { AccessTokens } from '../../functions/auth/access-token.ts';
import { decodeKeyRing, encodeKeyRing, newSigningKey } from '../../functions/auth/signing-keys.ts';
import { SERVICE } from '../../functions/auth/token-claims.ts';
import { createAwsRegistry } from '../../functions/aws.ts';
import { ENV, FRONT_STORE_KEY } from '../../functions/environment.ts';
import { FUNCTION_BUNDLING } from '../../lib/bundle.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';
import { type KvsFault, startKvs } from './kvs/server.ts';
import { type Fault, startS3Server } from './s3/server.ts';
import { startSsm } from './ssm/server.ts';

// The job's entry point where there is a front door and a stream host. It waits between attempts, which nobody has to
// sit through here.
vi.mock('node:timers/promises', () => ({ setTimeout: async () => undefined }));

const ROOT = join(import.meta.dirname, '../..');
const NAME = '/stowage/test/signing-keys';
const OBJECT = 'keys/signing-keys';
const credentials = { accessKeyId: 'AKIASTOWAGE', secretAccessKey: 'only-on-this-machine' };

let kvsFault: ((operation: string) => KvsFault | undefined | Promise<undefined>) | undefined;
let s3Fault: ((operation: string) => Fault | undefined | Promise<undefined>) | undefined;
const directory = await mkdtemp(join(tmpdir(), 'stowage-keys-'));
const ssm = await startSsm();
const kvs = await startKvs({ credentials, before: (operation) => kvsFault?.(operation) });
const s3 = await startS3Server({
  directory,
  credentials,
  region: 'us-east-1',
  bucket: 'stowage',
  before: async ({ operation }) => await s3Fault?.(operation),
});

const place = {
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  [ENV.bucket]: 'stowage',
  [ENV.bucketEndpoint]: s3.url,
  [ENV.keysObject]: OBJECT,
};

let stdout: Mock<typeof process.stdout.write>;
let run: (event: unknown) => Promise<number>;

beforeAll(async () => {
  const environment = {
    ...place,
    [ENV.signingKeys]: NAME,
    [ENV.signingKeysEndpoint]: ssm.url,
    [ENV.frontStore]: kvs.arn,
    [ENV.frontStoreEndpoint]: kvs.url,
  };
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  stdout = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const { handler } = await import('../../functions/rotate-keys.ts');
  const context = { awsRequestId: 'i-1', getRemainingTimeInMillis: () => 60_000 };
  run = (event) => handler(event as never, context as never);
});
beforeEach(async () => {
  kvsFault = undefined;
  s3Fault = undefined;
  ssm.parameters.clear();
  kvs.clear();
  await object().delete();
  stdout.mockClear();
});
afterAll(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await Promise.all([ssm.close(), kvs.close(), s3.close()]);
  await rm(directory, { recursive: true });
});

/** The object, as somebody with a client of their own sees it. */
function object() {
  const at = { Bucket: 'stowage', Key: OBJECT };
  const client = import('../../functions/storage/s3/s3-client.ts').then(({ s3Client }) =>
    s3Client({ endpoint: s3.url, requestHandler: {} }),
  );
  const sdk = import('@aws-sdk/client-s3');
  return {
    async text() {
      const { Body } = await (await client).send(new (await sdk).GetObjectCommand(at));
      return (await Body?.transformToString()) ?? '';
    },
    async write(Body: string) {
      await (await client).send(new (await sdk).PutObjectCommand({ ...at, Body }));
    },
    async delete() {
      await (await client).send(new (await sdk).DeleteObjectCommand(at));
    },
  };
}

const ring = () => decodeKeyRing(ssm.parameters.get(NAME) ?? '');
const front = () => JSON.parse(kvs.values.get(FRONT_STORE_KEY) ?? '{}') as unknown;
const toldToTheFront = (keys = ring()) => ({
  keys: keys.map(({ id, secret }) => ({ id, secret: Buffer.from(secret).toString('base64url') })),
});
const lines = () => stdout.mock.calls.map(([line]) => JSON.parse(`${line}`) as Record<string, unknown>);
const callsTo = async (action: () => Promise<unknown>) => {
  const [kvsBefore, s3Before] = [kvs.calls.length, s3.calls.length];
  await action();
  return [...kvs.calls.slice(kvsBefore), ...s3.calls.slice(s3Before).map(({ operation }) => operation)];
};

/** Once, when an operation arrives for the first time. */
const once = (name: string, action: () => void) => {
  let isDone = false;
  return (operation: string) => {
    if (operation === name && !isDone) {
      isDone = true;
      action();
    }
    return undefined;
  };
};

describe('a run of rotate-keys', () => {
  it('tells the front door and the stream host of the first keys', async () => {
    expect(await run(null)).toBe(1);
    expect(front()).toEqual(toldToTheFront());
    expect(decodeKeyRing(await object().text())).toEqual(ring());
  });

  it('writes nothing where nothing has changed', async () => {
    await run(null);
    const calls = await callsTo(() => run({}));
    expect(calls).toEqual(['DescribeKeyValueStore', 'GetKey', 'GetObject']);
  });

  it('tells of a rotation at once, and of none of the old keys where all of them are to go', async () => {
    await run(null);
    const [first] = ring();
    await run({ rotate: 'now' });
    expect(front()).toEqual(toldToTheFront());
    expect(ring()).toHaveLength(2);
    await run({ rotate: 'all' });
    expect(front()).toEqual(toldToTheFront());
    expect(kvs.values.get(FRONT_STORE_KEY)).not.toContain(first?.id);
    expect(await object().text()).not.toContain(first?.id);
  });

  it('mends what somebody has deleted or written over', async () => {
    await run(null);
    kvs.clear();
    await object().write('nonsense');
    expect(await run({})).toBe(0);
    expect(front()).toEqual(toldToTheFront());
    expect(decodeKeyRing(await object().text())).toEqual(ring());
  });

  it.each([
    ['permissions that a deployment has only just given', 'AccessDeniedException'],
    ['a store that it has only just made', 'ResourceNotFoundException'],
    ['a store that is still being made', 'ConflictException'],
  ] as const)('waits for %s', async (_, code) => {
    let denials = 5;
    kvsFault = () => (denials-- > 0 ? { code } : undefined);
    expect(await run(null)).toBe(1);
    expect(ring()).toHaveLength(1);
    expect(front()).toEqual(toldToTheFront());
  });
});

describe('rotate-keys as it is deployed', () => {
  it('can sign for CloudFront, which its bundle brings along', { timeout: 30_000 }, async () => {
    const outdir = await scratch();
    const entryPoints = { index: 'functions/rotate-keys.ts' };
    await build({ ...FUNCTION_BUNDLING, absWorkingDir: ROOT, entryPoints, outdir });
    const { handler } = (await import(join(outdir, 'index.mjs'))) as {
      handler: (...all: unknown[]) => Promise<number>;
    };
    const context = { awsRequestId: 'i-1', getRemainingTimeInMillis: () => 60_000 };
    expect(await handler(null, context)).toBe(1);
    expect(front()).toEqual(toldToTheFront());
  });
});

describe('a run of rotate-keys that cannot publish', () => {
  it('fails loudly, with the new keys safe and all other copies made; the next run makes this one', async () => {
    kvsFault = () => ({ code: 'InternalServerException' });
    await expect(run(null)).rejects.toThrow(`not published to the front door's store ${kvs.arn}`);
    expect(lines()).toMatchObject([{ level: 'error', error: expect.stringMatching('InternalServer') }]);
    expect(decodeKeyRing(await object().text())).toEqual(ring());
    kvsFault = undefined;
    expect(await run({})).toBe(0);
    expect(front()).toEqual(toldToTheFront());
  });

  it('tells of each copy that it could not make, and of no key', async () => {
    kvsFault = () => ({ code: 'AccessDeniedException' });
    s3Fault = () => ({ status: 500, code: 'InternalError' });
    await expect(run(null)).rejects.toThrow(/front door's store .*AccessDenied.*nor to s3:\/\/stowage\/keys/);
    const logged = stdout.mock.calls.join('');
    for (const { id, secret } of ring()) {
      expect(logged).not.toContain(id);
      expect(logged).not.toContain(Buffer.from(secret).toString('base64url'));
    }
  });

  it('replaces nothing that somebody else writes at the same moment, and fails; the next run mends it', async () => {
    await run(null);
    await run({ rotate: 'now' });
    kvsFault = once('PutKey', () => kvs.put(FRONT_STORE_KEY, 'by somebody else'));
    await expect(run({ rotate: 'all' })).rejects.toThrow('somebody else published other keys');
    expect(kvs.values.get(FRONT_STORE_KEY)).toBe('by somebody else');
    await run({});
    expect(front()).toEqual(toldToTheFront());
  });

  it('does not replace an object that somebody else writes at the same moment either', async () => {
    await run(null);
    const other = encodeKeyRing([newSigningKey(Date.now())]);
    let isWritten = false;
    s3Fault = async (operation) => {
      if (operation !== 'PutObject' || isWritten) return undefined;
      isWritten = true;
      await object().write(other);
    };
    await expect(run({ rotate: 'now' })).rejects.toThrow('somebody else published other keys');
    expect(await object().text()).toBe(other);
  });
});

describe('two runs of rotate-keys at once', () => {
  it('do not fail where both publish the same', async () => {
    await run(null);
    kvs.clear();
    kvsFault = once('PutKey', () => kvs.put(FRONT_STORE_KEY, JSON.stringify(toldToTheFront())));
    expect(await run({})).toBe(0);
  });

  it('leave the newer keys: a run reads them after the version that it replaces', async () => {
    await run(null);
    const newer = [newSigningKey(Date.now()), ...ring()];
    kvs.clear();
    kvsFault = once('GetKey', () => ssm.parameters.set(NAME, encodeKeyRing(newer)));
    await run({});
    expect(front()).toEqual(toldToTheFront(newer));
  });

  it('are not seen in a write whose answer was lost', async () => {
    let isLost = false;
    kvsFault = (operation) => {
      if (operation !== 'PutKey' || isLost) return undefined;
      isLost = true;
      return 'answer lost';
    };
    expect(await run(null)).toBe(1);
    expect(kvs.calls.slice(-3)).toEqual(['PutKey', 'DescribeKeyValueStore', 'GetKey']);
    expect(front()).toEqual(toldToTheFront());
  });
});

describe('a registry that is told of the copy', () => {
  const environment = { ...place, [ENV.table]: 'table', [ENV.signingKeys]: NAME };

  it('reads its keys there and not from SSM, and goes on with them while S3 does not answer', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    await run(null);
    const before = ssm.calls.length;
    const { keys } = createAwsRegistry(environment);
    expect(await keys?.keys()).toEqual(ring());
    s3Fault = () => ({ status: 500, code: 'InternalError' });
    vi.setSystemTime(Date.now() + 5 * 60_000);
    expect(await keys?.keys()).toEqual(ring());
    s3Fault = undefined;
    vi.setSystemTime(Date.now() + 60_000);
    await run({ rotate: 'all' });
    expect(await keys?.reload()).toEqual(ring());
    expect(ssm.calls.slice(before).filter((call) => call === 'GetParameter')).toHaveLength(3); // the job's own
  });

  it('says where there should be keys', async () => {
    await expect(createAwsRegistry(environment).keys?.keys()).rejects.toThrow(
      `there are no signing keys to read in s3://stowage/${OBJECT}`,
    );
  });

  it('takes tokens of these keys where it runs as a server of its own', { timeout: 30_000 }, async () => {
    await run(null);
    const registry = await RegistryProcess.start(await scratch(), {
      ...place,
      STOWAGE_STORE: 'aws',
      [ENV.table]: `table-${randomBytes(4).toString('hex')}`,
      [ENV.tableEndpoint]: 'http://127.0.0.1:9', // nothing here asks it
    });
    onTestFinished(() => registry.stop('SIGKILL'));
    const tokens = new AccessTokens({
      keys: { keys: async () => ring(), reload: async () => ring() },
      service: SERVICE,
      now: Date.now,
      newId: () => 'id',
    });
    const { text } = await tokens.issue({ principal: 'user:alice', credential: 'p', access: [] } as never);
    const ping = (token: string) =>
      fetch(`${registry.url}/v2/`, { headers: { Authorization: `Bearer ${token}` } });
    expect((await ping(text)).status).toBe(200);
    expect((await ping(`${text.slice(0, -4)}AAAA`)).status).toBe(401);
  });
});
