import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { PROBE_NAMES } from '../../cli/doctor/probes.ts';
import type { Report } from '../../cli/doctor/report.ts';
import { type AwsPath, startAwsPath } from '../aws/aws-path.ts';
import { FAULTS, type FaultName } from '../aws/front/faults.ts';
import { Stowage } from './program.ts';
import { type Spoil, Spoiler } from './spoiler.ts';

// The program against the whole AWS path on this machine, which can be broken in every way that a probe is for.

interface Deployed {
  readonly path: AwsPath;
  readonly spoiler: Spoiler;
  /** Through the spoiler. */
  readonly spoiltUrl: string;
  readonly home: string;
  readonly stowage: Stowage;
}

let deployed: Deployed | undefined;

beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true); // the log of its functions
  const path = await startAwsPath();
  if (!path) return;
  const spoiler = new Spoiler(path.url);
  const home = await mkdtemp(join(tmpdir(), 'stowage-doctor-'));
  const stowage = new Stowage(home);
  await stowage.print(`login ${path.url} -u ${path.admin.username} --password-stdin`, path.admin.password);
  deployed = { path, spoiler, spoiltUrl: await spoiler.start(), home, stowage };
}, 60_000);
afterEach(() => {
  deployed?.path.faults.set(Object.fromEntries(Object.keys(FAULTS).map((name) => [name, false])));
  if (deployed) deployed.spoiler.spoil = undefined;
});
afterAll(async () => {
  vi.restoreAllMocks();
  deployed?.spoiler.stop();
  await deployed?.path.stop();
  if (deployed) await rm(deployed.home, { recursive: true, force: true });
});

type Examination = Report & { readonly code: number | null };

async function examine({ stowage, path }: Deployed, options: string, url = path.url): Promise<Examination> {
  const login = ['-u', path.admin.username, '--password-stdin'];
  const command = ['doctor', url, '--json', ...options.split(' ').filter(Boolean), ...login];
  const { code, stdout, stderr } = await stowage.run(command, path.admin.password);
  expect(stderr).toBe('');
  return { ...(JSON.parse(stdout) as Report), code };
}

const NO_SERVER = 'no DynamoDB server for this platform';

