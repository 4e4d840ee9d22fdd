import type { Table } from '../storage/table.ts';

/** The table, and how often it was called. */
export function countCalls(table: Table): { readonly table: Table; readonly calls: () => number } {
  let count = 0;
  const counted = <T>(call: () => T): T => {
    count += 1;
    return call();
  };
  const { until, hasty } = table;
  return {
    calls: () => count,
    table: {
      get: (key) => counted(() => table.get(key)),
      getMany: (keys) => counted(() => table.getMany(keys)),
      query: (query) => counted(() => table.query(query)),
      write: (operations) => counted(() => table.write(operations)),
      ...(until && { until: (signal: AbortSignal) => until.call(table, signal) }),
      ...(hasty && { hasty: () => hasty.call(table) }),
    },
  };
}
