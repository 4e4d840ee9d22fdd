import type { Attributes, AttributeValue, Key } from './table.ts';

/** What DynamoDB's limits and its bill count of an item: names and values. `pk` and `sk` are the names of the key.
 *  https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html */
export function itemBytes({ partition, sort }: Key, attributes: Attributes): number {
  const stored = Object.entries({ ...attributes, pk: partition, sk: sort });
  return stored.reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + valueBytes(value), 0);
}

function valueBytes(value: AttributeValue): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (typeof value === 'number') return Math.ceil(`${value}`.length / 2) + 1;
  if (typeof value === 'boolean') return 1;
  if (Array.isArray(value)) return value.reduce((sum: number, one) => sum + valueBytes(one), 0);
  return value instanceof Uint8Array ? value.length : Buffer.byteLength(JSON.stringify(value));
}
