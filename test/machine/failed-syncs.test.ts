import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sha256 } from '../kill/pusher.ts';
import { RegistryProcess } from '../registry-process.ts';
import { canMount, LoopDisk } from './loop-disk.ts';

const run = promisify(execFile);
const MEGABYTE = 1_000_000;

/** A disk that takes all writes and cannot keep them, for as long as what it lies on is full: a thin pool, a network disk that
 *  stalls. The kernel finds out when it writes back, and tells of it once. */
async function openOvercommitted() {
  const pool = await mkdtemp(join(tmpdir(), 'stowage-pool-'));
  await run('mount', ['-t', 'tmpfs', '-o', 'size=96M', 'tmpfs', pool]);
  const disk = await LoopDisk.make(150, pool);
  await disk.reserve(30);
  onTestFinished(async () => {
    await disk.remove().catch(() => undefined); // its directory is the pool's
    await run('umount', ['--lazy', pool]);
    await rm(pool, { recursive: true, force: true });
  });
  const ballast = join(pool, 'ballast');
  return {
    disk,
    data: join(disk.path, 'data'),
    /** Leaves as many bytes. */
    async fill(left: number) {
      const { bavail, bsize } = await statfs(pool);
      await run('fallocate', ['-l', `${Math.floor(bavail * bsize - left)}`, ballast]);
    },
    recover: () => rm(ballast),
  };
}

/** One client's requests to a registry without users. */
function clientOf({ url }: RegistryProcess) {
  const send = async (method: string, path: string, body?: Uint8Array) => {
    const answer = await fetch(url + path, { method, ...(body && { body }) });
    return { status: answer.status, headers: answer.headers, bytes: await answer.bytes() };
  };
  return {
    send,
    async open() {
      const { status, headers, bytes } = await send('POST', '/v2/t/a/blobs/uploads/');
      expect(status, `${Buffer.from(bytes)}`).toBe(202);
      return headers.get('location') ?? '';
    },
    close: async (location: string, whole: Uint8Array, body?: Uint8Array) =>
      (await send('PUT', `${location}?digest=${sha256(whole)}`, body)).status,
    async read(whole: Uint8Array) {
      const { status, bytes } = await send('GET', `/v2/t/a/blobs/${sha256(whole)}`);
      return status === 200 ? sha256(bytes) === sha256(whole) : status;
    },
  };
}

describe.skipIf(!canMount)(
  `a disk that loses what it took${canMount ? '' : ' (needs root and loop devices)'}`,
  { timeout: 120_000 },
  () => {
    it.each(['PATCH', 'closing PUT'])('acknowledges nothing of it: %s', async (by) => {
      const { disk, data, fill, recover } = await openOvercommitted();
      const registry = await RegistryProcess.start(data);
      const { send, open, close, read } = clientOf(registry);
      const before = randomBytes(100_000);
      expect(await close(await open(), before, before)).toBe(201);
      await run('sync', []);
      const bytes = randomBytes(20 * MEGABYTE);
      const location = await open();
      await fill(6 * MEGABYTE);
      const refused =
        by === 'PATCH' ? (await send('PATCH', location, bytes)).status : await close(location, bytes, bytes);
      expect(refused).toBeGreaterThanOrEqual(500);
      await recover();
      // The disk is well again, and the client repeats what failed, as regclient does.
      expect(await close(location, bytes)).not.toBe(201);
      expect(await read(bytes)).toBe(404);
      expect(await close(await open(), bytes, bytes)).toBe(201);
      await registry.stop('SIGTERM');
      await disk.remount();
      const restarted = await RegistryProcess.start(data);
      const after = clientOf(restarted);
      expect(await after.read(bytes)).toBe(true);
      expect(await after.read(before)).toBe(true);
      await restarted.stop('SIGTERM');
    });

    it('puts no other bytes of the same length in the place of those it lost', async () => {
      const { data, fill, recover } = await openOvercommitted();
      const registry = await RegistryProcess.start(data);
      const { send, open, close, read } = clientOf(registry);
      const [first, good, evil] = [100_000, 10 * MEGABYTE, 10 * MEGABYTE].map((size) =>
        randomBytes(size),
      ) as [Buffer, Buffer, Buffer];
      const whole = Buffer.concat([first, good]);
      const location = await open();
      const patched = await send('PATCH', location, first);
      expect(patched.status).toBe(202);
      const next = patched.headers.get('location') ?? '';
      await run('sync', []);
      await fill(3 * MEGABYTE);
      expect(await close(next, whole, good)).toBeGreaterThanOrEqual(500);
      await recover();
      expect(await close(next, whole, evil)).not.toBe(201);
      expect(await read(whole)).toBe(404);
      await registry.stop('SIGTERM');
    });
  },
);
