import { readFileSync } from 'node:fs';
import { Failure } from '../failure.ts';
import list from './prices.json' with { type: 'json' };

/** One thing that AWS bills. */
interface Price {
  readonly what: string;
  /** Dollars for so many units. */
  readonly price: number;
  readonly per: number;
  readonly unit: string;
  /** Units that an account has free each month, for ever. */
  readonly free?: number;
  /** Where the figure comes from. */
  readonly from: string;
}

export type ItemName = keyof typeof list.items;

export interface Prices {
  /** `2026-11` */
  readonly asOf: string;
  readonly region: string;
  readonly items: Readonly<Record<ItemName, Price>>;
}

export const ITEM_NAMES = Object.keys(list.items) as readonly ItemName[];

/** The list prices of us-east-1 that come with the program. */
export const LIST_PRICES: Prices = list;

/** Prices of another region or day: a file like cli/cost/prices.json, with every item and no other. */
export function readPrices(file: string): Prices {
  try {
    return checked(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    throw new Failure(`--prices ${file}: ${(error as Error).message}`);
  }
}

function checked(given: unknown): Prices {
  const { asOf, region, items } = fieldsOf(given, 'the file');
  if (typeof asOf !== 'string' || !/^\d{4}-\d\d/.test(asOf))
    throw new Error('asOf is a date such as 2026-11');
  if (typeof region !== 'string' || region === '') throw new Error('region is the name of a region');
  const known: readonly string[] = ITEM_NAMES;
  const found = fieldsOf(items, 'items');
  const unknown = Object.keys(found).find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`there is no item ${unknown}; there are ${known.join(', ')}`);
  const entries = ITEM_NAMES.map((name) => [name, priceOf(name, found[name])] as const);
  return { asOf, region, items: Object.fromEntries(entries) as Prices['items'] };
}

function priceOf(name: ItemName, given: unknown): Price {
  const { price, per, free, from = '' } = fieldsOf(given, `items.${name}`);
  const amounts = { price, per, free: free ?? 0 };
  for (const [field, amount] of Object.entries(amounts)) {
    const isAmount = typeof amount === 'number' && amount >= 0 && (field !== 'per' || amount > 0);
    if (!isAmount) throw new Error(`items.${name}.${field} is no amount: ${JSON.stringify(amount)}`);
  }
  // What a thing is, and its unit, are the program's: quantities are counted in them.
  const { what, unit } = LIST_PRICES.items[name];
  return { what, unit, from: `${from}`, ...(amounts as { price: number; per: number; free: number }) };
}

function fieldsOf(given: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof given === 'object' && given !== null && !Array.isArray(given))
    return given as Record<string, unknown>;
  throw new Error(given === undefined ? `${what} is missing` : `${what} is no object`);
}
