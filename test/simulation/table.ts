import {
  type Attributes,
  type Key,
  keyOf,
  type Operation,
  type Outcome,
  type Query,
  type Table,
} from '../../functions/storage/table.ts';
import { type Request, requestNow } from './requests.ts';
import type { World } from './world.ts';

/** The world's table: every call waits until the scheduler lets it happen. As on DynamoDB, reads of several items may come
 *  apart, and a write of one item without conditions may happen twice, the first time after the second; as on SQLite beside
 *  a directory of blobs, neither. */
export function scheduledTable(world: World): Table {
  return {
    get: (key) => {
      const as = plantedIn(world);
      return world.call({
        label: () => `get ${textOf(key)}`,
        run: async () => as(key, await world.table.get(key)),
      });
    },
    getMany: (keys) => getMany(world, keys),
    query: (query) => runQuery(world, query),
    write: async (operations) => {
      const request = requestNow();
      if (!request) return world.table.write(operations);
      const { plant } = world;
      const planted = plant.operations?.(operations, request.process) ?? operations;
      if (planted.length === 0) return { committed: true };
      const outcome = await write(world, request, planted);
      const later =
        outcome.committed && !request.signal.aborted && plant.later?.(request.process, operations);
      return later ? write(world, request, later) : outcome;
    },
  };
}

/** What the request that asks is to find. */
function plantedIn({ plant }: World) {
  const process = requestNow()?.process;
  return (key: Key, found: Attributes | undefined): Attributes | undefined =>
    process && found && plant.found ? plant.found(key, found, process) : found;
}

function getMany(world: World, keys: readonly Key[]) {
  const { table, kind } = world;
  const label = (wanted: readonly Key[]) => () => `get ${wanted.map(textOf).join(', ')}`;
  const as = plantedIn(world);
  const getAll = async (wanted: readonly Key[]) => {
    const found = await table.getMany(wanted);
    return found.map((item, index) => as(wanted[index] as Key, item));
  };
  const inTwo = async () => {
    const half = Math.ceil(keys.length / 2);
    const first = await getAll(keys.slice(0, half));
    const rest = keys.slice(half);
    return { label: label(rest), run: async () => [...first, ...(await getAll(rest))] };
  };
  return world.call({ label: label(keys), run: () => getAll(keys), ...(kind === 's3' && { inTwo }) });
}

function runQuery(world: World, query: Query) {
  const { table, plant, kind } = world;
  const label = () => `query ${query.partition} ${query.prefix ?? ''} after ${query.after ?? 'nothing'}`;
  const process = requestNow()?.process;
  const planted = async (asked: ReturnType<Table['query']>) => {
    const found = await asked;
    return (process && plant.items?.(query, found, process)) ?? found;
  };
  const inTwo = async () => {
    const first = await table.query({ ...query, limit: Math.min(2, query.limit) });
    const last = first.at(-1)?.key.sort;
    const rest = { ...query, limit: query.limit - first.length, ...(last !== undefined && { after: last }) };
    const run = async () => [...first, ...(rest.limit > 0 ? await table.query(rest) : [])];
    return { label, run: () => planted(run()) };
  };
  return world.call({ label, run: () => planted(table.query(query)), ...(kind === 's3' && { inTwo }) });
}

function write(world: World, request: Request, operations: readonly Operation[]): Promise<Outcome> {
  const [first] = operations;
  const isAlone = operations.length === 1 && first && ('put' in first || 'remove' in first) && !first.when;
  const isLate = request.signal.aborted;
  const isRepeatable = world.kind === 's3' && isAlone === true && !request.isAlone;
  const label = () => operations.map(operationText).join('; ');
  const run = async () => {
    const isRefused = world.isFull && !request.isAlone && world.random.chance(0.2);
    if (isRefused) throw world.inject(new Error('the database is full'));
    const outcome = await world.write(request, operations);
    if (isLate && outcome.committed && !operations.every(isCounting) && !operations.every(isTakingBack)) {
      world.violate(`7: ${request.process.task.is} changes something after its client was told of an error`);
    }
    return outcome;
  };
  const runTwice = async () => {
    world.carryOutLate({ request, label, run });
    return run();
  };
  const isTwice = isRepeatable && world.random.chance(0.1);
  return world.call({ label, run: isTwice ? runTwice : run, isRepeatable });
}

/** A request that has failed still steps back from its hold, and gives back what it has freed: `Q#` and `W#` only, in writes that
 *  touch nothing else. That is right: it tells of bytes of its own, which nobody else counts, and nothing that a client sees changes but the room. */
const isCounting = (operation: Operation) => /^[QW]#/.test(keyOf(operation).sort);

/** A push that has failed still takes back its edges, and that it is under way, in writes that touch nothing else: nobody but deletes and sweeps
 *  ever reads these, and whoever relies on them is ended by the same write. */
const isTakingBack = (operation: Operation) =>
  /^Y#/.test(keyOf(operation).sort)
    ? !('put' in operation) && (operation.when ?? []).some(({ is }) => is === 'equals')
    : 'remove' in operation && /^E#/.test(operation.remove.sort);

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
  'offset',
  'sealed',
  'links',
  'add',
  'epochAt',
  'deletedAt',
  'finished',
]);
