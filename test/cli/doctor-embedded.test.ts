import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { EVERY_FAMILY } from '../../cli/doctor/families.ts';
import { PROBE_NAMES } from '../../cli/doctor/probes.ts';
import type { Report } from '../../cli/doctor/report.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';
import { type Host, passwordIn, startHost } from './program.ts';

// The program against a registry that serves everything itself: what is skipped there, the login, the forms of output.

let host: Host;

beforeAll(async () => {
  host = await startHost();
});
afterAll(() => host.stop());

it('skips what it is told to skip, and says so', async () => {
  const report = (await host.admin.json(
    `doctor ${host.registry.url} --only reach --only put-5mb --skip put-5mb`,
  )) as Report;
  expect(report).toMatchObject({ passed: true, counts: { ok: 1, skipped: 1 } });
  expect(report.probes[1]).toMatchObject({ name: 'put-5mb', verdict: 'skipped', says: 'left out by --skip' });
});

it('prints JSON of the form that is described', async () => {
  expect(await host.admin.json(`doctor ${host.registry.url} --only reach --only origin`)).toEqual({
    version: 1,
    registry: host.registry.url,
    startedAt: expect.stringMatching(/^20\d\d-.*Z$/),
    seconds: expect.any(Number),
    passed: true,
    counts: { ok: 1, warning: 0, failed: 0, skipped: 1 },
    probes: [
      {
        name: 'reach',
        title: expect.any(String),
        verdict: 'ok',
        says: expect.any(String),
        seconds: expect.any(Number),
      },
      expect.objectContaining({ name: 'origin', verdict: 'skipped' }),
    ],
    clients: EVERY_FAMILY.map((family) => ({
      family,
      clients: expect.any(String),
      troubles: [],
      says: 'not tried',
    })),
    repository: {
      name: expect.stringMatching(/^doctor\/[0-9a-f]{12}$/),
      state: 'never made',
      says: 'nothing was pushed',
    },
  });
});

it('has a row for each probe in its documentation', () => {
  const documentation = readFileSync(join(import.meta.dirname, '../../docs/doctor.md'), 'utf8');
  const rows = documentation.split('\n').filter((line) => line.startsWith('| `'));
  for (const name of PROBE_NAMES) expect(rows.some((row) => row.includes(`\`${name}\``))).toBe(true);
});

describe('the login', () => {
  it('can be given on the command line, and fails the probe of tokens where it is wrong', async () => {
    const stranger = await host.as();
    const command = `doctor ${host.registry.url} --json --only token --only put-5mb`;
    const outcome = await stranger.run(`${command} -u admin --password-stdin`, 'wrong');
    expect(outcome.code).toBe(1);
    expect((JSON.parse(outcome.stdout) as Report).probes).toMatchObject([
      { name: 'token', verdict: 'failed', says: expect.stringContaining('incorrect user name or password') },
      { name: 'put-5mb', verdict: 'skipped' },
    ]);
    const right = await stranger.run(`${command} -u admin --password-stdin`, host.password);
    expect(right.code).toBe(0);
  });

  it('that may not push there is told to name another repository', async () => {
    const { url } = host.registry;
    const password = await host.admin.print('user create pia --grant lib/*:pull,push');
    const pia = await host.as();
    await pia.print(`login ${url} -u pia --password-stdin`, password);
    const refused = await pia.run(`doctor ${url} --only token --only inline`);
    expect(refused).toMatchObject({ code: 1, stdout: expect.stringContaining('--repository') });
    const only = '--only inline --only deletion --repository lib/probe';
    const { code, stdout } = await pia.run(`doctor ${url} ${only}`);
    expect(code).toBe(0);
    expect(stdout).toContain('this login may not delete in lib/probe');
    expect(stdout).toContain('what was pushed stays in lib/probe');
  });

  it('that is missing fails the probe of tokens', async () => {
    const { code, stdout } = await (await host.as()).run(`doctor ${host.registry.url} --only token`);
    expect(code).toBe(1);
    expect(stdout).toContain(`not logged in: stowage login ${host.registry.url}`);
  });
});

it.each([
  ['--only everything', 'There are: reach, challenge'],
  ['--largest 3MB', 'from 5MB to 2GB'],
  ['--username admin', 'go together'],
  ['--origin here', 'It is a URL'],
])('ends with 2 for %s', async (options, message) => {
  const outcome = await host.admin.run(`doctor ${host.registry.url} ${options}`);
  expect(outcome).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(message) });
});

it('explains a registry that is not there', async () => {
  const { code, stdout } = await host.admin.run('doctor 127.0.0.1:1 --only reach');
  expect(code).toBe(1);
  expect(stdout).toMatch(/^FAILED {3}reach {13}GET \/v2\/ got no answer: .*ECONNREFUSED/);
});

it('looks at the certificate, and finds nothing wrong without a front door', {
  timeout: 90_000,
}, async () => {
  const tls = join(import.meta.dirname, '../local/tls');
  const registry = await RegistryProcess.start(await scratch(), {
    STOWAGE_TLS_CERT: join(tls, 'cert.pem'),
    STOWAGE_TLS_KEY: join(tls, 'key.pem'),
  });
  onTestFinished(() => registry.stop('SIGKILL'));
  const stowage = await host.as();
  const untrusted = await stowage.run(`doctor ${registry.url} --only reach`);
  expect(untrusted).toMatchObject({ code: 1, stdout: expect.stringContaining('no TLS connection') });
  const options = `--ca ${join(tls, 'cert.pem')} -u admin --password-stdin --largest 5MB --quick`;
  const outcome = await stowage.run(`doctor ${registry.url} ${options}`, passwordIn(registry.banner));
  expect(outcome.stdout).toMatch(/^ok {7}reach {13}TLSv1\.3, certificate good for \d+ days/);
  expect(outcome.stdout).toContain('put-2gb           left out by --quick');
  expect(outcome).toMatchObject({ code: 0, stdout: expect.stringContaining(' 0 failed,') });
});
