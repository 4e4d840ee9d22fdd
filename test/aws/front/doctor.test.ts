import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { Report } from '../../../cli/doctor/report.ts';
import { Stowage } from '../../cli/program.ts';
import { scratch } from '../../scratch.ts';
import { type AwsPath, startAwsPath } from '../aws-path.ts';
import { FAULTS, type FaultName } from './faults.ts';

// `stowage doctor` against all of a deployment on this machine, and against that deployment when something is wrong.

let path: AwsPath | undefined;

beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true); // the log of its functions
  path = await startAwsPath({ streamHost: 'instance', downloads: 'cdn' });
}, 60_000);
afterAll(async () => {
  await path?.stop();
  vi.restoreAllMocks();
});

async function examine({ url, admin }: AwsPath, options: readonly string[]): Promise<Report> {
  const stowage = new Stowage(await scratch(), { DOCKER_CONFIG: await scratch() });
  const login = ['-u', admin.username, '--password-stdin'];
  const { stdout } = await stowage.run(['doctor', url, '--json', ...login, ...options], admin.password);
  return JSON.parse(stdout) as Report;
}

const LARGEST = ['--largest', '16MB'];

it('finds nothing wrong', { timeout: 120_000 }, async ({ skip }) => {
  if (!path) return skip('no DynamoDB server for this platform');
  const { probes } = await examine(path, [...LARGEST, '--origin', path.gatewayUrl]);
  expect(probes.filter(({ verdict }) => verdict !== 'ok')).toEqual([]);
});

interface Found {
  readonly fault: FaultName;
  readonly setting?: number;
  readonly probe: string;
  readonly options?: readonly string[];
}

/** The probe that has to find a fault, and the options that this takes. */
const FOUND: readonly Found[] = [
  { fault: 'challenge-renamed', probe: 'challenge' },
  { fault: 'clock-skewed', setting: 20_000, probe: 'clock' },
  { fault: 'edge-keys-stale', probe: 'keys' },
  { fault: 'tokens-not-rotated', probe: 'keys' },
  { fault: 'head-length-zero', probe: 'heads' },
  { fault: 'location-absolute', probe: 'upload-location' },
  { fault: 'viewer-response-missing', probe: 'put-5mb' },
  { fault: 'large-put-refused', setting: 6_000_000, probe: 'put-200mb', options: LARGEST },
  { fault: 'checksum-ignored', probe: 'wrong-digest' },
  { fault: 'no-if-none-match', probe: 'replay' },
  { fault: 'chunked-refused', probe: 'patch-small' },
  { fault: 'patch-redirected', probe: 'patch-redirect' },
  { fault: 'redirect-broken', probe: 'download' },
  { fault: 'redirect-without-range', probe: 'ranges' },
  { fault: 'events-lost', probe: 'events', options: ['--patience', '2'] },
  { fault: 'events-delayed', setting: 20_000, probe: 'events', options: ['--patience', '2'] },
  { fault: 'gateway-429', probe: 'at-once' },
  { fault: 'gateway-503', probe: 'at-once' },
  { fault: 'gateway-504', probe: 'at-once' },
  { fault: 'gateway-413', probe: 'at-once' },
  { fault: 'front-503', probe: 'at-once' },
  { fault: 'origin-open', probe: 'origin', options: ['--origin', 'GATEWAY'] },
];

it.each(FOUND)('finds $fault, by the probe $probe', { timeout: 60_000 }, async (found) => {
  if (!path) return;
  const { fault, setting = true, probe, options = [] } = found;
  const { gatewayUrl, faults } = path;
  faults.set({ [fault]: setting });
  try {
    const given = options.map((option) => option.replace('GATEWAY', gatewayUrl));
    const { probes } = await examine(path, ['--only', probe, ...given]);
    expect(probes).toMatchObject([{ name: probe, verdict: 'failed' }]);
  } finally {
    faults.set({ [fault]: false });
  }
});

it('has a probe for every fault that the harness knows', () => {
  expect(new Set(FOUND.map(({ fault }) => fault))).toEqual(new Set(Object.keys(FAULTS)));
});
