/** What an attribute can hold; the part of DynamoDB's types that JSON and bytes cover. Absent is `undefined`. */
export type AttributeValue =
  | string
  | number
  | boolean
  | Uint8Array
  | readonly AttributeValue[]
  | { readonly [name: string]: AttributeValue };

export type Attributes = Readonly<Record<string, AttributeValue>>;

/** Items are ordered by `sort`, in the byte order of UTF-8, within one `partition`. */
export interface Key {
  /** At most 2,048 bytes (DynamoDB). */
  readonly partition: string;
  /** At most 1,024 bytes (DynamoDB), never empty. */
  readonly sort: string;
}

export interface Item {
  readonly key: Key;
  readonly attributes: Attributes;
}

/** What must hold for an item at the moment of a write. All but `absent` fail where the item or the
 *  attribute is. The set is closed, so that every store can honour all of it. */
export type Condition =
  | { readonly is: 'absent' }
  | { readonly is: 'present' }
  | { readonly is: 'equals'; readonly attribute: string; readonly value: string | number | boolean }
  | { readonly is: 'atMost' | 'atLeast'; readonly attribute: string; readonly value: number };

/** One change in a transaction; `when` lists conditions that must all hold for its item. */
export type Operation =
  | { readonly put: Key; readonly attributes: Attributes; readonly when?: readonly Condition[] }
  | {
      /** Changes the named attributes and keeps the others; makes the item when it is absent. */
      readonly update: Key;
      readonly set?: Attributes;
      /** Added to the number that is there, or to 0. */
      readonly add?: Readonly<Record<string, number>>;
      /** Texts that join the set of that name, which reads as a list in no order and is absent while it is empty. */
      readonly include?: Readonly<Record<string, readonly string[]>>;
      /** Texts that leave it, where they are there. */
      readonly exclude?: Readonly<Record<string, readonly string[]>>;
      readonly when?: readonly Condition[];
    }
  | { readonly remove: Key; readonly when?: readonly Condition[] }
  | { readonly check: Key; readonly when: readonly Condition[] };

/** `failed` holds the positions of the operations whose conditions did not hold: nothing at all was written. */
export type Outcome =
  | { readonly committed: true }
  | { readonly committed: false; readonly failed: readonly number[] };

/** What a write fails with that would make an item larger than its store takes (DynamoDB: 400 KB). */
export class ItemTooLarge extends Error {
  override readonly name = 'ItemTooLarge';
}

export interface Query {
  readonly partition: string;
  /** Only items whose sort key starts so. */
  readonly prefix?: string;
  /** Only items past this sort key, in the direction of the query; the key itself need not exist. */
  readonly after?: string;
  readonly limit: number;
  /** @default 'ascending' */
  readonly direction?: 'ascending' | 'descending';
  /** Leaves the attributes empty: a list of names does not carry what hangs on them. @default false */
  readonly keysOnly?: boolean;
}

/** The most operations one `write` takes, and keys one `getMany` takes (DynamoDB's limits). */
export const MAX_OPERATIONS = 100;

/** An ordered key-value table with DynamoDB's semantics. Reads see every write acknowledged before they
 *  began. An item whose `expiresAt` (Unix seconds) has passed may vanish at any time, and may also stay. */
export interface Table {
  /** The item's attributes, or `undefined`. */
  get(key: Key): Promise<Attributes | undefined>;
  /** As `get` for up to 100 different keys, answered in their order; not one snapshot of all. */
  getMany(keys: readonly Key[]): Promise<readonly (Attributes | undefined)[]>;
  /** Up to `limit` items in the order of their sort keys; fewer only where there are no more. */
  query(query: Query): Promise<readonly Item[]>;
  /** Applies 1 to 100 operations on different items, all or none. A lost race is an outcome, not an error. */
  write(operations: readonly Operation[]): Promise<Outcome>;
  /** The same table until `signal` fires: then calls under way are cut, and fail with its reason, and no other begins or is
   *  repeated. Absent where no call takes long enough to be cut. */
  until?(signal: AbortSignal): Table;
  /** The same table, whose calls are refused at once with TOOMANYREQUESTS where a transaction of others is at their items, and
   *  not repeated. Absent where none ever is. */
  hasty?(): Table;
}

export const absent: Condition = { is: 'absent' };
export const present: Condition = { is: 'present' };
export const equals = (attribute: string, value: string | number | boolean): Condition => ({
  is: 'equals',
  attribute,
  value,
});
export const atMost = (attribute: string, value: number): Condition => ({ is: 'atMost', attribute, value });
export const atLeast = (attribute: string, value: number): Condition => ({ is: 'atLeast', attribute, value });

export function keyOf(operation: Operation): Key {
  if ('put' in operation) return operation.put;
  if ('update' in operation) return operation.update;
  return 'remove' in operation ? operation.remove : operation.check;
}

/** Throws RangeError for what no table takes: every implementation refuses what DynamoDB does. */
export function checkOperations(operations: readonly Operation[]): void {
  const keys = new Set(operations.map((operation) => JSON.stringify(keyOf(operation))));
  if (operations.length === 0 || operations.length > MAX_OPERATIONS) {
    throw new RangeError(`a write takes 1 to ${MAX_OPERATIONS} operations, not ${operations.length}`);
  }
  if (operations.some(changesTwice)) throw new RangeError('an update changes one attribute twice');
  if (keys.size < operations.length) throw new RangeError('a write has two operations on one item');
}

function changesTwice(operation: Operation): boolean {
  if (!('update' in operation)) return false;
  const { set = {}, add = {}, include = {}, exclude = {} } = operation;
  const names = [set, add, include, exclude].flatMap(Object.keys);
  return new Set(names).size < names.length;
}
