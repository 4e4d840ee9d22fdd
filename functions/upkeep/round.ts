import { MIN_EPOCH_SECONDS } from '../limits.ts';
import type { RepositoryName } from '../oci/reference.ts';
import { isDue, isDueAfter, sweeps, sweptRepositoryIn } from '../registry/keys.ts';
import type { Registry } from '../registry/registry.ts';
import type { Item } from '../storage/table.ts';
import type { SweepOptions } from './stage.ts';
import { sweepRepository } from './sweep.ts';

/** How many entries are read at once. */
const BATCH = 100;

/** Repositories that could not be swept; the others were. */
class RoundFailed extends Error {
  override readonly name = 'RoundFailed';

  constructor(failures: readonly (readonly [RepositoryName, unknown])[]) {
    const names = failures.map(([name]) => name).join(', ');
    super(`could not sweep ${names}`, { cause: failures[0]?.[1] });
  }
}

/** Sweeps every repository that is due, the longest due first, until there is none or time is up; the next round goes on.
 *  Answers how many were swept to their end. One that fails keeps no other from being swept, and then fails the round. */
export async function sweepDue(registry: Registry, options: SweepOptions): Promise<number> {
  const failures: (readonly [RepositoryName, unknown])[] = [];
  let swept = 0;
  for await (const name of dueRepositories(registry, options)) {
    try {
      const outcome = await sweepRepository(registry, name, options);
      if (outcome === 'done') swept += 1;
    } catch (error) {
      failures.push([name, error]);
    }
    if (registry.now() >= options.until) break;
  }
  if (failures.length > 0) throw new RoundFailed(failures);
  return swept;
}

/** Those that are due, and then those whose time is further off than a sweep puts it, and an hour: a clock was wrong. Entries
 *  of repositories that were swept have moved on behind those of this moment. */
async function* dueRepositories(
  registry: Registry,
  { epochMs }: SweepOptions,
): AsyncGenerator<RepositoryName> {
  const started = registry.now();
  yield* repositoriesWhile(registry, 'ascending', (item) => isDue(item, started));
  const furthest = registry.now() + epochMs + MIN_EPOCH_SECONDS * 1000;
  yield* repositoriesWhile(registry, 'descending', (item) => isDueAfter(item, furthest));
}

async function* repositoriesWhile(
  { table }: Registry,
  direction: 'ascending' | 'descending',
  holds: (item: Item) => boolean,
): AsyncGenerator<RepositoryName> {
  let after: string | undefined;
  for (;;) {
    const range = {
      ...sweeps,
      direction,
      limit: BATCH,
      keysOnly: true,
      ...(after !== undefined && { after }),
    };
    const found = (await table.query(range)).filter(holds);
    yield* found.map(sweptRepositoryIn);
    if (found.length < BATCH) return;
    after = found.at(-1)?.key.sort;
  }
}
