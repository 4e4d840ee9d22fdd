import { MIN_EPOCH_SECONDS } from '../limits.ts';
import type { RepositoryName } from '../oci/reference.ts';
import { isDue, isDueAfter, sweeps, sweptRepositoryIn } from '../registry/keys.ts';
import type { Registry } from '../registry/registry.ts';
import type { Item } from '../storage/table.ts';
import type { SweepOptions } from './stage.ts';
import { putOff, sweepRepository } from './sweep.ts';

/** How many entries are read at once. */
const BATCH = 100;

/** Ours: how long one repository keeps others waiting. What it needs more, it gets once they had their turn. */
const TURN_MS = 3 * 60_000;
const TURN_CALLS = 50_000;

/** Repositories that could not be swept; the others were. */
class RoundFailed extends Error {
  override readonly name = 'RoundFailed';

  constructor(failures: ReadonlyMap<RepositoryName, unknown>) {
    const [first] = failures.values();
    super(`could not sweep ${[...failures.keys()].join(', ')}`, { cause: first });
  }
}

/** Sweeps every repository that is due, the longest due first, each for one turn; then those that need more take another, until
 *  none does or time is up. The next round goes on with those that waited longest. Answers how many were swept to their end. One
 *  that fails keeps no other from being swept, and then fails the round. */
export async function sweepDue(registry: Registry, options: SweepOptions): Promise<number> {
  const failures = new Map<RepositoryName, unknown>();
  let swept = 0;
  const isUp = () => registry.now() >= options.until;
  for (let isLeft = true; isLeft; ) {
    isLeft = false;
    for await (const name of dueRepositories(registry, options)) {
      if (failures.has(name)) continue;
      const outcome = await sweepTurn(registry, name, options).catch(async (error: unknown) => {
        failures.set(name, error);
        await putOff(registry, name).catch(() => undefined);
        return 'failed';
      });
      if (outcome === 'done') swept += 1;
      if (outcome === 'remaining') isLeft = true;
      if (isUp()) break;
    }
    if (isUp()) break;
  }
  if (failures.size > 0) throw new RoundFailed(failures);
  return swept;
}

/** One that needs more waits behind all that are due. */
async function sweepTurn(registry: Registry, name: RepositoryName, options: SweepOptions) {
  const until = Math.min(options.until, registry.now() + TURN_MS);
  const outcome = await sweepRepository(registry, name, { ...options, until, mostCalls: TURN_CALLS });
  if (outcome === 'remaining') await putOff(registry, name);
  return outcome;
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
