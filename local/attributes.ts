import type { Attributes, AttributeValue } from '../functions/storage/table.ts';

type Json = string | number | boolean | readonly Json[] | { readonly [name: string]: Json };

// Bytes become {"$bytes": base64}; a map whose own names begin with $ gets one $ more, so nothing is mistaken.

/** An item's attributes as JSON text. */
export function encode(attributes: Attributes): string {
  return JSON.stringify(toJson(attributes));
}

/** The attributes that `encode` wrote. */
export function decode(text: string): Attributes {
  const json = JSON.parse(text) as Json;
  return (text.includes('"$') ? fromJson(json) : json) as Attributes;
}

function toJson(value: AttributeValue): Json {
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') };
  if (typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(toJson);
  const entries = Object.entries(value as Attributes);
  return Object.fromEntries(
    entries.map(([name, entry]) => [name.startsWith('$') ? `$${name}` : name, toJson(entry)]),
  );
}

function fromJson(value: Json): AttributeValue {
  if (typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(fromJson);
  const map = value as { readonly [name: string]: Json };
  if (typeof map['$bytes'] === 'string') return Buffer.from(map['$bytes'], 'base64');
  return Object.fromEntries(
    Object.entries(map).map(([name, entry]) => [
      name.startsWith('$') ? name.slice(1) : name,
      fromJson(entry),
    ]),
  );
}
