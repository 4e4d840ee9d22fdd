import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';

/** SQLite's file systems without locks: a log is read without writing its index anywhere. */
const LOCKLESS = process.platform === 'win32' ? 'win32-none' : 'unix-none';

const SQLITE_BUSY = 5;

/** What is not right with a database whose log was not moved into it, as far as SQLite can tell by its structure; `undefined`
 *  where all is. Reads all of both and changes neither: closing a database that was opened for writing puts the one into the
 *  other. Throws `SQLITE_BUSY` (`errcode` 5) where another process has it open. */
export function inspectWithLog(path: string): string | undefined {
  requireFree(path);
  const url = pathToFileURL(path);
  url.searchParams.set('vfs', LOCKLESS);
  const database = openExclusive(url);
  try {
    const [row] = database.prepare('PRAGMA quick_check(1)').all() as { quick_check: string }[];
    return row?.quick_check === 'ok' ? undefined : row?.quick_check.split('\n').at(-1);
  } finally {
    database.close();
  }
}

/** A handle that may only read cannot have the exclusive lock, whoever else has one; it is told first that somebody does. */
function requireFree(path: string): void {
  const database = openExclusive(path);
  try {
    database.prepare('SELECT 1 FROM sqlite_schema').get();
  } catch (error) {
    if (((error as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_BUSY) throw error;
  } finally {
    database.close();
  }
}

function openExclusive(path: string | URL): DatabaseSync {
  const database = new DatabaseSync(path, { readOnly: true });
  database.exec('PRAGMA locking_mode = EXCLUSIVE');
  return database;
}
