import {
  type Key,
  keyOf,
  type Operation,
  type Outcome,
  type Query,
  type Table,
} from '../../functions/storage/table.ts';
import type { Call, Process, World } from './world.ts';

/** The world's table as one process sees it: every call waits until the scheduler lets it happen. Reads of several
 *  items may come apart, and a write of one item without conditions may happen again at any time after its answer, as on DynamoDB. */
export function scheduledTable(world: World, process: Process): Table {
  const { table, plant } = world;
  return {
    get: (key) =>
      world.call(process, {
        label: () => `get ${textOf(key)}`,
        run: async () => {
          const found = await table.get(key);
          return plant.found && found ? plant.found(key, found, process) : found;
        },
      }),
    getMany: (keys) => getMany(world, process, keys),
    query: (query) => runQuery(world, process, query),
    write: async (operations) => {
      const planted = plant.operations?.(operations, process) ?? operations;
      if (planted.length === 0) return { committed: true };
      const outcome = await write(world, process, planted);
      const later = outcome.committed && plant.later?.(process, operations);
      return later ? write(world, process, later) : outcome;
    },
  };
}

function getMany(world: World, process: Process, keys: readonly Key[]) {
  const { table } = world;
  const label = (wanted: readonly Key[]) => () => `get ${wanted.map(textOf).join(', ')}`;
  return world.call(process, {
    label: label(keys),
    run: () => table.getMany(keys),
    inTwo: async () => {
      const half = Math.ceil(keys.length / 2);
      const first = await table.getMany(keys.slice(0, half));
      const rest = keys.slice(half);
      return {
        process,
        label: label(rest),
        run: async () => [...first, ...(await table.getMany(rest))],
      } as Call;
    },
  });
}

function runQuery(world: World, process: Process, query: Query) {
  const { table, plant } = world;
  const label = () => `query ${query.partition} ${query.prefix ?? ''} after ${query.after ?? 'nothing'}`;
  const planted = async (found: ReturnType<Table['query']>) =>
    plant.items?.(query, await found, process) ?? found;
  return world.call(process, {
    label,
    run: () => planted(table.query(query)),
    inTwo: async () => {
      const first = await table.query({ ...query, limit: Math.min(2, query.limit) });
      const last = first.at(-1)?.key.sort;
      const rest = {
        ...query,
        limit: query.limit - first.length,
        ...(last !== undefined && { after: last }),
      };
      const run = async () => [...first, ...(rest.limit > 0 ? await table.query(rest) : [])];
      return { process, label, run: () => planted(run()) } as Call;
    },
  });
}

function write(world: World, process: Process, operations: readonly Operation[]): Promise<Outcome> {
  const [first] = operations;
  const isAlone =
    operations.length === 1 && first && ('put' in first || 'remove' in first) && !first.when?.length;
  const label = () => operations.map(operationText).join('; ');
  const run = () => world.write(process, operations);
  if (!isAlone) return world.call(process, { label, run });
  return world.call(process, {
    label,
    run: async () => {
      const outcome = await run();
      world.perhapsLater(process, { label: () => `once more, late: ${label()}`, run });
      return outcome;
    },
  });
}

const textOf = ({ partition, sort }: Key) => `${partition} ${sort}`;

function operationText(operation: Operation): string {
  const [verb = ''] = Object.keys(operation);
  const { set, add } = 'update' in operation ? operation : { set: undefined, add: undefined };
  const values = 'put' in operation ? operation.attributes : { ...set, ...(add && { add }) };
  const short = Object.entries(values).filter(([name]) => TOLD.has(name));
  const told = short.length > 0 ? ` ${JSON.stringify(Object.fromEntries(short))}` : '';
  const when = (operation.when ?? []).map((condition) =>
    'value' in condition ? `${condition.attribute} ${condition.is} ${condition.value}` : condition.is,
  );
  return `${verb} ${textOf(keyOf(operation))}${told}${when.length > 0 ? ` if ${when.join(' and ')}` : ''}`;
}

/** What is worth telling in a timeline. */
const TOLD = new Set([
  'touched',
  'digest',
  'objectKey',
  'state',
  'links',
  'add',
  'epochAt',
  'deletedAt',
  'finished',
]);
