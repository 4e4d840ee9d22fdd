import { PULL_MEMORY_SECONDS, PULL_RECORD_SECONDS } from '../limits.ts';
import type { Reference, RepositoryName } from '../oci/reference.ts';
import { equals, type Key, type Table } from '../storage/table.ts';
import { isIgnored } from './ignored-pulls.ts';
import { pullKey } from './keys.ts';
import type { Registry } from './registry.ts';
import { lasting } from './until.ts';

/** How many pulls a process remembers to have recorded; about 2 MB. */
const REMEMBERED = 10_000;

/** When each process recorded what, by the key's sort and partition: a pull reads nothing more for it. */
const recorded = new WeakMap<Table, Map<string, number>>();

/** Remembers that a tag or a manifest was pulled, unless a policy ignores who pulled it: once a day for each process that serves
 *  it, by one small write. A table
 *  that fails is no reason for a pull to fail. */
export async function recordPull(
  registry: Registry,
  repository: RepositoryName,
  reference: Reference,
): Promise<void> {
  const record = async (within: Registry) => void (await beginRecord(within, repository, reference)?.written);
  if (registry.afterwards) registry.afterwards(() => record(lasting(registry)));
  else await record(registry);
}

/** As `recordPull`, of a pull that `answer` answers. Where the record has to be waited for, it is written while the answer
 *  is found, and taken back where there is none. */
export async function recordPullOf<T>(
  registry: Registry,
  repository: RepositoryName,
  reference: Reference,
  answer: () => Promise<T>,
): Promise<T> {
  if (registry.afterwards) {
    const found = await answer();
    await recordPull(registry, repository, reference);
    return found;
  }
  const answering = answer();
  const record = beginRecord(registry, repository, reference);
  try {
    const found = await answering;
    await record?.written;
    return found;
  } catch (error) {
    await record?.takeBack();
    throw error;
  }
}

interface PullRecord {
  /** Whether it was. Never fails. */
  readonly written: Promise<boolean>;
  /** Never fails. Another process's record, which is of another moment, stays. */
  takeBack(): Promise<void>;
}

/** Begins to write it; `undefined` where this process did within a day. */
function beginRecord(
  registry: Registry,
  repository: RepositoryName,
  reference: Reference,
): PullRecord | undefined {
  const { table, now } = registry;
  const key = pullKey(repository, reference.kind === 'tag' ? reference.tag : reference.digest);
  const process = lasting(registry).table;
  const memory = recorded.get(process) ?? new Map<string, number>();
  recorded.set(process, memory);
  const id = `${key.partition} ${key.sort}`;
  const at = now();
  if (at - (memory.get(id) ?? 0) < PULL_RECORD_SECONDS * 1000) return undefined;
  const forget = () => memory.delete(id);
  const record = async () => {
    if (await isIgnored(registry, repository)) return false;
    if (memory.size >= REMEMBERED) memory.clear();
    memory.set(id, at);
    await write(table, key, at);
    return true;
  };
  const written = record().catch(() => {
    forget();
    return false;
  });
  return {
    written,
    async takeBack() {
      if (!(await written)) return;
      forget();
      await table.write([{ remove: key, when: [equals('at', at)] }]).catch(() => undefined);
    },
  };
}

async function write(table: Table, key: Key, at: number): Promise<void> {
  const expiresAt = Math.floor(at / 1000) + PULL_MEMORY_SECONDS;
  await table.write([{ put: key, attributes: { at, expiresAt } }]);
}
