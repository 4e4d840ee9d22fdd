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

/** The model that every `Table` is held against: maps, and the words of the interface turned into code. */
export class MemoryTable implements Table {
  readonly #partitions = new Map<string, Map<string, Item>>();

  async get(key: Key): Promise<Attributes | undefined> {
    return this.peek(key);
  }

  async getMany(keys: readonly Key[]): Promise<readonly (Attributes | undefined)[]> {
    return keys.map((key) => this.peek(key));
  }

  async query({
    partition,
    prefix = '',
    after,
    limit,
    direction,
    keysOnly,
  }: Query): Promise<readonly Item[]> {
    const sign = direction === 'descending' ? -1 : 1;
    const isPast = (sort: string) => after === undefined || compare(sort, after) * sign > 0;
    return this.itemsIn(partition)
      .filter(({ key }) => key.sort.startsWith(prefix) && isPast(key.sort))
      .sort((a, b) => compare(a.key.sort, b.key.sort) * sign)
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

  /** As `get`, at once. */
  peek({ partition, sort }: Key): Attributes | undefined {
    return this.#partitions.get(partition)?.get(sort)?.attributes;
  }

  /** Everything there is, for whoever checks invariants. */
  items(): Item[] {
    return [...this.#partitions.values()].flatMap((items) => [...items.values()]);
  }

  itemsIn(partition: string): Item[] {
    return [...(this.#partitions.get(partition)?.values() ?? [])];
  }

  #holds(operation: Operation): boolean {
    const found = this.peek(keyOf(operation));
    return (operation.when ?? []).every((condition) => holds(condition, found));
  }

  #apply(operation: Operation): void {
    if ('put' in operation) this.#put(operation.put, operation.attributes);
    if ('remove' in operation)
      this.#partitions.get(operation.remove.partition)?.delete(operation.remove.sort);
    if ('update' in operation) {
      const before = this.peek(operation.update) ?? {};
      const added = Object.entries(operation.add ?? {}).map(([name, amount]) => [
        name,
        ((before[name] as number | undefined) ?? 0) + amount,
      ]);
      const after = { ...before, ...operation.set, ...Object.fromEntries(added) };
      this.#put(operation.update, changeSets(after, operation));
    }
  }

  #put(key: Key, attributes: Attributes): void {
    const items = this.#partitions.get(key.partition) ?? new Map<string, Item>();
    this.#partitions.set(key.partition, items.set(key.sort, { key, attributes }));
  }
}

function changeSets(
  attributes: Record<string, Attributes[string]>,
  { include = {}, exclude = {} }: Extract<Operation, { update: unknown }>,
): Attributes {
  const after = { ...attributes };
  for (const name of [...Object.keys(include), ...Object.keys(exclude)]) {
    const texts = new Set(attributes[name] as readonly string[] | undefined);
    for (const text of include[name] ?? []) texts.add(text);
    for (const text of exclude[name] ?? []) texts.delete(text);
    if (texts.size > 0) after[name] = [...texts];
    else delete after[name];
  }
  return after;
}

/** JavaScript's own order is that of UTF-16, which differs from UTF-8's past the surrogates only. */
const compare = (a: string, b: string) =>
  BEYOND.test(a) || BEYOND.test(b)
    ? Buffer.compare(Buffer.from(a), Buffer.from(b))
    : a < b
      ? -1
      : Number(a > b);
const BEYOND = /[\ud800-\uffff]/;

function holds(condition: Condition, found: Attributes | undefined): boolean {
  if (condition.is === 'absent') return found === undefined;
  if (condition.is === 'present') return found !== undefined;
  const value = found?.[condition.attribute];
  if (condition.is === 'equals') return value === condition.value;
  if (typeof value !== 'number') return false;
  return condition.is === 'atMost' ? value <= condition.value : value >= condition.value;
}
