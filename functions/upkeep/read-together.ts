import type { RepositoryName } from '../oci/reference.ts';
import type { Registry } from '../registry/registry.ts';
import { lasting, visit } from '../registry/until.ts';
import type { Table } from '../storage/table.ts';
import { type Contents, type Reading, readContents } from './contents.ts';

/** Ours: repositories that one process reads at once; of 200,000 blobs each takes some 100 MB. */
const AT_ONCE = 2;

/** What a process reads now, by what is read. */
const underWay = new WeakMap<Table, Map<string, Promise<Contents | undefined>>>();

/** As `readContents`, once for all who ask for the same meanwhile, however many they are; the others wait, or have no time
 *  left. One that was begun goes on when whoever asked has gone: another one may wait for it. */
export async function readTogether(
  registry: Registry,
  name: RepositoryName,
  reading: Reading,
): Promise<Contents | undefined> {
  const process = lasting(registry);
  const readings = underWay.get(process.table) ?? new Map<string, Promise<Contents | undefined>>();
  underWay.set(process.table, readings);
  const what = `${reading.withLinks ? 'links' : ''} ${name}`;
  for (let found = readings.get(what); ; found = readings.get(what)) {
    if (found) return found;
    if (registry.now() >= reading.until) return undefined;
    if (readings.size < AT_ONCE) break;
    await Promise.race(readings.values()).catch(() => undefined); // that is told to whoever asked for it
  }
  const begun = readContents(visit(process), name, reading);
  readings.set(what, begun);
  return begun.finally(() => readings.delete(what));
}
