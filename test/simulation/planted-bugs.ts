import {
  type Attributes,
  type Condition,
  type Key,
  keyOf,
  type Operation,
} from '../../functions/storage/table.ts';
import { PLANTED_STORE_BUGS } from './planted-store-bugs.ts';
import { having, type Plant } from './plants.ts';
import type { Process } from './requests.ts';

// Each is a line that somebody could leave out of the registry, or put in the wrong place.

type Drop = (condition: Condition) => boolean;

const isKind = (key: Key, kind: string) => key.partition.startsWith('R#') && key.sort.startsWith(kind);
const isRepository = (key: Key) => key.partition.startsWith('R#') && key.sort === '#';
const isDigest = (key: Key) => key.partition.startsWith('D#') && key.sort === '#';
const isUpload = (key: Key) => key.partition.startsWith('U#');
const isOutbox = (key: Key) => key.partition.startsWith('X#');

const on =
  (attribute: string): Drop =>
  (condition) =>
    'attribute' in condition && condition.attribute === attribute;

/** Without the conditions that `drop` names, on the operations that `concerns` names. */
function without(concerns: (operation: Operation, process: Process) => boolean, drop: Drop): Plant {
  const planted = (operation: Operation, process: Process): readonly Operation[] => {
    if (!concerns(operation, process)) return [operation];
    const when = (operation.when ?? []).filter((condition) => !drop(condition));
    if ('check' in operation) return when.length === 0 ? [] : [{ ...operation, when }];
    return [{ ...operation, when }];
  };
  return {
    operations: (operations, process) => operations.flatMap((operation) => planted(operation, process)),
  };
}

/** Without the operations that `concerns` names. */
function omitting(concerns: (operation: Operation, process: Process) => boolean): Plant {
  return {
    operations: (operations, process) => operations.filter((operation) => !concerns(operation, process)),
  };
}

const isTouch = (operation: Operation, kind: string) =>
  'update' in operation && isKind(operation.update, kind) && operation.set?.['touched'] !== undefined;

/** Edges are written after the commit that they should be there for. */
function lateEdges(): Plant {
  const late = new WeakMap<Process, readonly Operation[]>();
  const isEdge = (operation: Operation) => isKind(keyOf(operation), 'E#');
  return {
    operations: (operations, process) => {
      if (!operations.some(isEdge) || process.task.is !== 'push') return operations;
      late.set(process, operations.filter(isEdge));
      return operations.filter((operation) => !isEdge(operation));
    },
    later: (process, operations) => {
      const edges = operations.some((operation) => isKind(keyOf(operation), 'M#'))
        ? late.get(process)
        : undefined;
      if (edges) late.delete(process);
      return edges;
    },
  };
}

/** A sweep that takes the epoch for one later than it is, and so deletes what is one epoch too young. */
const farHorizon: Plant = {
  found: (key, found, { task }) =>
    isRepository(key) && task.is === 'sweep' ? { ...found, epoch: (found['epoch'] as number) + 1 } : found,
  operations: (operations, { task }) =>
    operations.map((operation) => {
      if (!('update' in operation) || !isRepository(operation.update) || task.is !== 'sweep')
        return operation;
      return { ...operation, when: (operation.when ?? []).map(earlier) };
    }),
};

/** A push that reads the epoch when it begins, and not again before it commits. */
function epochOnce(): Plant {
  const known = new WeakMap<Process, Map<string, Attributes>>();
  return {
    concerns: having('push'),
    found: (key, found, process) => {
      if (!isRepository(key) || process.task.is !== 'push') return found;
      const read = known.get(process) ?? new Map<string, Attributes>();
      known.set(process, read);
      const { epoch = 0 } = read.get(key.partition) ?? found;
      read.set(key.partition, found);
      return { ...found, epoch };
    },
  };
}

/** A push that leaves the mark of a delete on what it uses. */
const marksStay: Plant = {
  operations: (operations, { task }) =>
    operations.map((operation) => {
      const isUse = 'update' in operation && ['B#', 'M#'].some((kind) => isKind(operation.update, kind));
      if (!isUse || operation.set?.['going'] !== '' || task.is !== 'push') return operation;
      const { going: _, ...set } = operation.set;
      return { ...operation, set };
    }),
};

const earlier = (condition: Condition): Condition =>
  condition.is === 'equals' && condition.attribute === 'epoch'
    ? { ...condition, value: (condition.value as number) - 1 }
    : condition;

const removes = (operation: Operation, kind: string) =>
  'remove' in operation && isKind(operation.remove, kind);
const inTask =
  (is: string, concerns: (operation: Operation) => boolean) =>
  (operation: Operation, { task }: Process) =>
    task.is === is && concerns(operation);
const adds = (operation: Operation) => ('update' in operation ? (operation.add ?? {}) : ({} as Attributes));

