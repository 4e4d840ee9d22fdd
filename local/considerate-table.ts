import { setImmediate } from 'node:timers/promises';
import type { Table } from '../functions/storage/table.ts';

/** The table for whoever has time: before each call those take their turn who wait for an answer. SQLite answers within the
 *  turn it is asked in, and a long row of such calls would hold up every request. */
export function considerate(table: Table): Table {
  const after = async <T>(call: () => Promise<T>): Promise<T> => {
    await setImmediate();
    return call();
  };
  return {
    get: (key) => after(() => table.get(key)),
    getMany: (keys) => after(() => table.getMany(keys)),
    query: (query) => after(() => table.query(query)),
    write: (operations) => after(() => table.write(operations)),
  };
}
