import { table } from '../text.ts';
import type { Bill, Line } from './bill.ts';

/** `$3.10`, `$0.0032` */
export function dollarText(dollars: number): string {
  const digits =
    dollars > 0 && dollars < 0.005
      ? { maximumSignificantDigits: 2 }
      : { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  return `$${dollars.toLocaleString('en', digits)}`;
}

const amountText = (amount: number) =>
  amount.toLocaleString('en', { maximumFractionDigits: amount < 10 ? 2 : amount < 1000 ? 1 : 0 });

/** `$0.0004 / 1,000 requests` */
function priceText({ price, per, unit }: Line): string {
  const dollars = `$${price.toLocaleString('en', { maximumFractionDigits: 10 })}`;
  return per === 1 ? `${dollars} / ${unit}` : `${dollars} / ${amountText(per)} ${unit}s`;
}

/** The lines of a bill, with their total below. */
export function billText({ lines, total }: Bill): string {
  const cents = (dollars: number) => dollars.toFixed(2).padStart(11);
  const rows = lines.map((line) => [
    line.what,
    amountText(line.quantity).padStart(12),
    (line.free > 0 ? amountText(line.free) : '-').padStart(12),
    priceText(line),
    cents(line.dollars),
  ]);
  const end = ['total', ' ', ' ', ' ', cents(total)];
  return table(
    ['WHAT', 'QUANTITY'.padStart(12), 'FREE'.padStart(12), 'PRICE', 'USD A MONTH'],
    [...rows, end],
  );
}
