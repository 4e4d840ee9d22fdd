import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { EVERY_FAMILY } from '../../cli/doctor/families.ts';
import { PROBE_NAMES } from '../../cli/doctor/probes.ts';
import type { Report } from '../../cli/doctor/report.ts';
import { RegistryProcess } from '../registry-process.ts';
import { scratch } from '../scratch.ts';
import { type Faults, FrontDouble } from './front-double.ts';
import { type Host, passwordIn, type Stowage, startHost } from './program.ts';

// The program against a registry with a front door before it, which can be broken in every way that a probe is for.

let host: Host;
let front: FrontDouble;
let url: string;
let doctor: Stowage;

beforeAll(async () => {
  host = await startHost();
  front = new FrontDouble(host.registry.url);
  url = await front.start();
  doctor = await host.as();
  await doctor.print(`login ${url} -u admin --password-stdin`, host.password);
});
afterEach(() => {
  front.faults = {};
  front.stream = false;
});
afterAll(async () => {
  front.stop();
  await host.stop();
});

async function examine(options = ''): Promise<Report & { readonly code: number | null }> {
  const { code, stdout, stderr } = await doctor.run(`doctor ${url} --json ${options}`.trim());
  expect(stderr).toBe('');
  return { ...(JSON.parse(stdout) as Report), code };
}

const notOk = ({ probes }: Report) => probes.filter(({ verdict }) => verdict !== 'ok');

describe('on a deployment that is as it should be', () => {
  it('finds nothing, says what each family can push, and leaves nothing behind', {
    timeout: 180_000,
  }, async () => {
    const report = await examine(`--largest 16MB --origin ${url}/closed/`);
    expect(notOk(report)).toEqual([]);
    expect(report).toMatchObject({ code: 0, passed: true, repository: { state: 'deleted' } });
    expect(report.probes.map(({ name }) => name)).toEqual(PROBE_NAMES);
    const pushes = Object.fromEntries(report.clients.map(({ family, ...rest }) => [family, rest]));
    expect(pushes['oras']).toMatchObject({ largest: 16 * 1024 * 1024, troubles: [] });
    expect(pushes['docker-classic']?.says).toMatch(/^nothing: 413 \(DENIED: .*stowage push/);
    expect(pushes['crane']).toMatchObject({ largest: 2000, refused: 5 * 1024 * 1024 });
    expect(await host.admin.json('repo list')).toEqual({ repositories: [] });
  });

  it('sees a stream host take what old clients send', async () => {
    front.stream = true;
    const report = await examine('--only patch-5mb --only edge-limits');
    expect(notOk(report)).toEqual([]);
    expect(report.clients).toContainEqual(
      expect.objectContaining({ family: 'docker-classic', largest: 5 * 1024 * 1024 }),
    );
  });
});

/** Faults, an option they need, and the probe that must find them. */
const FOUND: readonly (readonly [faults: Faults, probe: string, options?: string])[] = [
  [{ 'challenge-renamed': true }, 'challenge'],
  [{ 'host-believed': true }, 'challenge'],
  [{ 'clock-skewed': 20_000 }, 'clock'],
  [{ 'clock-skewed': -600_000 }, 'clock'],
  [{ 'edge-keys-stale': true }, 'keys'],
  [{ 'digest-header-dropped': true }, 'inline'],
  [{ 'head-length-zero': true }, 'heads'],
  [{ 'location-absolute': true }, 'upload-location'],
  [{ 'viewer-response-missing': true }, 'put-5mb'],
  [{ 'large-put-refused': 6_000_000 }, 'put-200mb', '--largest 16MB'],
  [{ 'large-put-refused': 6_000_000 }, 'put-2gb', '--largest 16MB'],
  [{ 'checksum-ignored': true }, 'wrong-digest'],
  [{ 'no-if-none-match': true }, 'replay'],
  [{ 'tokens-unchecked': true }, 'upload-token', '--patience 1'],
  [{ 'limits-unchecked': true }, 'edge-limits', '--patience 1'],
  [{ 'headers-passed': true }, 'smuggling'],
  [{ 'chunked-refused': true }, 'patch-small'],
  [{ 'chunked-refused': true }, 'patch-5mb'],
  [{ 'chunked-refused': true }, 'patch-40mb', '--largest 16MB'],
  [{ 'patch-redirected': true }, 'patch-redirect'],
  [{ 'redirect-broken': true }, 'download'],
  [{ 'redirect-without-range': true }, 'ranges'],
  [{ 'events-lost': true }, 'events', '--patience 2'],
  [{ 'events-delayed': 4000 }, 'events', '--patience 2'],
  [{ 'events-lost': true, 'uploads-not-looked-for': true }, 'manifest-at-once'],
  [{ cached: true }, 'deletion'],
  [{ 'origin-open': true }, 'origin', '--origin ORIGIN'],
];

const BROKEN = FOUND.map(([faults, probe, options = '']) => ({
  faults,
  fault: JSON.stringify(faults),
  probe,
  options,
}));

it.each(BROKEN)(
  'with $fault the probe $probe fails, and says for whom and what to do',
  async ({ faults, probe, options }) => {
    front.faults = faults;
    const report = await examine(`--only ${probe} ${options.replace('ORIGIN', `${url}/closed/`)}`.trim());
    expect(report).toMatchObject({ code: 1, passed: false, counts: { ok: 0, failed: 1 } });
    expect(report.probes).toEqual([
      expect.objectContaining({
        name: probe,
        verdict: 'failed',
        means: expect.any(String),
        cure: expect.any(String),
        affects: expect.any(Array),
      }),
    ]);
  },
);

it('has a fault for each probe, but for those that look at the connection and the login', () => {
  const found = new Set(FOUND.map(([, probe]) => probe));
  expect(PROBE_NAMES.filter((name) => !found.has(name))).toEqual(['reach', 'token']);
});

it('does not follow a redirect to a name below its own, which would get the token', async () => {
  front.faults = { 'redirect-below': true };
  const options = ['--only', 'download', '--json', '-u', 'admin', '--password-stdin'];
  const command = ['doctor', url.replace('127.0.0.1', 'localhost'), ...options];
  const { code, stdout } = await doctor.run(command, host.password);
  expect(code).toBe(1);
  expect((JSON.parse(stdout) as Report).probes).toMatchObject([
    { verdict: 'failed', affects: ['containerd', 'podman'], says: expect.stringContaining('s3.localhost') },
  ]);
});

it('names the clients that a failure is about, in the summary too', async () => {
  front.faults = { 'location-absolute': true };
  const { clients } = await examine('--only upload-location');
  const troubled = clients.filter(({ troubles }) => troubles.includes('upload-location'));
  expect(troubled.map(({ family }) => family)).toEqual(['podman', 'oras']);
});

it('prints a line for each probe, and what to do under a failure', async () => {
  front.faults = { 'challenge-renamed': true };
  const { code, stdout } = await doctor.run(`doctor ${url} --only reach --only challenge --only token`);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^ok {7}reach {13}plain HTTP.*\nFAILED {3}challenge {9}the gateway renames/);
  expect(stdout).toMatch(/\n {9}for every client\n {9}it means: .*\n {9}what to do: .*\nok {7}token /);
  expect(stdout).toMatch(/\nCLIENTS +CAN PUSH\n/);
  expect(stdout).toMatch(/\n2 ok, 0 warning, 1 failed, 0 skipped; nothing was pushed\n$/);
});

