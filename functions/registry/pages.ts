import { MAX_LIST_ENTRIES } from '../limits.ts';

/** Which part of a list a client asks for: up to `limit` entries past `last`. */
export interface PageRequest {
  readonly limit: number;
  readonly last?: string;
}

/** `next` is the `last` of the page that follows; absent on the last page. */
export interface Page {
  readonly entries: readonly string[];
  readonly next?: string;
}

/** Reads one entry more than asked for, to know whether a further page exists. */
export async function pageOf(
  request: PageRequest,
  read: (limit: number) => Promise<readonly string[]>,
): Promise<Page> {
  const limit = Math.min(request.limit, MAX_LIST_ENTRIES);
  if (limit === 0) return { entries: [] };
  const found = await read(limit + 1);
  const entries = found.slice(0, limit);
  const next = found.length > limit ? entries.at(-1) : undefined;
  return { entries, ...(next !== undefined && { next }) };
}
