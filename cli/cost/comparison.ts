import type { Output } from '../output.ts';
import { table } from '../text.ts';
import type { Prices } from './prices.ts';
import { compared, OTHERS, PUBLISHED } from './published.ts';
import { dollarText } from './text.ts';

/** How many lines of a bill tell why it is as large as it is. */
const LARGEST = 3;

/** Tells what the workloads of docs/cost.md cost here and elsewhere, and what of it is most. */
export function showComparison(output: Output, prices: Prices, withFree: boolean): void {
  const rows = PUBLISHED.map((published) => compared(published, prices, withFree));
  output.result({ asOf: prices.asOf, region: prices.region, workloads: rows }, () => {
    const price = (total: number | undefined) => (total === undefined ? '-' : dollarText(total));
    const lines = rows.map(({ name, downloads, bill, others }) => [
      name,
      price(bill.total),
      downloads,
      ...others.map(({ total }) => price(total)),
    ]);
    const columns = ['A MONTH OF', 'STOWAGE', 'DOWNLOADS', ...OTHERS.map(({ name }) => name.toUpperCase())];
    const most = rows.map(({ name, bill }) => {
      const largest = bill.lines.toSorted((a, b) => b.dollars - a.dollars).slice(0, LARGEST);
      return `${name}: ${largest.map(({ what, dollars }) => `${what} ${dollarText(dollars)}`).join(', ')}`;
    });
    return [table(columns, lines), ...most].join('\n');
  });
  output.say(
    `list prices as of ${prices.asOf} (AWS: ${prices.region}), in dollars a month, without tax; which workloads, what is left out and where we are dearer: ` +
      'docs/cost.md',
  );
}
