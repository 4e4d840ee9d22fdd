import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ENV } from '../functions/environment.ts';
import type { Registry } from '../functions/registry/registry.ts';
import type { Compared, DeepScan } from '../functions/upkeep/comparison.ts';
import { type Mismatch, type Scan, scanObjects } from '../functions/upkeep/orphans.ts';
import { openExisting } from './embedded.ts';

// `stowage scan`: compares the objects with what the table says of them, and changes nothing but marks. A program on the
// stores, not an endpoint of the API: it reads all of both, which takes longer than a request may, and is wanted most when
// something is wrong. One line for each mismatch on standard output.

const { values: options } = parseArgs({
  options: {
    /** The DynamoDB table, and the S3 bucket, reached by the usual AWS configuration. */
    table: { type: 'string' },
    bucket: { type: 'string' },
    region: { type: 'string' },
    /** The data directory of a registry that is stopped. */
    data: { type: 'string' },
    /** Compares bytes with digests, of this percentage of the objects. */
    deep: { type: 'string' },
    mark: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

/** How often it is told how far a deep scan has come. */
const PROGRESS_MS = 10_000;

await main().catch((error: unknown) => {
  process.stderr.write(`stowage: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
});

/** Ends with 1 where the stores do not agree. */
async function main(): Promise<void> {
  const { registry, close } = await open();
  const counts = { unknown: 0, missing: 0, damaged: 0 };
  let wasted = 0;
  const report = (mismatch: Mismatch) => {
    counts[mismatch.is] += 1;
    if (mismatch.is === 'unknown') wasted += mismatch.size;
    process.stdout.write(`${options.json ? JSON.stringify(mismatch) : lineOf(mismatch)}\n`);
  };
  try {
    const { mark } = options;
    const deep = options.deep === undefined ? {} : { deep: deepScan(Number(options.deep) / 100) };
    const { objects, bytes, ...scan } = await scanObjects(registry, { report, mark, ...deep });
    const { unknown, missing, damaged } = counts;
    if (options.deep !== undefined) tell(comparedText(scan.compared));
    tell(
      `${objects} objects, ${bytes} bytes: ${unknown} unknown (${wasted} bytes), ${missing} missing, ${damaged} damaged`,
    );
    if (mark && missing + damaged > 0) tell(markedText(scan.unmarked));
    if (unknown + missing + damaged > 0) process.exitCode = 1;
  } finally {
    await close();
  }
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

function comparedText({ objects, bytes }: Compared): string {
  return `${objects} objects, ${bytes} bytes compared with their digests`;
}

function markedText({ count, cause }: Scan['unmarked']): string {
  return count === 0
    ? 'marked: clients are told that these are not there, and their next push heals them'
    : `${count} could not be marked, so that clients may not send them again: ${cause}`;
}

function deepScan(share: number): DeepScan {
  let told = Date.now();
  const progress = (compared: Compared) => {
    if (Date.now() - told < PROGRESS_MS) return;
    told = Date.now();
    tell(`${comparedText(compared)} so far`);
  };
  return { progress, choose: () => Math.random() < share };
}

interface OpenStore {
  readonly registry: Registry;
  close(): Promise<void>;
}

async function open(): Promise<OpenStore> {
  const { table, bucket, region, data } = options;
  if (data !== undefined) return openExisting(resolve(data), tell);
  if (table === undefined || bucket === undefined)
    throw new Error('name one store: --table with --bucket, or --data');
  // Loaded only here: a directory needs no AWS SDK.
  const { createAwsRegistry } = await import('../functions/aws.ts');
  if (region !== undefined) process.env['AWS_REGION'] = region;
  const { registry } = createAwsRegistry({ ...process.env, [ENV.table]: table, [ENV.bucket]: bucket });
  return { registry, close: async () => undefined };
}

/** `missing  blobs/…  blob sha256:… of team/app, needed by v1, latest` */
function lineOf(mismatch: Mismatch): string {
  const { is, objectKey } = mismatch;
  const start = `${is.padEnd('unknown'.length)}  ${objectKey}  `;
  if (is === 'unknown') {
    return `${start}${mismatch.size} bytes, written ${new Date(mismatch.writtenAt).toISOString()}`;
  }
  const { kind, digest, repository, tags } = mismatch;
  const needed = tags.length > 0 ? `, needed by ${tags.join(', ')}` : '';
  return `${start}${kind} ${digest} of ${repository}${needed}`;
}
