import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type AwsPath, startAwsPath } from '../aws/aws-path.ts';
import { scratch } from '../scratch.ts';
import { imageOf, writeLayout } from './images.ts';
import { Stowage } from './program.ts';

// What docs/runbook.md promises of it where a gateway refuses each request once; other clients: test/clients/busy.ts.

let path: AwsPath | undefined;

beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true); // the log of its functions
  path = await startAwsPath();
}, 60_000);
afterAll(async () => {
  await path?.stop();
  vi.restoreAllMocks();
});

it.each(['gateway-429', 'gateway-503', 'gateway-504', 'front-503'] as const)(
  'stowage push gets through %s',
  { timeout: 60_000 },
  async (fault) => {
    if (!path) return;
    const { url, admin, faults } = path;
    const made = imageOf([randomBytes(6 * 1024 * 1024), randomBytes(1000)]);
    const environment = {
      STOWAGE_REGISTRY: url,
      STOWAGE_USERNAME: admin.username,
      STOWAGE_TOKEN: admin.password,
    };
    const stowage = new Stowage(await scratch(), { ...environment, DOCKER_CONFIG: await scratch() });
    const layout = await writeLayout({ made });
    faults.set({ [fault]: true });
    try {
      expect(await stowage.print(['push', layout, `busy/${fault}:1`])).toContain(made.manifest.digest);
    } finally {
      faults.set({ [fault]: false });
    }
  },
);
