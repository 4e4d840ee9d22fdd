import { afterAll, beforeAll, beforeEach, describe, expect, it, type Mock, vi } from 'vitest';
import { decodeKeyRing } from '../../functions/auth/signing-keys.ts';
import { UntilAllowed } from '../../functions/aws-permissions.ts';
import { ENV } from '../../functions/environment.ts';
import { startSsm } from './ssm/server.ts';

// The Lambda entry point itself. It waits between attempts, which nobody has to sit through here.
vi.mock('node:timers/promises', () => ({ setTimeout: async () => undefined }));

const NAME = '/stowage/test/signing-keys';

/** How many calls SSM will still refuse for lack of a permission. */
let denials = 0;
const ssm = await startSsm({
  before: () => (denials-- > 0 ? { code: 'AccessDeniedException' } : undefined),
});

let stdout: Mock<typeof process.stdout.write>;
let run: (event: unknown) => Promise<number>;

beforeAll(async () => {
  vi.stubEnv('AWS_REGION', 'us-east-1');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIASTOWAGE');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'only-on-this-machine');
  vi.stubEnv(ENV.signingKeys, NAME);
  vi.stubEnv(ENV.signingKeysEndpoint, ssm.url);
  stdout = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const { handler } = await import('../../functions/rotate-keys.ts');
  const context = { awsRequestId: 'i-1', getRemainingTimeInMillis: () => 30_000 };
  run = (event) => handler(event as never, context as never);
});
beforeEach(() => {
  stdout.mockClear();
  ssm.parameters.clear();
  denials = 0;
});
afterAll(async () => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  await ssm.close();
});

const lines = () => stdout.mock.calls.map(([line]) => JSON.parse(`${line}`) as Record<string, unknown>);
const ring = () => decodeKeyRing(ssm.parameters.get(NAME) ?? '');

describe('rotate-keys', () => {
  it('makes the keys when a deployment runs it, and finds nothing to do when the schedule does', async () => {
    expect(await run(null)).toBe(1);
    expect(ring()).toHaveLength(1);
    expect(await run({ source: 'aws.events' })).toBe(0);
    expect(lines()).toMatchObject([
      { level: 'info', job: 'rotate-keys', invocationId: 'i-1', calls: 2, keysRotated: 1 },
      { level: 'info', job: 'rotate-keys', invocationId: 'i-1', calls: 1, keysRotated: 0 },
    ]);
  });

  it('rotates at once where a person says so, one key or all of them', async () => {
    await run({});
    const [first] = ring();
    expect(await run({ rotate: 'now' })).toBe(1);
    expect(ring()[1]).toEqual(first);
    expect(await run({ rotate: 'all' })).toBe(1);
    expect(ring()).toHaveLength(1);
  });

  it('does nothing for an order that it does not know, and says so', async () => {
    await run({});
    const before = ssm.parameters.get(NAME);
    await expect(run({ rotate: 'al' })).rejects.toThrow('rotate is "now" or "all", not "al"');
    expect(ssm.parameters.get(NAME)).toBe(before);
  });

  it('waits for a permission that a deployment has only just given', async () => {
    denials = 5;
    expect(await run(null)).toBe(1);
    expect(ring()).toHaveLength(1);
  });

  it('fails where it may not do it at all, so that Lambda counts a failure, and logs no key', async () => {
    denials = Number.POSITIVE_INFINITY;
    await expect(run(null)).rejects.toThrow('fault');
    expect(lines()).toMatchObject([
      { level: 'error', job: 'rotate-keys', error: expect.stringMatching('AccessDenied') },
    ]);
  });

  it('tells of the keys in no line of its log', async () => {
    await run(null);
    await run({ rotate: 'now' });
    const logged = stdout.mock.calls.join('');
    for (const { id, secret } of ring()) {
      expect(logged).not.toContain(id);
      expect(logged).not.toContain(Buffer.from(secret).toString('base64url'));
    }
  });
});

it('a run that is over begins no call', async () => {
  const call = vi.fn(async () => undefined);
  await expect(new UntilAllowed(AbortSignal.abort()).call(call)).rejects.toThrow('aborted');
  expect(call).not.toHaveBeenCalled();
});
