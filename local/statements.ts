import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** The one table, and what expires in it. */
export const SCHEMA = `
  CREATE TABLE IF NOT EXISTS items (
    partition TEXT NOT NULL, sort TEXT NOT NULL, attributes TEXT NOT NULL, expires_at INTEGER,
    PRIMARY KEY (partition, sort));
  CREATE INDEX IF NOT EXISTS items_expires_at ON items (expires_at) WHERE expires_at IS NOT NULL;`;

/** Past any sort key with the prefix: the last code point there is. */
const LAST_CHARACTER = '\u{10FFFF}';

interface Wanted {
  readonly prefix: string;
  readonly after: string | undefined;
  readonly descending: boolean;
}

/** Which sort keys a query is about: from `least` on, past `past`, before `end`. */
export function rangeOf({ prefix, after, descending }: Wanted) {
  const behind = prefix + LAST_CHARACTER;
  const from = !descending && after !== undefined && isPast(after, prefix) ? after : undefined;
  const end = descending && after !== undefined && isPast(behind, after) ? after : behind;
  return { least: from ?? prefix, past: from ?? '', end };
}

/** In the order of sort keys, which is that of UTF-8; JavaScript compares units of UTF-16. */
const isPast = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b)) >= 0;

/** The statements of a table. */
export function prepare(database: DatabaseSync) {
  const query = (columns: string, order: string): StatementSync =>
    database.prepare(
      `SELECT ${columns} FROM items
       WHERE partition = ? AND sort >= ? AND sort > ? AND sort < ? ORDER BY sort ${order} LIMIT ?`,
    );
  return {
    get: database.prepare('SELECT attributes FROM items WHERE partition = ? AND sort = ?'),
    put: database.prepare('INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?)'),
    remove: database.prepare('DELETE FROM items WHERE partition = ? AND sort = ?'),
    removeExpired: database.prepare(
      'DELETE FROM items WHERE rowid IN (SELECT rowid FROM items WHERE expires_at < ? LIMIT ?)',
    ),
    query: {
      ascending: { items: query('sort, attributes', 'ASC'), keys: query('sort', 'ASC') },
      descending: { items: query('sort, attributes', 'DESC'), keys: query('sort', 'DESC') },
    },
  };
}
