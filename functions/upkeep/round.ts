import { MIN_EPOCH_SECONDS } from '../limits.ts';
import type { RepositoryName } from '../oci/reference.ts';
import {
  isDue,
  isDueAfter,
  policiesKey,
  repositoryKey,
  restingKey,
  sweeps,
  sweptRepositoryIn,
} from '../registry/keys.ts';
import type { Registry } from '../registry/registry.ts';
import { disturb, restIn } from '../registry/rest.ts';
import type { Item } from '../storage/table.ts';
import { longestRest, putOff } from './due.ts';
import type { SweepOptions } from './stage.ts';
import { sweepRepository } from './sweep.ts';

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
  await disturbAll(registry, options);
  const round = new Round(registry, options);
  while ((await round.pass()) && !round.isUp);
  return round.end();
}

/** Where policies have changed since repositories went to rest, they are disturbed: other things may go now. One that rests by the
 *  policies of now may be among them. Where time is up, the next round goes on. */
async function disturbAll(registry: Registry, { epochMs, until }: SweepOptions): Promise<void> {
  const [policies, resting] = await registry.table.getMany([policiesKey, restingKey]);
  const version = policies?.['version'] ?? 0;
  if (version === (resting?.['version'] ?? 0)) return;
  const soon = registry.now() + epochMs;
  for await (const name of repositoriesWhile(registry, 'descending', (item) => isDueAfter(item, soon))) {
    if (registry.now() >= until) return;
    await disturb(registry, name);
  }
  await registry.table.write([{ put: restingKey, attributes: { version } }]);
}

class Round {
  readonly #registry: Registry;
  readonly #options: SweepOptions;
  readonly #failures = new Map<RepositoryName, unknown>();
  #swept = 0;

  constructor(registry: Registry, options: SweepOptions) {
    [this.#registry, this.#options] = [registry, options];
  }

  get isUp(): boolean {
    return this.#registry.now() >= this.#options.until;
  }

  /** Tells whether any needs another turn. */
  async pass(): Promise<boolean> {
    let isLeft = false;
    for await (const name of dueRepositories(this.#registry, this.#options)) {
      if (this.#failures.has(name)) continue;
      isLeft = (await this.#turn(name)) || isLeft;
      if (this.isUp) break;
    }
    return isLeft;
  }

  /** Tells whether it needs another one; then it waits behind all that are due, and so does one that fails. */
  async #turn(name: RepositoryName): Promise<boolean> {
    const registry = this.#registry;
    const until = Math.min(this.#options.until, registry.now() + TURN_MS);
    try {
      const options = { ...this.#options, until, mostCalls: TURN_CALLS };
      const outcome = await sweepRepository(registry, name, options);
      if (outcome === 'done') this.#swept += 1;
      else await putOff(registry, name);
      return outcome === 'remaining';
    } catch (error) {
      this.#failures.set(name, error);
      await putOff(registry, name).catch(() => undefined);
      return false;
    }
  }

  end(): number {
    if (this.#failures.size > 0) throw new RoundFailed(this.#failures);
    return this.#swept;
  }
}

/** Those that are due, and then those whose time is further off than a sweep puts it, and an hour: a clock was wrong. Entries
 *  of repositories that were swept have moved on behind those of this moment. */
async function* dueRepositories(
  registry: Registry,
  { epochMs }: SweepOptions,
): AsyncGenerator<RepositoryName> {
  const started = registry.now();
  yield* repositoriesWhile(registry, 'ascending', (item) => isDue(item, started));
  const [now, hour] = [registry.now(), MIN_EPOCH_SECONDS * 1000];
  const furthest = now + longestRest(epochMs) + hour;
  if (!registry.doubt) yield* repositoriesWhile(registry, 'descending', (item) => isDueAfter(item, furthest));
  else yield* putTooFar(registry, { soon: now + epochMs + hour, furthest });
}

/** Where the host's clock may have been wrong, each item is asked, too: of those that are due later than an epoch from now, each
 *  rests since an epoch that has begun. */
async function* putTooFar(
  registry: Registry,
  { soon, furthest }: { soon: number; furthest: number },
): AsyncGenerator<RepositoryName> {
  for await (const items of entriesWhile(registry, 'descending', (item) => isDueAfter(item, soon))) {
    const names = items.map(sweptRepositoryIn);
    const stored = await registry.table.getMany(names.map(repositoryKey));
    for (const [index, item] of items.entries()) {
      const { rests = 0 } = stored[index] ? restIn(stored[index]) : {};
      const mayRest = rests > 0 && rests <= soon && !isDueAfter(item, furthest);
      if (!mayRest) yield sweptRepositoryIn(item);
    }
  }
}

async function* repositoriesWhile(...range: Parameters<typeof entriesWhile>): AsyncGenerator<RepositoryName> {
  for await (const items of entriesWhile(...range)) yield* items.map(sweptRepositoryIn);
}

async function* entriesWhile(
  { table }: Registry,
  direction: 'ascending' | 'descending',
  holds: (item: Item) => boolean,
): AsyncGenerator<readonly Item[]> {
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
    yield found;
    if (found.length < BATCH) return;
    after = found.at(-1)?.key.sort;
  }
}
