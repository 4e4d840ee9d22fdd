import { expect, it, onTestFinished, vi } from 'vitest';
import type { Report } from '../../../cli/doctor/report.ts';
import { ENV } from '../../../functions/environment.ts';
import { Stowage } from '../../cli/program.ts';
import { scratch } from '../../scratch.ts';
import { openTarget, TargetUnavailable } from '../../targets.ts';

/** All that look at a blob by HEAD. */
const PROBES = ['inline', 'heads', 'put-5mb', 'events'];

// A gateway that counts the bytes of an answer to HEAD, as AWS's might, and the option that is there for it.

it.each([
  { heads: 'answered', target: 'front', verdict: 'failed' },
  { heads: 'redirected', target: 'front', verdict: 'ok' },
  { heads: 'redirected', target: 'front-full', verdict: 'ok' },
] as const)(
  'at such a gateway the probe heads is $verdict with heads=$heads, $target',
  {
    timeout: 90_000,
  },
  async ({ heads, target, verdict }) => {
    vi.stubEnv(ENV.heads, heads);
    vi.stubEnv('STOWAGE_AWS_HEAD_LENGTH', 'recomputed');
    onTestFinished(() => void vi.unstubAllEnvs());
    const started = await openTarget(target, await scratch()).catch((error: unknown) => {
      if (error instanceof TargetUnavailable) return undefined;
      throw error;
    });
    if (!started) return;
    onTestFinished(() => started.stop());
    const { url, admin } = started;
    const stowage = new Stowage(await scratch(), { DOCKER_CONFIG: await scratch() });
    const only = PROBES.flatMap((name) => ['--only', name]);
    const login = ['-u', admin?.username ?? '', '--password-stdin'];
    const command = ['doctor', url, '--json', ...only, ...login];
    const { stdout } = await stowage.run(command, admin?.password ?? '');
    const { probes } = JSON.parse(stdout) as Report;
    expect(probes.find(({ name }) => name === 'heads')).toMatchObject({ name: 'heads', verdict });
    if (heads === 'redirected') expect(probes.filter((probe) => probe.verdict !== 'ok')).toEqual([]);
  },
);