/** Whose `state` says whether it is being deleted. */
const isClaim = (operation: Operation) =>
  'update' in operation && isOutbox(operation.update) && operation.set?.['state'] === 'claimed';

/** A tag that was once on the manifest which is deleted is taken for one that still is. */
const hints: Plant = {
  found: (key, found, { task }) =>
    task.is === 'delete' && task.what === 'manifest' && isKind(key, 'T#')
      ? { ...found, digest: task.digest }
      : found,
  operations: (operations) =>
    operations.map((operation) => (removes(operation, 'T#') ? { ...operation, when: [] } : operation)),
};

/** What is to hold them is left out, and what counts it. */
const uncounted: Plant = {
  operations: (operations) =>
    operations.some((operation) => !('remove' in operation) && isKind(keyOf(operation), 'W#'))
      ? operations.filter((operation) => !isKind(keyOf(operation), 'W#') && !isKind(keyOf(operation), 'Q#'))
      : operations,
};

/** Whoever has joined the push goes on without its edges. */
const endsNobody: Plant = {
  operations: (operations, { task }) =>
    task.is === 'push' && operations.some((operation) => removes(operation, 'E#'))
      ? operations.filter((operation) => !isKind(keyOf(operation), 'Y#'))
      : operations,
};

/** What each is called, and what makes it. */
export const PLANTED_BUGS: Readonly<Record<string, () => Plant>> = {
  'a push commits in whatever epoch': epochOnce,
  'a push commits though a delete has ended it': () => ({
    concerns: having('push'),
    ...without(
      inTask('push', (operation) => removes(operation, 'Y#')),
      () => true,
    ),
  }),
  'a refused push takes its edges back from those who have joined it': () => endsNobody,
  'a push leaves the marks of deletes': () => marksStay,
  'a blob is deleted whoever has taken its mark off': () =>
    without(
      inTask('delete', (operation) => removes(operation, 'B#')),
      on('going'),
    ),
  'a manifest is deleted whoever has taken its mark off': () =>
    without(
      inTask('delete', (operation) => removes(operation, 'M#')),
      on('going'),
    ),
  'a delete ends no pushes': () => ({
    concerns: having('push', 'delete'),
    ...omitting(inTask('delete', (operation) => removes(operation, 'Y#'))),
  }),
  'a sweep ends no pushes': () => omitting(inTask('sweep', (operation) => removes(operation, 'Y#'))),
  'a push touches no blob': () => omitting((operation) => isTouch(operation, 'B#')),
  'edges are written after the commit': lateEdges,
  'edges that exist are not touched': () => ({
    concerns: having('push'),
    ...omitting((operation) => isTouch(operation, 'E#')),
  }),
  'a sweep deletes what is one epoch too young': () => farHorizon,
  'a sweep unlinks whatever was touched meanwhile': () =>
    without(
      inTask('sweep', (operation) => removes(operation, 'B#')),
      on('touched'),
    ),
  'a sweep removes edges whatever was touched meanwhile': () => ({
    concerns: having('push', 'sweep'),
    ...without(
      inTask('sweep', (operation) => removes(operation, 'E#')),
      on('touched'),
    ),
  }),
  'a sweep misses the last edge of a page': () => ({
    items: ({ prefix }, items, { task }) =>
      prefix === 'E#' && task.is === 'sweep' ? items.slice(0, -1) : items,
  }),
  'object keys are used again': () => ({
    id: (random) => `00000000-0000-0000-0000-00000000000${random.below(6)}`,
  }),
  'the last link goes whoever links meanwhile': () =>
    without((operation) => isDigest(keyOf(operation)), on('links')),
  'a digest is linked whatever its object is': () =>
    without((operation) => adds(operation)['links'] === 1, on('objectKey')),
  'the object of the last link is forgotten': () =>
    omitting((operation) => 'put' in operation && isOutbox(operation.put) && operation.put.sort !== ''),
  'what is in quarantine holds nothing': () => ({
    items: ({ prefix, keysOnly }, items, { task }) =>
      prefix === 'G#' && keysOnly && task.is === 'sweep' ? [] : items,
  }),
  'a drain deletes what it has not claimed': () => omitting(isClaim),
  'what is being deleted is rescued': () =>
    without((operation) => 'remove' in operation && isOutbox(operation.remove), on('state')),
  'a manifest is deleted with tags that were once on it': () => hints,
  'a push takes a manifest for granted': () =>
    without(
      (operation) => isKind(keyOf(operation), 'M#') && !('put' in operation) && !('remove' in operation),
      () => true,
    ),
  'an upload is finished twice': () =>
    without(
      (operation) => 'put' in operation && isUpload(operation.put) && 'finished' in operation.attributes,
      () => true,
    ),
  'bytes of an upload are taken that no quota has counted': () => uncounted,
  ...PLANTED_STORE_BUGS,
};
