import type { CallCounts } from '../proxy.ts';
import type { Site } from '../sites.ts';

/** One line of the comparison. */
export interface Row {
  /** What one sample is. */
  readonly title: string;
  /** At least so many times as fast as the CNCF registry is what we want to be. @default 1 */
  readonly goal?: number;
  /** Whether a registry may answer from memory: such rows are a table of their own, without a goal. @default false */
  readonly isAgain?: boolean;
  readonly rounds: number;
  /** Brings about what is measured, with the stores next door. @default there is nothing to bring about */
  readonly prepare?: (site: Site) => Promise<void>;
  /** Brings a process up to speed, with the stores next door, by requests for other things than are measured, or for what no
   *  registry keeps in memory. @default nothing does */
  readonly warmUp?: (site: Site) => Promise<unknown>;
  /** One round, with the stores far away. */
  readonly measure: (site: Site, round: number) => Promise<Measured>;
}

interface Measured {
  /** Milliseconds each. */
  readonly samples: readonly number[];
  /** How many operations the calls to the stores are of. @default as many as there are samples */
  readonly operations?: number;
  /** Where not all calls of the round are of these operations: those that are. */
  readonly calls?: CallCounts;
  /** What a reader has to know of these figures. */
  readonly note?: string;
}

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Each by itself, one after the other. */
export async function timedEach<T>(
  items: Iterable<T>,
  work: (item: T) => Promise<unknown>,
): Promise<number[]> {
  const samples: number[] = [];
  for (const item of items) samples.push(await timed(() => work(item)));
  return samples;
}

/** Prepares something once for all registries that answer from the same data. */
export function oncePerFamily(work: (site: Site) => Promise<void>): (site: Site) => Promise<void> {
  const done = new Map<string, Promise<void>>();
  return (site) => {
    const started = done.get(site.family) ?? work(site);
    done.set(site.family, started);
    return started;
  };
}
