import type { ServerGroup } from '../server-group.ts';
import type { CallCounts } from './proxy.ts';
import type { Row } from './rows/row.ts';
import { type Site, startSites } from './sites.ts';
import type { CloudStores } from './stores.ts';

/** What one registry came to in one row. */
export interface Outcome {
  readonly site: Pick<Site, 'id' | 'name' | 'family'>;
  /** Milliseconds; none where the row is not for this registry. */
  readonly samples: readonly number[];
  /** To the stores, of one operation. */
  readonly calls: CallCounts;
}

export interface RowResult {
  readonly row: Row;
  readonly outcomes: readonly Outcome[];
  readonly notes: readonly string[];
}

interface Run {
  readonly rows: readonly Row[];
  readonly stores: CloudStores;
  readonly group: ServerGroup;
  readonly start: Omit<Parameters<typeof startSites>[0], 'stores' | 'group'>;
}

/** Prepares all rows with the stores next door; then starts every registry anew, so that none has anything in memory, and
 *  measures with the stores far away, the registries taking turns. */
export async function runRows({ rows, stores, group, start }: Run) {
  const before = await startSites({ ...start, stores, group });
  await stores.move('near');
  for (const row of rows) {
    for (const site of before.sites) {
      console.error(`${row.title}: preparing ${site.name}`);
      await row.prepare?.(site);
    }
  }
  await group.stop();
  const { sites, skipped } = await startSites({ ...start, stores, group });
  const results: RowResult[] = [];
  for (const row of rows) {
    await stores.move('near');
    for (const site of sites) await row.warmUp?.(site);
    results.push(await runRow(row, sites, stores));
  }
  return { results, skipped };
}

async function runRow(row: Row, sites: readonly Site[], stores: CloudStores): Promise<RowResult> {
  const tallies = new Map(
    sites.map((site) => [site, { samples: [] as number[], operations: 0, calls: {} as CallCounts }]),
  );
  const notes = new Set<string>();
  for (let round = 0; round < row.rounds; round += 1) {
    for (const [site, tally] of tallies) {
      await stores.move('far');
      const { samples, note, ...measured } = await row.measure(site, round);
      const calls = await stores.move('far');
      tally.samples.push(...samples);
      tally.operations += measured.operations ?? samples.length;
      for (const [name, count] of Object.entries(measured.calls ?? calls))
        tally.calls[name] = (tally.calls[name] ?? 0) + count;
      if (note !== undefined) notes.add(note);
      console.error(
        `${row.title}, ${site.name}: ${samples
          .slice(0, 5)
          .map((ms) => ms.toFixed(1))
          .join(', ')} ms`,
      );
    }
  }
  const outcomes = [...tallies].map(([site, { samples, operations, calls }]) => ({
    site,
    samples,
    calls: Object.fromEntries(
      Object.entries(calls).map(([name, count]) => [name, count / Math.max(1, operations)]),
    ),
  }));
  return { row, outcomes, notes: [...notes] };
}
