import type { Item, Query, Table } from '../functions/storage/table.ts';
import { tableUntil } from '../functions/storage/until.ts';
import type { Visit } from './event-loop.ts';

/** Items that are read in one call, which may carry a manifest of 16 KiB each, and names, which do not. Either takes some
 *  milliseconds at most. */
const ITEMS_AT_ONCE = 64;
const NAMES_AT_ONCE = 1000;

/** The table for one visit. Its calls take turns with those of others, and a query is as many calls as leave none of them
 *  long. SQLite answers within the turn it is asked in, and a long row of such calls would hold up every request. */
export function considerate(table: Table, visit: Visit): Table {
  return {
    get: (key) => visit.take(() => table.get(key)),
    getMany: (keys) => visit.take(() => table.getMany(keys)),
    query: (query) => queryInParts(query, (part) => visit.take(() => table.query(part))),
    write: (operations) => visit.take(() => table.write(operations)),
    // The signal may fire while a call waits for its turn: then it does not begin.
    until: (signal) => considerate(tableUntil(table, signal), visit),
  };
}

async function queryInParts(
  query: Query,
  read: (part: Query) => Promise<readonly Item[]>,
): Promise<readonly Item[]> {
  const most = query.keysOnly ? NAMES_AT_ONCE : ITEMS_AT_ONCE;
  if (query.limit <= most) return read(query);
  const found: Item[] = [];
  for (let { after } = query; ; after = found.at(-1)?.key.sort) {
    const limit = Math.min(query.limit - found.length, most);
    const part = await read({ ...query, limit, ...(after !== undefined && { after }) });
    found.push(...part);
    if (part.length < limit || found.length === query.limit) return found;
  }
}