it('skips what it is told to skip, and says so', async () => {
  const report = await examine('--only reach --only put-5mb --skip put-5mb');
  expect(report).toMatchObject({ code: 0, counts: { ok: 1, skipped: 1 } });
  expect(report.probes[1]).toMatchObject({ name: 'put-5mb', verdict: 'skipped', says: 'left out by --skip' });
});

it('prints JSON of the form that is described', async () => {
  const { code: _, ...report } = await examine('--only reach --only origin');
  expect(report).toEqual({
    version: 1,
    registry: url,
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

describe('the login', () => {
  it('can be given on the command line, and fails the probe of tokens where it is wrong', async () => {
    const stranger = await host.as();
    const command = `doctor ${url} --json --only token --only put-5mb`;
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
    const password = await host.admin.print('user create pia --grant lib/*:pull,push');
    const pia = await host.as();
    await pia.print(`login ${url} -u pia --password-stdin`, password);
    const refused = await pia.run(`doctor ${url} --only token --only inline`);
    expect(refused).toMatchObject({ code: 1, stdout: expect.stringContaining('--repository') });
    const { code, stdout } = await pia.run(
      `doctor ${url} --only inline --only deletion --repository lib/probe`,
    );
    expect(code).toBe(0);
    expect(stdout).toContain('this login may not delete in lib/probe');
    expect(stdout).toContain('what was pushed stays in lib/probe');
  });
});

it('ends with 2 for a command line that is wrong', async () => {
  for (const [options, message] of [
    ['--only everything', 'There are: reach, challenge'],
    ['--largest 3MB', 'from 5MB to 2GB'],
    ['--username admin', 'go together'],
    ['--origin here', 'It is a URL'],
  ] as const) {
    const outcome = await doctor.run(`doctor ${url} ${options}`);
    expect(outcome).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(message) });
  }
});

it('explains a registry that is not there', async () => {
  const { code, stdout } = await (await host.as()).run('doctor 127.0.0.1:1 --only reach');
  expect(code).toBe(1);
  expect(stdout).toMatch(/^FAILED {3}reach {13}GET \/v2\/ got no answer: .*ECONNREFUSED/);
});

it('looks at the certificate, and at a registry that serves everything itself', {
  timeout: 60_000,
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
