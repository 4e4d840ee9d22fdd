import { repositoryKey } from '../registry/keys.ts';
import type { Registry } from '../registry/registry.ts';
import { findRepository, type Repository } from '../registry/repositories.ts';
import { equals } from '../storage/table.ts';
import type { SweepOptions } from './stage.ts';

/** The repository in the epoch that a sweep of this moment (milliseconds) sweeps in. An epoch that began in the future, by a clock that
 *  was wrong, begins now: a push has all of it, and the next sweep need not wait for that day. */
export function epochToSweep(repository: Repository, now: number, epochMs: number): Repository {
  const { epoch, epochAt } = repository;
  if (epochAt <= now && epochAt + epochMs > now) return repository;
  return { ...repository, epoch: epochAt <= now ? epoch + 1 : epoch, epochAt: now };
}

/** Raises the epoch where it has lasted long enough. Whoever loses here goes on in the epoch of whoever won. */
export async function advanceEpoch(
  registry: Registry,
  repository: Repository,
  { epochMs, dryRun }: SweepOptions,
): Promise<Repository> {
  const { name, epoch, epochAt } = repository;
  const advanced = epochToSweep(repository, registry.now(), epochMs);
  if (dryRun || advanced === repository) return advanced;
  const when = [equals('epoch', epoch), equals('epochAt', epochAt)];
  const [add, set] = [{ epoch: advanced.epoch - epoch }, { epochAt: advanced.epochAt }];
  const { committed } = await registry.table.write([{ update: repositoryKey(name), add, set, when }]);
  return committed ? advanced : ((await findRepository(registry, name)) ?? repository);
}