it('finds nothing wrong, says what each family can push, and leaves nothing behind', {
  timeout: 180_000,
}, async ({ skip }) => {
  if (!deployed) return skip(NO_SERVER);
  const report = await examine(deployed, `--largest 16MB --origin ${deployed.path.gatewayUrl}`);
  expect(report.probes.filter(({ verdict }) => verdict !== 'ok')).toEqual([]);
  expect(report.probes.map(({ name }) => name)).toEqual(PROBE_NAMES);
  expect(report).toMatchObject({ code: 0, passed: true, repository: { state: 'deleted' } });
  const pushes = Object.fromEntries(report.clients.map(({ family, ...rest }) => [family, rest]));
  expect(pushes['oras']).toMatchObject({ largest: 16 * 1024 * 1024, troubles: [] });
  expect(pushes['docker-classic']?.says).toMatch(/^nothing: 413 \(DENIED: .*stowage push/);
  expect(pushes['crane']).toMatchObject({ largest: 2000, refused: 5 * 1024 * 1024 });
  expect(await deployed.stowage.json('repo list')).toEqual({ repositories: [] });
});

interface Row {
  readonly probe: string;
  readonly options?: string;
}

/** Faults of the deployment, and the probe that must find each. */
const BROKEN: readonly (Row & { readonly fault: FaultName; readonly setting?: number })[] = [
  { fault: 'challenge-renamed', probe: 'challenge' },
  { fault: 'clock-skewed', setting: 20_000, probe: 'clock' },
  { fault: 'clock-skewed', setting: -600_000, probe: 'clock' },
  { fault: 'edge-keys-stale', probe: 'keys' },
  { fault: 'tokens-not-rotated', probe: 'keys' },
  { fault: 'head-length-zero', probe: 'heads' },
  { fault: 'location-absolute', probe: 'upload-location' },
  { fault: 'viewer-response-missing', probe: 'put-5mb' },
  { fault: 'large-put-refused', setting: 6_000_000, probe: 'put-200mb', options: '--largest 16MB' },
  { fault: 'large-put-refused', setting: 6_000_000, probe: 'put-2gb', options: '--largest 16MB' },
  { fault: 'checksum-ignored', probe: 'wrong-digest' },
  { fault: 'no-if-none-match', probe: 'replay' },
  { fault: 'chunked-refused', probe: 'patch-small' },
  { fault: 'chunked-refused', probe: 'patch-5mb' },
  { fault: 'chunked-refused', probe: 'patch-40mb', options: '--largest 16MB' },
  { fault: 'patch-redirected', probe: 'patch-redirect' },
  { fault: 'redirect-broken', probe: 'download' },
  { fault: 'redirect-without-range', probe: 'ranges' },
  { fault: 'events-lost', probe: 'events', options: '--patience 2' },
  { fault: 'events-delayed', setting: 4000, probe: 'events', options: '--patience 2' },
  { fault: 'gateway-429', probe: 'at-once' },
  { fault: 'gateway-503', probe: 'at-once' },
  { fault: 'gateway-504', probe: 'at-once' },
  { fault: 'gateway-413', probe: 'at-once' },
  { fault: 'front-503', probe: 'at-once' },
  { fault: 'origin-open', probe: 'origin', options: '--origin GATEWAY' },
];

/** What a proxy before it, or a front door of another make, does wrong. */
const SPOILT: readonly (Row & { readonly spoil: Spoil })[] = [
  { spoil: 'host-believed', probe: 'challenge' },
  { spoil: 'digest-header-dropped', probe: 'inline' },
  { spoil: 'digest-header-dropped', probe: 'put-5mb' },
  { spoil: 'refused-late', probe: 'upload-token', options: '--patience 1' },
  { spoil: 'refused-late', probe: 'edge-limits', options: '--patience 1' },
  { spoil: 'headers-passed', probe: 'smuggling' },
  { spoil: 'refused-in-other-words', probe: 'patch-5mb' },
  { spoil: 'redirect-below', probe: 'download' },
  { spoil: 'uploads-not-looked-for', probe: 'manifest-at-once' },
  { spoil: 'cached', probe: 'deletion' },
];

describe.each(BROKEN)(
  'a deployment with $fault $setting',
  ({ fault, setting = true, probe, options = '' }) => {
    it(`is found by the probe ${probe}, which says for whom and what to do`, async ({ skip }) => {
      if (!deployed) return skip(NO_SERVER);
      deployed.path.faults.set({ [fault]: setting });
      const given = options.replace('GATEWAY', deployed.path.gatewayUrl);
      expectFailure(await examine(deployed, `--only ${probe} ${given}`), probe);
    });
  },
);

describe.each(SPOILT)('a deployment behind a proxy with $spoil', ({ spoil, probe, options = '' }) => {
  it(`is found by the probe ${probe}, which says for whom and what to do`, async ({ skip }) => {
    if (!deployed) return skip(NO_SERVER);
    deployed.spoiler.spoil = spoil;
    // A name, so that there can be one below it.
    const url = deployed.spoiltUrl.replace('127.0.0.1', 'localhost');
    expectFailure(await examine(deployed, `--only ${probe} ${options}`, url), probe);
  });
});

function expectFailure(report: Examination, probe: string): void {
  expect(report).toMatchObject({ code: 1, passed: false, counts: { ok: 0, failed: 1 } });
  const { name, verdict, affects, says, means, cure } = report.probes[0] ?? {};
  expect({ name, verdict }).toEqual({ name: probe, verdict: 'failed' });
  expect({ affects, means, cure }).toEqual({
    affects: expect.any(Array),
    means: expect.any(String),
    cure: expect.any(String),
  });
  expect(says).not.toContain('the request broke off');
}

it('has a fault for each probe, but for those that look at the connection and the login', () => {
  const found = new Set([...BROKEN, ...SPOILT].map(({ probe }) => probe));
  expect(PROBE_NAMES.filter((name) => !found.has(name))).toEqual(['reach', 'token']);
});

it('has a probe for each fault', () => {
  const faults = new Set(BROKEN.map(({ fault }) => fault));
  expect(Object.keys(FAULTS).filter((name) => !faults.has(name as FaultName))).toEqual([]);
});

it('names the clients that a failure is about, in the summary too', async ({ skip }) => {
  if (!deployed) return skip(NO_SERVER);
  deployed.path.faults.set({ 'location-absolute': true });
  const { clients } = await examine(deployed, '--only upload-location');
  const troubled = clients.filter(({ troubles }) => troubles.includes('upload-location'));
  expect(troubled.map(({ family }) => family)).toEqual(['podman', 'oras']);
});

it('prints a line for each probe, and what to do under a failure', async ({ skip }) => {
  if (!deployed) return skip(NO_SERVER);
  deployed.path.faults.set({ 'challenge-renamed': true });
  const only = '--only reach --only challenge --only token';
  const { code, stdout } = await deployed.stowage.run(`doctor ${deployed.path.url} ${only}`);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^ok {7}reach {13}plain HTTP.*\nFAILED {3}challenge {9}the gateway renames/);
  expect(stdout).toMatch(/\n {9}for every client\n {9}it means: .*\n {9}what to do: .*\nok {7}token /);
  expect(stdout).toMatch(/\nCLIENTS +CAN PUSH\n/);
  expect(stdout).toMatch(/\n2 ok, 0 warning, 1 failed, 0 skipped; nothing was pushed\n$/);
});
