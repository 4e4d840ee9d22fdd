import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { createAwsMetadata } from '../../functions/aws.ts';
import { listAudit } from '../../functions/identity/audit.ts';
import { verifyPassword } from '../../functions/identity/passwords.ts';
import { findUser } from '../../functions/identity/users.ts';
import { type AwsStores, startAwsStores } from '../aws/stores.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';
import { passwordIn, Stowage } from './program.ts';

describe('on the data directory of a registry', () => {
  it('replaces a lost password while the registry is stopped, and the audit trail has it', async () => {
    const data = join(await scratch(), 'data');
    const stowage = new Stowage(await scratch());
    const first = await RegistryProcess.start(data, {});
    onTestFinished(() => first.stop('SIGKILL'));
    await stowage.print(`login ${first.url} -u admin --password-stdin`, passwordIn(first.banner));
    expect(await stowage.run(`admin reset-password admin --data ${data}`)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('in use by another registry'),
    });
    await first.stop('SIGTERM');
    const reset = await stowage.run(`admin reset-password admin --data ${data}`);
    expect(reset).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\S{24}\n$/) });
    const again = await RegistryProcess.start(data, {});
    onTestFinished(() => again.stop('SIGKILL'));
    await stowage.print(`login ${again.url} -u admin --password-stdin`, reset.stdout);
    expect(await stowage.json('audit --principal machine')).toMatchObject({
      records: [{ operation: 'user.password', target: 'user:admin', outcome: 'allowed' }],
    });
  });

  it('makes no second first admin, and no registry out of a mistyped path', async () => {
    const data = join(await scratch(), 'data');
    const stowage = new Stowage(await scratch());
    expect(await stowage.run(`admin create --data ${data}`)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('there is no registry in'),
    });
    const registry = await RegistryProcess.start(data, {});
    await registry.stop('SIGTERM');
    expect(await stowage.run(`admin create --name root --data ${data}`)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('has users already'),
    });
    expect(await stowage.run(`admin reset-password nobody --data ${data}`)).toMatchObject({
      code: 1,
      stderr: 'stowage: there is no user nobody\n',
    });
  });

  it('makes the first admin of a registry that has been open until then', async () => {
    const data = join(await scratch(), 'data');
    const stowage = new Stowage(await scratch());
    const open = await RegistryProcess.start(data);
    await open.stop('SIGTERM');
    const password = await stowage.print(`admin create --name root --data ${data}`);
    const registry = await RegistryProcess.start(data, {});
    onTestFinished(() => registry.stop('SIGKILL'));
    await stowage.print(`login ${registry.url} -u root --password-stdin`, password);
    expect(await stowage.json('whoami')).toMatchObject({ principal: 'user:root', admin: true });
  });
});

describe('on the table of a deployment', () => {
  let stores: AwsStores | undefined;

  beforeAll(async () => {
    stores = await startAwsStores();
  });
  afterAll(() => stores?.stop());

  it('makes the first admin by AWS credentials, once, and replaces a lost password', async ({ skip }) => {
    if (!stores) return skip('no DynamoDB server for this platform');
    const { STOWAGE_TABLE: table = '', STOWAGE_BUCKET: _, ...environment } = stores.environment;
    const stowage = new Stowage(await scratch(), environment);
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    onTestFinished(() => void vi.unstubAllEnvs());
    const registry = createAwsMetadata({ ...environment, STOWAGE_TABLE: table });
    const made = (await stowage.json(`admin create --table ${table} --region us-east-1`)) as Made;
    expect(made.name).toBe('admin');
    const admin = await findUser(registry, 'admin');
    expect(admin?.grants).toEqual([{ pattern: '*', actions: ['admin'] }]);
    expect(await verifyPassword(made.password, admin?.passwordHash, '')).toBe(true);
    expect((await stowage.run(`admin create --table ${table}`)).stderr).toContain('has users already');
    const fresh = (await stowage.print(`admin reset-password admin --table ${table}`)).trim();
    expect(await verifyPassword(fresh, (await findUser(registry, 'admin'))?.passwordHash, '')).toBe(true);
    const { records } = await listAudit(registry, { since: 0, until: Date.now() + 1000, limit: 10 });
    expect(records.map(({ principal, operation }) => `${principal} ${operation}`)).toEqual([
      'aws user.password',
      'aws user.create',
    ]);
    expect(await stowage.run('admin create --table missing')).toMatchObject({
      code: 1,
      stderr: 'stowage: there is no table missing in this region\n',
    });
  });
});

interface Made {
  readonly name: string;
  readonly password: string;
}
