import {
  type Attributes,
  type Condition,
  checkOperations,
  type Item,
  type Key,
  keyOf,
  type Operation,
  type Outcome,
  type Query,
  type Table,
} from '../../functions/storage/table.ts';

/** The model that every `Table` is held against: a map, and the words of the interface turned into code. */
export class MemoryTable implements Table {
  readonly #items = new Map<string, Item>();

  async get(key: Key): Promise<Attributes | undefined> {
    return this.#items.get(idOf(key))?.attributes;
  }

  async getMany(keys: readonly Key[]): Promise<readonly (Attributes | undefined)[]> {
    return keys.map((key) => this.#items.get(idOf(key))?.attributes);
  }

  async query({
    partition,
    prefix = '',
    after,
    limit,
    direction,
    keysOnly,
  }: Query): Promise<readonly Item[]> {
    const descending = direction === 'descending';
    const items = [...this.#items.values()]
      .filter(({ key }) => key.partition === partition && key.sort.startsWith(prefix))
      .toSorted((a, b) => compare(a.key.sort, b.key.sort) * (descending ? -1 : 1))
      .filter(({ key }) => after === undefined || compare(key.sort, after) * (descending ? -1 : 1) > 0);
    return items
      .slice(0, limit)
      .map(({ key, attributes }) => ({ key, attributes: keysOnly ? {} : attributes }));
  }

  async write(operations: readonly Operation[]): Promise<Outcome> {
    checkOperations(operations);
    const failed = [...operations.keys()].filter((index) => !this.#holds(operations[index] as Operation));
    if (failed.length > 0) return { committed: false, failed };
    for (const operation of operations) this.#apply(operation);
    return { committed: true };
  }

  /** Everything there is, for whoever checks invariants. */
  items(): Item[] {
    return [...this.#items.values()];
  }

  #holds(operation: Operation): boolean {
    const found = this.#items.get(idOf(keyOf(operation)))?.attributes;
    return (operation.when ?? []).every((condition) => holds(condition, found));
  }

  #apply(operation: Operation): void {
    const key = keyOf(operation);
    const id = idOf(key);
    if ('put' in operation) this.#items.set(id, { key, attributes: operation.attributes });
    if ('remove' in operation) this.#items.delete(id);
    if ('update' in operation) {
      const before = this.#items.get(id)?.attributes ?? {};
      const added = Object.entries(operation.add ?? {}).map(([name, amount]) => [
        name,
        ((before[name] as number | undefined) ?? 0) + amount,
      ]);
      const attributes = { ...before, ...operation.set, ...Object.fromEntries(added) };
      this.#items.set(id, { key, attributes });
    }
  }
}

const idOf = ({ partition, sort }: Key) => JSON.stringify([partition, sort]);

const compare = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

function holds(condition: Condition, found: Attributes | undefined): boolean {
  if (condition.is === 'absent') return found === undefined;
  if (condition.is === 'present') return found !== undefined;
  const value = found?.[condition.attribute];
  if (condition.is === 'equals') return value === condition.value;
  return typeof value === 'number' && value <= condition.value;
}
