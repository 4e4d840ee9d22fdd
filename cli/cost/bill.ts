import { ITEM_NAMES, type ItemName, type Prices } from './prices.ts';
import type { Quantities } from './quantities.ts';

/** One line of a bill. */
export interface Line {
  readonly item: ItemName;
  readonly what: string;
  readonly quantity: number;
  readonly unit: string;
  /** What of the quantity is free. */
  readonly free: number;
  /** Dollars, for `per` units. */
  readonly price: number;
  readonly per: number;
  readonly dollars: number;
}

export interface Bill {
  readonly lines: readonly Line[];
  /** Dollars a month. */
  readonly total: number;
}

/** What the quantities cost; what there is none of has no line. */
export function billFor(quantities: Quantities, { items }: Prices, withFree: boolean): Bill {
  const lines = ITEM_NAMES.filter((item) => quantities[item] > 0).map((item): Line => {
    const { what, unit, price, per, free = 0 } = items[item];
    const quantity = quantities[item];
    const isFree = withFree ? Math.min(free, quantity) : 0;
    return {
      item,
      what,
      quantity,
      unit,
      free: isFree,
      price,
      per,
      dollars: ((quantity - isFree) * price) / per,
    };
  });
  return { lines, total: lines.reduce((sum, { dollars }) => sum + dollars, 0) };
}
