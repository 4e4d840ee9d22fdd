import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { requireBlob } from '../../functions/registry/blobs.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { pushBlob, REPOSITORY, refusal } from '../registry/fixture.ts';
import { type AwsStores, startAwsStores } from './stores.ts';

// The Lambda entry point itself, on servers that stand in for DynamoDB and S3.

const HOUR = 60 * 60 * 1000;
const stores = await startAwsStores();

describe.skipIf(!stores)('sweep', () => {
  let registry: Registry;
  let run: () => Promise<number>;
  const write = vi.spyOn(process.stdout, 'write');
  const real = Date.now;
  let offset = 0;

  beforeAll(async () => {
    // The registry takes the clock when it is loaded.
    vi.spyOn(Date, 'now').mockImplementation(() => real() + offset);
    for (const [name, value] of Object.entries((stores as AwsStores).environment)) vi.stubEnv(name, value);
    const { createAwsRegistry } = await import('../../functions/aws.ts');
    ({ registry } = createAwsRegistry(process.env));
    write.mockReturnValue(true);
    const { handler } = await import('../../functions/sweep.ts');
    const context = { awsRequestId: 'i-1', getRemainingTimeInMillis: () => 900_000 };
    run = () => handler({} as never, context as never);
  });
  afterAll(async () => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    await stores?.stop();
  });

  it('deletes, in the course of days, a blob that nothing uses, and says how many repositories it swept', async () => {
    const { digest } = await pushBlob(registry);
    expect(await run()).toBe(0); // nothing is due in the first hour
    for (let day = 1; day <= 3; day += 1) {
      offset = 25 * day * HOUR;
      expect(await run()).toBe(1);
    }
    expect(await refusal(requireBlob(registry, REPOSITORY, digest))).toBe('BLOB_UNKNOWN');
    const [line] = write.mock.calls.at(-1) ?? [];
    expect(JSON.parse(`${line}`)).toMatchObject({
      job: 'sweep',
      level: 'info',
      repositoriesSwept: 1,
    });
  });
});
