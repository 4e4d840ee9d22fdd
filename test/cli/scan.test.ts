import { randomBytes, randomUUID } from 'node:crypto';
import { utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { digestOf } from '../../functions/oci/digest.ts';
import { startAwsStores } from '../aws/stores.ts';
import { objectFiles } from '../object-files.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';
import { Stowage } from './program.ts';

const stores = await startAwsStores();
afterAll(() => stores?.stop());

/** A data directory, with nothing in it yet. */
async function dataOfStopped(): Promise<string> {
  const data = join(await scratch(), 'data');
  await runThere(data, async () => undefined);
  return data;
}

/** What `act` does with a registry on the data, which is stopped then. */
async function runThere<T>(data: string, act: (registry: RegistryProcess) => Promise<T>): Promise<T> {
  const registry = await RegistryProcess.start(data);
  onTestFinished(() => registry.stop('SIGKILL'));
  const result = await act(registry);
  await registry.stop('SIGTERM');
  return result;
}

async function pushBlob(url: string, repository: string, body: Buffer<ArrayBuffer>): Promise<void> {
  const opened = await fetch(`${url}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
  const location = `${url}${opened.headers.get('location')}?digest=${digestOf('sha256', body)}`;
  expect((await fetch(location, { method: 'PUT', body })).status).toBe(201);
}

describe('stowage scan', () => {
  it('ends with 0 where the stores agree, and with 1 and a line for what is not known', async () => {
    const data = await dataOfStopped();
    const stowage = new Stowage(await scratch());
    expect(await stowage.run(`scan --data ${data}`)).toEqual({
      code: 0,
      stdout: '',
      stderr: '0 objects, 0 bytes: 0 unknown (0 bytes), 0 missing, 0 damaged\n',
    });
    const key = `blobs/${randomUUID()}`;
    const old = new Date('2026-01-02T03:04:05Z');
    await writeFile(join(data, key), randomBytes(7));
    await utimes(join(data, key), old, old);
    expect(await stowage.run(`scan --data ${data}`)).toEqual({
      code: 1,
      stdout: `unknown  ${key}  7 bytes, written 2026-01-02T03:04:05.000Z\n`,
      stderr: '1 objects, 7 bytes: 1 unknown (7 bytes), 0 missing, 0 damaged\n',
    });
    const { stdout } = await stowage.run(`scan --data ${data} --json`);
    expect(JSON.parse(stdout)).toEqual({ is: 'unknown', objectKey: key, size: 7, writtenAt: old.getTime() });
  });

  it('compares bytes with digests, says whom it hits, and has the next push heal it', async () => {
    const data = join(await scratch(), 'data');
    const bytes = randomBytes(1000);
    const digest = digestOf('sha256', bytes);
    const [path] = await runThere(data, async ({ url }) => {
      await pushBlob(url, 'team/app', bytes);
      return objectFiles(data).map((name) => join(data, 'blobs', name));
    });
    if (path === undefined) throw new Error('nothing was pushed');
    const stowage = new Stowage(await scratch());
    const whole = expect.stringContaining('1 objects, 1000 bytes compared with their digests\n');
    expect(await stowage.run(`scan --data ${data} --deep`)).toEqual({ code: 0, stdout: '', stderr: whole });
    await writeFile(path, randomBytes(1000));
    const key = `blobs/${basename(path)}`;
    const stdout = `damaged  ${key}  blob ${digest} of team/app\n`;
    expect(await stowage.run(`scan --data ${data}`)).toMatchObject({ code: 0 });
    const readOnly = await stowage.run(`scan --data ${data} --deep --no-mark`);
    expect(readOnly).toEqual({ code: 1, stdout, stderr: expect.stringMatching(/1 damaged\n$/) });
    const marking = await stowage.run(`scan --data ${data} --deep`);
    expect(marking).toEqual({
      code: 1,
      stdout,
      stderr: expect.stringContaining('their next push heals them'),
    });
    await runThere(data, async ({ url }) => {
      const blob = `${url}/v2/team/app/blobs/${digest}`;
      expect((await fetch(blob, { method: 'HEAD' })).status).toBe(404);
      await pushBlob(url, 'team/app', bytes);
      expect(Buffer.from(await (await fetch(blob)).bytes())).toEqual(bytes);
    });
    expect(await stowage.run(`scan --data ${data} --deep`)).toMatchObject({ code: 0, stdout: '' });
  });

  it('looks at a sample, in percent, of a deep scan only', async () => {
    const data = await dataOfStopped();
    const stowage = new Stowage(await scratch());
    for (const wrong of ['0', '101', 'all', '-1']) {
      const stderr = expect.stringContaining('It is a percentage');
      expect(await stowage.run(`scan --data ${data} --deep --sample ${wrong}`)).toMatchObject({
        code: 2,
        stderr,
      });
    }
    const stderr = expect.stringContaining('--sample belongs to --deep');
    expect(await stowage.run(`scan --data ${data} --sample 5`)).toMatchObject({ code: 2, stderr });
    expect(await stowage.run(`scan --data ${data} --deep --sample 5%`)).toMatchObject({ code: 0 });
  });

  it('wants a registry that is there and stopped', async () => {
    const data = join(await scratch(), 'data');
    const stowage = new Stowage(await scratch());
    const stderr = expect.stringContaining('there is no registry in');
    expect(await stowage.run(`scan --data ${data}`)).toMatchObject({ code: 1, stderr });
    const running = await RegistryProcess.start(data);
    onTestFinished(() => running.stop('SIGKILL'));
    const inUse = expect.stringContaining('in use by another registry');
    expect(await stowage.run(`scan --data ${data}`)).toMatchObject({ code: 1, stderr: inUse });
  });

  it('wants a table with its bucket', async () => {
    const stderr = expect.stringContaining('--table and --bucket belong together');
    expect(await new Stowage(await scratch()).run('scan --table t')).toMatchObject({ code: 2, stderr });
  });

  it.runIf(stores)('compares a table with its bucket', async () => {
    const environment = stores?.environment ?? {};
    const { STOWAGE_TABLE: table, STOWAGE_BUCKET: bucket } = environment;
    const stowage = new Stowage(await scratch(), environment as Record<string, string>);
    expect(await stowage.run(`scan --table ${table} --bucket ${bucket} --region us-east-1`)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('0 objects'),
    });
  });
});
