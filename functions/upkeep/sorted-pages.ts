import type { Item, Query, Table } from '../storage/table.ts';

type Range = Pick<Query, 'partition' | 'prefix' | 'after' | 'keysOnly'>;

/** How many items are held at once. */
const PAGE = 1000;

/** The items of a range, a page at a time, in the order of their sort keys. */
export async function* sortedPages(
  table: Table,
  range: Range,
  size: number = PAGE,
): AsyncGenerator<readonly Item[]> {
  let { after } = range;
  for (;;) {
    const page = await table.query({ ...range, limit: size, ...(after !== undefined && { after }) });
    if (page.length > 0) yield page;
    if (page.length < size) return;
    after = page.at(-1)?.key.sort;
  }
}
