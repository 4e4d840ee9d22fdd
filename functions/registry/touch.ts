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
import { goingOf, markOf, UNMARKED } from './marks.ts';
import { LOST, untilWon } from './races.ts';
import type { Registry } from './registry.ts';

/** What is to be touched, and what it is made of where it is absent; without that it stays absent. */
export interface Touched {
  readonly key: Key;
  readonly create?: Attributes;
}

/** Brings `touched` of every item to at least `epoch`, never back; the lease of docs/concurrency.md. Takes the mark off each
 *  that somebody is about to delete, who then looks again. Returns what was there, in the order of the items. */
export async function touchAll(
  registry: Registry,
  items: readonly Touched[],
  epoch: number,
): Promise<(Attributes | undefined)[]> {
  const found: (Attributes | undefined)[] = [];
  for (let start = 0; start < items.length; start += MAX_OPERATIONS) {
    const batch = items.slice(start, start + MAX_OPERATIONS);
    found.push(...(await untilWon(registry, () => touchBatch(registry, batch, epoch))));
  }
  return found;
}

/** As `touchAll`, for one item of a repository and the epoch that it is in; it leaves the mark of a delete. What was touched
 *  in this epoch already, as with every image that is pushed again, costs one read: no sweep until then can have taken it.
 *  Behind what was there comes what else is asked for, as it was before. */
export async function touchOne(
  registry: Registry,
  name: RepositoryName,
  key: Key,
  others: readonly Key[] = [],
): Promise<readonly (Attributes | undefined)[]> {
  const [repository, found, ...rest] = await registry.table.getMany([repositoryKey(name), key, ...others]);
  const epoch = (repository?.['epoch'] as number | undefined) ?? 0;
  if (!found || (found['touched'] as number) >= epoch) return [found, ...rest];
  const { committed } = await registry.table.write([touch(key, found, epoch)]);
  return committed ? [found, ...rest] : [...(await touchAll(registry, [{ key }], epoch)), ...rest];
}

/** Who meets others here does not repeat its write, but finds what they have done: an epoch has one first. */
async function touchBatch(
  { table: patient }: Registry,
  items: readonly Touched[],
  epoch: number,
): Promise<readonly (Attributes | undefined)[] | typeof LOST> {
  const table = patient.hasty?.() ?? patient;
  const found = await table.getMany(items.map(({ key }) => key));
  const operations = items.flatMap((item, index) => touchOperation(item, found[index], epoch));
  if (operations.length === 0) return found;
  const { committed } = await table.write(operations);
  return committed ? found : LOST;
}

function touchOperation({ key, create }: Touched, found: Attributes | undefined, epoch: number): Operation[] {
  if (!found) return create ? [{ put: key, attributes: { ...create, touched: epoch }, when: [absent] }] : [];
  const touched = found['touched'] as number;
  const going = goingOf(found);
  if (going === undefined) return touched < epoch ? [touch(key, found, epoch)] : [];
  const set = { touched: Math.max(touched, epoch), ...UNMARKED };
  return [{ update: key, set, when: [equals('touched', touched), markOf(going)] }];
}

/** Only the writer that finds `touched` as it was read may raise it; who loses reads again. */
function touch(key: Key, { touched }: Attributes, epoch: number): Operation {
  return { update: key, set: { touched: epoch }, when: [equals('touched', touched as number)] };
}
