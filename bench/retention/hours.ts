import { randomUUID } from 'node:crypto';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { sweepProgressKey } from '../../functions/registry/keys.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { findRepository } from '../../functions/registry/repositories.ts';
import type { BlobStore } from '../../functions/storage/blob-store.ts';
import type { Table } from '../../functions/storage/table.ts';
import { sweepDue } from '../../functions/upkeep/round.ts';
import { DISTANCES } from '../cloud/settings.ts';
import { peakBytes, resetPeak } from '../process-usage.ts';
import type { Units } from '../sweep/metered-table.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const { latencyMs: LATENCY_MS, bytesPerSecond: BYTES_PER_SECOND } = DISTANCES.dynamoDb;
/** Of a read unit. */
const READ_BYTES = 4096;

/** What the sweep function has of Lambda's 15 minutes. */
const RUN_MS = 14 * MINUTE_MS;

/** One day of a registry: what its hourly jobs took. */
export interface Day extends Units {
  readonly day: number;
  /** Of those that had anything to do. */
  readonly runs: number;
  /** How long another repository that was due waited for its sweep after a run began; 0 where no sweep began an epoch, which would
   *  tell; infinite where one waited in vain. */
  readonly othersAfterMs: number;
  /** Whether the large one was swept to its end. */
  readonly isDone: boolean;
  /** Bytes that were resident at most. */
  readonly peak: number;
  readonly seconds: number;
  /** What went, by kind. */
  readonly gone: Readonly<Record<string, number>>;
}

interface Stores {
  readonly counted: Table;
  readonly units: Units;
  readonly table?: Table;
  readonly blobs: BlobStore;
}

/** A registry whose time goes on with the calls of its table alone, each as long as DynamoDB takes in the bench's cloud part: how
 *  many runs something needs is then the same on every machine. Calls at once count as one after the other. */
export class MovedRegistry {
  readonly registry: Registry;
  /** Neither takes time nor counts. */
  readonly bare: Registry;
  readonly #units: Units;
  #now: number;
  #counted: Units = { calls: 0, reads: 0, writes: 0 };

  /** `units` is what the calls of `counted` have used so far; those of `table` are not in it. */
  constructor({ counted, units, table = counted, blobs }: Stores, now: number) {
    [this.#now, this.#units] = [now, units];
    const time = () => Math.floor(this.#now);
    const steps = { now: time, steady: time, newId: randomUUID, pause: async () => undefined };
    this.registry = { table: this.#timed(counted), blobs, ...steps };
    this.bare = { table, blobs, ...steps };
  }

  get units(): Units {
    return { ...this.#units };
  }

  moveTo(time: number): void {
    this.#now = Math.max(this.#now, time);
  }

  #timed(table: Table): Table {
    const timed = async <T>(answer: Promise<T>): Promise<T> => {
      await answer;
      this.#goOn();
      return answer;
    };
    return {
      get: (key) => timed(table.get(key)),
      getMany: (keys) => timed(table.getMany(keys)),
      query: (query) => timed(table.query(query)),
      write: (operations) => timed(table.write(operations)),
    };
  }

  /** By what was counted since it went on last. */
  #goOn(): void {
    const { calls, reads } = since(this.#counted, this.#units);
    this.#now += calls * LATENCY_MS + (1000 * reads * READ_BYTES) / BYTES_PER_SECOND;
    this.#counted = { ...this.#units };
  }
}

const since = (before: Units, { calls, reads, writes }: Units): Units => ({
  calls: calls - before.calls,
  reads: reads - before.reads,
  writes: writes - before.writes,
});

/** Has the hourly job run for a day, and answers what that took. `others` are the small repositories beside the large one. */
export async function liveDay(moved: MovedRegistry, { day, started, large, others }: Living): Promise<Day> {
  const { registry, bare, units: before } = moved;
  resetPeak(process.pid);
  const begun = performance.now();
  const gone: Record<string, number> = {};
  let [runs, othersAfterMs] = [0, 0];
  for (let hour = 0; hour < 24; hour += 1) {
    moved.moveTo(started + day * DAY_MS + hour * HOUR_MS);
    const began = registry.now();
    const due = await dueAt(bare, [large, ...others], began);
    if (due.length === 0) continue;
    runs += 1;
    await sweepDue(registry, {
      ...{ epochMs: DAY_MS, quarantineMs: DAY_MS, until: began + RUN_MS },
      report({ action, kind }) {
        if (action === 'delete') gone[kind] = (gone[kind] ?? 0) + 1;
      },
    });
    for (const name of due) {
      if (name !== large) othersAfterMs = Math.max(othersAfterMs, await servedAfter(bare, name, began));
    }
  }
  const isDone = (await bare.table.get(sweepProgressKey(large))) === undefined;
  const seconds = (performance.now() - begun) / 1000;
  const peak = peakBytes(process.pid);
  return { day, runs, othersAfterMs, isDone, gone, seconds, peak, ...since(before, moved.units) };
}

interface Living {
  readonly day: number;
  /** When the first day began; milliseconds since 1970. */
  readonly started: number;
  readonly large: RepositoryName;
  readonly others: readonly RepositoryName[];
}

async function dueAt(registry: Registry, names: readonly RepositoryName[], time: number) {
  const found = await Promise.all(names.map((name) => findRepository(registry, name)));
  return names.filter((_, index) => (found[index]?.sweepDue ?? Number.POSITIVE_INFINITY) <= time);
}

/** How long after the run began the sweep of the repository did, which is over; infinite where it is not. */
async function servedAfter(registry: Registry, name: RepositoryName, began: number): Promise<number> {
  const found = await findRepository(registry, name);
  return found && found.sweepDue > registry.now() ? found.epochAt - began : Number.POSITIVE_INFINITY;
}
