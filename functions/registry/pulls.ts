import { PULL_MEMORY_SECONDS, PULL_RECORD_SECONDS } from '../limits.ts';
import type { Reference, RepositoryName } from '../oci/reference.ts';
import type { Table } from '../storage/table.ts';
import { pullKey } from './keys.ts';
import type { Registry } from './registry.ts';

/** How many pulls a process remembers to have recorded; about 2 MB. */
const REMEMBERED = 10_000;

/** When each process recorded what, by the key's sort and partition: a pull reads nothing more for it. */
const recorded = new WeakMap<Table, Map<string, number>>();

/** Remembers that a tag or a manifest was pulled: once a day for each process that serves it, by one small write. A table
 *  that fails is no reason for a pull to fail. */
export async function recordPull(
  { table, now, afterwards }: Registry,
  repository: RepositoryName,
  reference: Reference,
): Promise<void> {
  const key = pullKey(repository, reference.kind === 'tag' ? reference.tag : reference.digest);
  const memory = recorded.get(table) ?? new Map<string, number>();
  recorded.set(table, memory);
  const id = `${key.partition} ${key.sort}`;
  const at = now();
  if (at - (memory.get(id) ?? 0) < PULL_RECORD_SECONDS * 1000) return;
  if (memory.size >= REMEMBERED) memory.clear();
  memory.set(id, at);
  const expiresAt = Math.floor(at / 1000) + PULL_MEMORY_SECONDS;
  const recording = table.write([{ put: key, attributes: { at, expiresAt } }]).then(
    () => undefined,
    () => void memory.delete(id),
  );
  if (afterwards) afterwards(recording);
  else await recording;
}
