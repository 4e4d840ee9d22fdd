import { afterAll, expect, it, vi } from 'vitest';
import type { Report } from '../../../cli/doctor/report.ts';
import { Stowage } from '../../cli/program.ts';
import { scratch } from '../../scratch.ts';
import { startAwsPath } from '../aws-path.ts';

vi.spyOn(process.stdout, 'write').mockReturnValue(true); // the log of its functions
const path = await startAwsPath({ streamHost: 'wake', bootMs: 3000 });
afterAll(async () => {
  await path?.stop();
  vi.restoreAllMocks();
});

it('`stowage doctor` wakes a stream host that sleeps, as docker does, and says how long that took', {
  timeout: 120_000,
}, async ({ skip }) => {
  if (!path) return skip('no DynamoDB server for this platform');
  const { url, admin, sleeper } = path;
  const stowage = new Stowage(await scratch(), { DOCKER_CONFIG: await scratch() });
  const login = ['-u', admin.username, '--password-stdin'];
  const { stdout } = await stowage.run(
    ['doctor', url, '--json', '--largest', '16MB', ...login],
    admin.password,
  );
  const { probes } = JSON.parse(stdout) as Report;
  expect(probes.filter(({ verdict }) => verdict !== 'ok')).toMatchObject([{ name: 'origin' }]); // which was not named
  const { says = '' } = probes.find(({ name }) => name === 'patch-40mb') ?? {};
  expect(Number(/woken for the first upload, which took ([\d.]+) s/.exec(says)?.[1])).toBeGreaterThanOrEqual(
    3,
  );
  expect(sleeper?.instance.boots).toBe(1);
});
