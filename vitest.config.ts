import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { defineConfig } from 'vitest/config';
import { TimeReport } from './test/time-report.ts';

/** What searches, and finds the more the longer it runs, and what starts a deployment for each of many faults or sends
 *  gigabytes. `npm run test:deep` runs these, `npm test` all others, `npx vitest run test/model` whatever it names. */
const DEEP = [
  'test/model/**',
  'test/simulation/**',
  'test/kill/**',
  'test/machine/**',
  'test/attacks/{closings,contention,grants,long-names,quota-lanes}.test.ts',
  'test/attacks/slow-*.test.ts',
  'test/auth/{matrix,properties}.test.ts',
  'test/cli/push-{busy,direct,network}.test.ts',
  'test/edge/njs.test.ts',
  'test/fuzz/requests.test.ts',
  'test/upkeep/{estate,retention-oracle,retention-plants}.test.ts',
  'test/oci/go-decoder.test.ts',
  'test/stack/cfn-lint.test.ts',
  'test/aws/faults.test.ts',
  'test/aws/lambda-runtime.test.ts',
  'test/aws/front/doctor{,-wake}.test.ts',
  'test/aws/front/{flips,heads,memory}.test.ts',
  'test/cli/doctor.test.ts',
  'test/cli/doctor-embedded.test.ts',
  'test/local/memory.test.ts',
  'test/local/stalls.test.ts',
  'test/ui/**',
];

/** Folders whose test files leave nothing behind in a process, neither mocks nor variables: those that follow one another take over
 *  the modules that are loaded, which spares a third of the work. */
const SHARING =
  'test/{aws/s3,conformance,edge,http,lint,local,management,oci,registry,stack,upkeep,wire}/**/*.test.ts';

const quickPasswords = join(import.meta.dirname, 'test/quick-passwords.mjs');

export default defineConfig({
  test: {
    // By itself vitest leaves a processor free, which is half of a machine that has two.
    maxWorkers: '100%',
    // Tests write to real disks and start real processes; the default of 5 s is for neither.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // By itself a second, which a busy machine may take for anything.
    expect: { poll: { timeout: 20_000 } },
    setupFiles: [quickPasswords],
    env: { NODE_OPTIONS: `--import=${pathToFileURL(quickPasswords)}` },
    reporters: ['default', new TimeReport()],
    projects: [
      { extends: true, test: { name: 'quick', include: ['test/**/*.test.ts'], exclude: [...DEEP, SHARING] } },
      { extends: true, test: { name: 'shared', include: [SHARING], exclude: DEEP, isolate: false } },
      { extends: true, test: { name: 'deep', include: DEEP.map(testsIn) } },
    ],
  },
});

function testsIn(pattern: string): string {
  return pattern.replace(/\*\*$/, '**/*.test.ts');
}
