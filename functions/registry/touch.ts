import type { RepositoryName } from '../oci/reference.ts';
import {
  type Attributes,
  absent,
  equals,
  type Key,
  MAX_OPERATIONS,
  type Operation,
} from '../storage/table.ts';
import { repositoryKey } from './keys.ts';
import { LOST, untilWon } from './races.ts';
import type { Registry } from './registry.ts';

/** Brings `touched` of every item to at least `epoch`, never back; the lease of docs/concurrency.md. Absent
 *  items are made of `create`, or left absent without it. Returns what was there, in the order of the keys. */
export async function touchAll(
  registry: Registry,
  { keys, epoch, create }: { keys: readonly Key[]; epoch: number; create?: Attributes },
): Promise<(Attributes | undefined)[]> {
  const found: (Attributes | undefined)[] = [];
  for (let start = 0; start < keys.length; start += MAX_OPERATIONS) {
    const batch = keys.slice(start, start + MAX_OPERATIONS);
    found.push(...(await untilWon(registry, () => touchBatch(registry, batch, epoch, create))));
  }
  return found;
}

/** As `touchAll`, for one item of a repository and the epoch that it is in. What was touched in this epoch already, as
 *  with every image that is pushed again, costs one read: no sweep until then can have taken it. Behind what was there
 *  comes what else is asked for, as it was before. */
export async function touchOne(
  registry: Registry,
  name: RepositoryName,
  key: Key,
  others: readonly Key[] = [],
): Promise<readonly (Attributes | undefined)[]> {
  const [repository, found, ...rest] = await registry.table.getMany([repositoryKey(name), key, ...others]);
  const epoch = (repository?.['epoch'] as number | undefined) ?? 0;
  const operations = touchOperation(key, found, epoch, undefined);
  const isDone = operations.length === 0 || (await registry.table.write(operations)).committed;
  return isDone ? [found, ...rest] : [...(await touchAll(registry, { keys: [key], epoch })), ...rest];
}

async function touchBatch(
  { table }: Registry,
  keys: readonly Key[],
  epoch: number,
  create: Attributes | undefined,
): Promise<readonly (Attributes | undefined)[] | typeof LOST> {
  const found = await table.getMany(keys);
  const operations = keys.flatMap((key, index) => touchOperation(key, found[index], epoch, create));
  if (operations.length === 0) return found;
  const { committed } = await table.write(operations);
  return committed ? found : LOST;
}

/** Only the writer that finds `touched` as it was read may raise it; who loses reads again. */
function touchOperation(
  key: Key,
  found: Attributes | undefined,
  epoch: number,
  create: Attributes | undefined,
): Operation[] {
  if (!found) return create ? [{ put: key, attributes: { ...create, touched: epoch }, when: [absent] }] : [];
  const touched = found['touched'] as number;
  return touched < epoch
    ? [{ update: key, set: { touched: epoch }, when: [equals('touched', touched)] }]
    : [];
}
