import type { Registry } from '../functions/registry/registry.ts';
import type { Table } from '../functions/storage/table.ts';
import { EventLoop, type Visit } from './event-loop.ts';

/** The registry whose visits let others have their turn: with what they compute, and by `tableOf` with what they ask of the
 *  table. */
export function sharingLoop(
  registry: Registry,
  tableOf: (table: Table, visit: Visit) => Table = (table) => table,
): Registry {
  const loop = new EventLoop(registry.steady);
  return {
    ...registry,
    visit(table, isJob) {
      const visit = loop.visit(isJob);
      return { table: tableOf(table, visit), giveWay: () => visit.giveWay() };
    },
  };
}
