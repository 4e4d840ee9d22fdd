import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startAwsStores } from '../../test/aws/stores.ts';
import { type Bundle, bundle } from './bundle.ts';
import { type Candidate, measure } from './measure.ts';
import { MAX_BUNDLE_BYTES, report } from './report.ts';
import { API, type Subject, subjects } from './subjects.ts';

const ROOT = join(import.meta.dirname, '../..');

/** What a new Lambda container of the API does before its first answer, on this machine: how large its code is, and
 *  how long it takes. `--write` publishes it. */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { write: { type: 'boolean', default: false } } });
  const workspace = await mkdtemp(join(tmpdir(), 'stowage-cold-start-'));
  const stores = await startAwsStores();
  try {
    if (!stores) throw new Error('no DynamoDB server for this platform; name one in STOWAGE_TEST_DYNAMODB');
    Object.assign(process.env, stores.environment);
    const all = await subjects();
    const bundles = await bundlesOf(all, workspace);
    const api = bundles.get(API) as Bundle;
    const candidates = all.map((subject) => candidate(subject, bundles));
    const starts = await measure(candidates, ROOT, { ...stores.environment, ...lambda(workspace) });
    const text = report({ root: ROOT, bundle: api, starts });
    process.stdout.write(text);
    if (values.write) await writeFile(join(ROOT, 'docs/cold-start.md'), text);
    if (api.bytes >= MAX_BUNDLE_BYTES) process.exitCode = 1;
  } finally {
    await stores?.stop();
    await rm(workspace, { recursive: true });
  }
}

/** What Lambda sets and the SDK looks at, and a home in which nobody has left a configuration. */
function lambda(home: string): Record<string, string> {
  return {
    HOME: home,
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: 'stowage',
    AWS_SESSION_TOKEN: 'only-on-this-machine',
  };
}

async function bundlesOf(all: readonly Subject[], workspace: string): Promise<ReadonlyMap<string, Bundle>> {
  const entries = [...new Set(all.map(({ entry }) => entry))];
  const made = entries.map(async (entry) => [entry, await bundle(entry, ROOT, workspace)] as const);
  return new Map(await Promise.all(made));
}

function candidate(subject: Subject, bundles: ReadonlyMap<string, Bundle>): Candidate {
  return { subject, bundle: bundles.get(subject.entry)?.path ?? '' };
}

await main();
