import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { openRepository } from '../../functions/registry/repositories.ts';
import { sweepRepository } from '../../functions/upkeep/sweep.ts';
import { DirectoryBlobStore } from '../../local/directory-blob-store.ts';
import { SqliteTable } from '../../local/sqlite-table.ts';
import { peakBytes, resetPeak } from '../process-usage.ts';
import { MeteredTable } from './metered-table.ts';
import { fillRepository } from './repository.ts';

// What a sweep of a large repository takes: memory, and what DynamoDB would bill for its reads and writes. The table is
// SQLite's; the counting is of the calls that the sweep makes.

const { values } = parseArgs({
  options: {
    images: { type: 'string', default: '10000' },
    blobs: { type: 'string', default: '10' },
    deleted: { type: 'string', default: '0' },
    limit: { type: 'string', default: '60' },
  },
});
const NAME = 'team/app' as RepositoryName;
const DAY = 24 * 60 * 60 * 1000;
const MEGABYTE = 1_000_000;

/** On demand, us-east-1, since November 2024: dollars for a million. */
const READ_PRICE = 0.125;
const WRITE_PRICE = 0.625;

await main();

async function main(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'stowage-sweep-'));
  const sqlite = new SqliteTable(join(directory, 'registry.sqlite'));
  const table = new MeteredTable(sqlite);
  let clock = Date.now();
  const registry: Registry = {
    table,
    blobs: await DirectoryBlobStore.open(directory),
    now: () => clock,
    steady: () => performance.now(),
    newId: randomUUID,
    pause: async () => undefined,
  };
  try {
    await openRepository(registry, NAME);
    const [images, blobsPerImage, deleted] = [values.images, values.blobs, values.deleted].map(Number);
    await fillRepository(sqlite, NAME, {
      images: images ?? 0,
      blobsPerImage: blobsPerImage ?? 0,
      deleted: deleted ?? 0,
    });
    process.stdout.write(`${values.images} images of ${values.blobs} blobs, ${values.deleted} deleted\n`);
    for (let sweep = 1; sweep <= 3; sweep += 1) {
      clock += DAY;
      await measure(sweep, registry, table);
    }
  } finally {
    sqlite.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function measure(sweep: number, registry: Registry, { units }: MeteredTable): Promise<void> {
  Object.assign(units, { calls: 0, reads: 0, writes: 0 });
  globalThis.gc?.();
  resetPeak(process.pid);
  const before = peakBytes(process.pid);
  const started = performance.now();
  const gone = new Map<string, number>();
  await sweepRepository(registry, NAME, {
    epochMs: DAY,
    quarantineMs: 0,
    until: Number.POSITIVE_INFINITY,
    report: ({ kind, action }) => {
      if (action === 'delete') gone.set(kind, (gone.get(kind) ?? 0) + 1);
    },
  });
  const seconds = (performance.now() - started) / 1000;
  const peak = (peakBytes(process.pid) - before) / MEGABYTE;
  const price = (units.reads * READ_PRICE + units.writes * WRITE_PRICE) / 1_000_000;
  const deleted = [...gone].map(([kind, count]) => `${count} ${kind}s`).join(', ') || 'nothing';
  process.stdout.write(
    `sweep ${sweep}: deletes ${deleted}; ${seconds.toFixed(1)} s, ${peak.toFixed(0)} MB more than before, ` +
      `${units.calls} calls, ${units.reads} read units, ${units.writes} write units: $${price.toFixed(4)}\n`,
  );
  if (peak > Number(values.limit)) process.exitCode = 1;
}
