import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { type AwsPath, startAwsPath } from '../aws-path.ts';
import { RegistryClient } from './registry-client.ts';

// The front door shares this process, with S3's stand-in and the functions.

const MIB = 1024 * 1024;
const NAME = 'front/app';

vi.spyOn(process.stdout, 'write').mockReturnValue(true); // the log of its functions
const path = await startAwsPath({ streamHost: 'instance', downloads: 'cdn' });
if (!path && process.env['STOWAGE_REQUIRE_CLIENTS']) throw new Error('no DynamoDB server is installed');
if (!path) console.warn('skipped: the memory of the front door; no DynamoDB server is installed');
afterAll(async () => {
  await path?.stop();
  vi.restoreAllMocks();
});

describe.runIf(path)('the front door of the stack with every option', () => {
  it('holds no more of a layer of 1.5 GB than of a small one', { timeout: 300_000 }, async () => {
    const client = await RegistryClient.logIn(path as AwsPath, NAME);
    const size = 1_500_000_000;
    const chunk = randomBytes(MIB);
    const content = function* () {
      for (let left = size; left > 0; left -= chunk.length)
        yield chunk.subarray(0, Math.min(left, chunk.length));
    };
    const hash = createHash('sha256');
    for (const bytes of content()) hash.update(bytes);
    const location = `${await client.open(NAME)}&digest=sha256:${hash.digest('hex')}`;
    let peak = 0;
    const before = process.memoryUsage().rss;
    const timer = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage().rss);
    }, 50);
    const { status } = await client.stream(`PUT ${location}`, size, Readable.from(content()));
    clearInterval(timer);
    expect(status).toBe(201);
    expect((peak - before) / MIB).toBeLessThan(150);
  });
});
