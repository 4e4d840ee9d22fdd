import { randomBytes, randomUUID } from 'node:crypto';
import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { startAwsStores } from '../aws/stores.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';
import { Stowage } from './program.ts';

const stores = await startAwsStores();
afterAll(() => stores?.stop());

/** A data directory, with nothing in it yet. */
async function dataOfStopped(): Promise<string> {
  const data = join(await scratch(), 'data');
  const registry = await RegistryProcess.start(data);
  onTestFinished(() => registry.stop('SIGKILL'));
  await registry.stop('SIGTERM');
  return data;
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
