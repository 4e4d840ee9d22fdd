import type { RepositoryName } from '../oci/reference.ts';
import { isDue, sweeps, sweptRepositoryIn } from '../registry/keys.ts';
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
  for await (const name of dueRepositories(registry)) {
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

/** Entries of repositories that were swept have moved on behind those of this moment. */
async function* dueRepositories({ table, now }: Registry): AsyncGenerator<RepositoryName> {
  const started = now();
  let after: string | undefined;
  for (;;) {
    const range = { ...sweeps, limit: BATCH, keysOnly: true, ...(after !== undefined && { after }) };
    const due = (await table.query(range)).filter((item: Item) => isDue(item, started));
    yield* due.map(sweptRepositoryIn);
    if (due.length < BATCH) return;
    after = due.at(-1)?.key.sort;
  }
}
