import type { AttributeValue as Stored } from '@aws-sdk/client-dynamodb';
import type { Attributes, AttributeValue, Item, Key } from '../table.ts';

export type StoredItem = Record<string, Stored>;

/** Set by an update of nothing: it must make its item, and in a transaction only an update that sets or adds
 *  something does. No reader sees it. */
export const EMPTY_UPDATE = 'emptyUpdate';

/** Attributes of the table that are no attributes of its items. */
const RESERVED: ReadonlySet<string> = new Set(['pk', 'sk', EMPTY_UPDATE]);

/** Throws RangeError for a name that would overwrite an item's key. */
export function checkName(name: string): void {
  if (RESERVED.has(name)) throw new RangeError(`an attribute of an item cannot be named ${name}`);
}

export function toStoredKey({ partition, sort }: Key): StoredItem {
  return { pk: { S: partition }, sk: { S: sort } };
}

export function toStoredItem(key: Key, attributes: Attributes): StoredItem {
  for (const name of Object.keys(attributes)) checkName(name);
  return { ...toStoredMap(attributes), ...toStoredKey(key) };
}

export function fromStoredItem(item: StoredItem): Item {
  const { pk, sk, [EMPTY_UPDATE]: _, ...attributes } = item;
  return { key: { partition: pk?.S ?? '', sort: sk?.S ?? '' }, attributes: fromStoredMap(attributes) };
}

/** Throws where DynamoDB has no such value: RangeError for NaN and infinities, TypeError for what is no value. */
export function toStored(value: AttributeValue): Stored {
  if (typeof value === 'string') return { S: value };
  if (typeof value === 'boolean') return { BOOL: value };
  if (typeof value === 'number') return { N: toStoredNumber(value) };
  if (value instanceof Uint8Array) return { B: value };
  if (Array.isArray(value)) return { L: value.map(toStored) };
  if (typeof value === 'object' && value !== null) return { M: toStoredMap(value as Attributes) };
  throw new TypeError(`an attribute cannot be ${value}`);
}

function fromStored(value: Stored): AttributeValue {
  if (value.S !== undefined) return value.S;
  if (value.N !== undefined) return Number(value.N);
  if (value.BOOL !== undefined) return value.BOOL;
  if (value.B !== undefined) return value.B;
  if (value.SS !== undefined) return value.SS;
  if (value.L !== undefined) return value.L.map(fromStored);
  if (value.M !== undefined) return fromStoredMap(value.M);
  throw new TypeError(`an attribute of a type that is never written: ${Object.keys(value)}`);
}

/** The shortest decimal that reads back as the same number; 17 digits at most, of DynamoDB's 38. `-0` is `0`. */
function toStoredNumber(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`an attribute cannot be ${value}`);
  return String(value);
}

function toStoredMap(map: Attributes): StoredItem {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, toStored(value)]));
}

function fromStoredMap(map: StoredItem): Attributes {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, fromStored(value)]));
}
