import { spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { createApp } from '../../functions/app.ts';
import { createLog } from '../../local/log.ts';
import { freePort } from '../free-port.ts';
import { openFixture } from '../registry/fixture.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';
import { pullBlob, pushBlob } from './client.ts';

it('goes on when the reader of its log has ended, and says so', async () => {
  const registry = await RegistryProcess.start(await scratch());
  onTestFinished(() => registry.stop('SIGKILL'));
  registry.leaveLog();
  for (let n = 0; n < 5; n += 1) {
    const { digest, status } = await pushBlob(registry.url, 'a');
    expect([status, await pullBlob(registry.url, 'a', digest)]).toEqual([201, expect.anything()]);
  }
  await expect
    .poll(() => registry.errors)
    .toContain('the log cannot be written, and its lines are lost: write EPIPE');
  expect(registry.errors.match(/cannot be written/g)).toHaveLength(1);
});

it('goes on when the reader of all that it writes has ended', async () => {
  const port = await freePort();
  const env = { ...process.env, STOWAGE_DATA: await scratch(), STOWAGE_PORT: `${port}`, STOWAGE_OPEN: '1' };
  const main = join(import.meta.dirname, '../../local/start.mjs');
  const child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  child.stdout.destroy();
  child.stderr.destroy();
  const url = `http://127.0.0.1:${port}`;
  await expect
    .poll(
      () =>
        fetch(`${url}/v2/`).then(
          ({ status }) => status,
          () => 0,
        ),
      { timeout: 10_000 },
    )
    .toBe(200);
  for (let n = 0; n < 5; n += 1) expect((await pushBlob(url, 'a')).status).toBe(201);
});

it.runIf(process.platform === 'linux')(
  'goes on while the disk of its log is full (/dev/full, of Linux)',
  async () => {
    const port = await freePort();
    const env = { ...process.env, STOWAGE_DATA: await scratch(), STOWAGE_PORT: `${port}`, STOWAGE_OPEN: '1' };
    const main = join(import.meta.dirname, '../../local/start.mjs');
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, [main], { env, stdio: ['ignore', full, 'pipe'] });
    closeSync(full);
    onTestFinished(() => void child.kill('SIGKILL'));
    let errors = '';
    child.stderr?.on('data', (text) => {
      errors += text;
    });
    await expect.poll(() => errors, { timeout: 10_000 }).toContain('docker push');
    for (let n = 0; n < 5; n += 1) expect((await pushBlob(`http://127.0.0.1:${port}`, 'a')).status).toBe(201);
    await expect.poll(() => errors).toContain('its lines are lost: ENOSPC');
  },
);

it('tells in the log how many lines were lost, once there is room for it', async () => {
  const written: string[] = [];
  let isFull = true;
  // As process.stdout is: a write that fails ends nothing.
  const output = Object.assign(new EventEmitter(), {
    write(text: string, done: (error?: Error) => void) {
      if (!isFull) written.push(text);
      process.nextTick(done, isFull ? new Error('ENOSPC: no space left on device') : undefined);
    },
  });
  const told: string[] = [];
  const onAnswer = createLog(output as unknown as NodeJS.WriteStream, (what) => told.push(what));
  const { registry } = await openFixture();
  const app = createApp({ registry, onAnswer });
  const ask = async () => {
    await app(new Request('http://registry.test/v2/'));
    await setImmediate();
    await setImmediate();
  };
  await ask();
  await ask();
  isFull = false;
  await ask();
  await ask();
  const lines = written
    .join('')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  expect(lines).toMatchObject([
    { error: '2 lines of this log were lost' },
    { path: '/v2/' },
    { path: '/v2/' },
  ]);
  expect(told).toHaveLength(1);
});
