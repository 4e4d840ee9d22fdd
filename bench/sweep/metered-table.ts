import { itemBytes } from '../../functions/storage/item-size.ts';
import {
  type Attributes,
  type Item,
  type Key,
  keyOf,
  type Operation,
  type Outcome,
  type Query,
  type Table,
} from '../../functions/storage/table.ts';

/** What DynamoDB bills: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html */
export interface Units {
  calls: number;
  /** Strongly consistent reads. */
  reads: number;
  /** Of transactions and single writes. */
  writes: number;
}

const READ_BYTES = 4096;
const WRITE_BYTES = 1024;
/** A page of a query ends here, and each is rounded up. */
const PAGE_BYTES = 1_000_000;
const TRANSACTION = 2;

/** Counts what its calls would cost on DynamoDB, as `DynamoDbTable` makes them. */
export class MeteredTable implements Table {
  readonly units: Units = { calls: 0, reads: 0, writes: 0 };
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  async get(key: Key): Promise<Attributes | undefined> {
    const found = await this.#table.get(key);
    this.#read(1, readUnits(key, found));
    return found;
  }

  async getMany(keys: readonly Key[]): Promise<readonly (Attributes | undefined)[]> {
    const found = await this.#table.getMany(keys);
    const units = keys.map((key, index) => readUnits(key, found[index]));
    this.#read(
      1,
      units.reduce((sum, each) => sum + each, 0),
    );
    return found;
  }

  /** An item is read whole, even where only its key is asked for. */
  async query(query: Query): Promise<readonly Item[]> {
    const whole = await this.#table.query({ ...query, keysOnly: false });
    const bytes = whole.reduce((sum, { key, attributes }) => sum + storedBytes(key, attributes), 0);
    this.#read(Math.max(1, Math.ceil(bytes / PAGE_BYTES)), Math.max(1, Math.ceil(bytes / READ_BYTES)));
    return query.keysOnly ? whole.map(({ key }) => ({ key, attributes: {} })) : whole;
  }

  async write(operations: readonly Operation[]): Promise<Outcome> {
    const before = await this.#table.getMany(operations.map(keyOf));
    const outcome = await this.#table.write(operations);
    const after = await this.#table.getMany(operations.map(keyOf));
    const [first] = operations;
    const isAlone = operations.length === 1 && first && !('update' in first) && !first.when;
    const units = operations.map((operation, index) => {
      const key = keyOf(operation);
      const bytes = Math.max(storedBytes(key, before[index]), storedBytes(key, after[index]));
      return Math.max(1, Math.ceil(bytes / WRITE_BYTES));
    });
    this.units.calls += 1;
    this.units.writes += units.reduce((sum, each) => sum + each, 0) * (isAlone ? 1 : TRANSACTION);
    return outcome;
  }

  #read(calls: number, units: number): void {
    this.units.calls += calls;
    this.units.reads += units;
  }
}

const readUnits = (key: Key, found: Attributes | undefined) =>
  Math.max(1, Math.ceil(storedBytes(key, found) / READ_BYTES));

const storedBytes = (key: Key, attributes: Attributes | undefined) =>
  attributes ? itemBytes(key, attributes) : 0;
