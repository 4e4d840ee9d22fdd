import { statSync } from 'node:fs';
import { type FolderContents, unusable } from './data-folder.ts';
import { inspectWithLog } from './inspect-database.ts';
import { SqliteTable } from './sqlite-table.ts';
import { readLog } from './write-ahead-log.ts';

/** A database up to this size is read at every start, which takes a second; a larger one only by programs on a registry that
 *  is stopped, such as `stowage scan`, and where it has a log, which may be of another state of it. */
const CHECKED_BYTES = 256 * 1024 * 1024;

const SQLITE = { busy: 5, corrupt: 11, notADatabase: 26 } as const;

/** Another process has the folder open. */
export class FolderInUse extends Error {
  override readonly name = 'FolderInUse';
}

interface OpenOptions {
  readonly contents: Pick<FolderContents, 'folder' | 'database'>;
  /** Takes a damaged log for whole. */
  readonly adopt: boolean;
  /** Reads a database of any size. */
  readonly checksAll: boolean;
  readonly makeRoom: () => boolean;
  /** Ends the process where a write that failed cannot be taken back. */
  readonly halt: (why: string) => never;
}

/** Opens or makes the database of a folder. Refuses, with the cause and the cure, and changing nothing, what is damaged, what
 *  another process has open, and what cannot be written. */
export function openTable({ contents, adopt, checksAll, makeRoom, halt }: OpenOptions): SqliteTable {
  const { folder, database } = contents;
  try {
    if (!adopt && readLog(`${database}-wal`) === 'damaged') throw damagedLog(database);
    if (hasLog(database)) {
      const damage = inspectWithLog(database);
      if (damage !== undefined) throw damaged(database, damage);
      return new SqliteTable(database, { makeRoom, halt });
    }
    const table = new SqliteTable(database, { makeRoom, halt });
    return checksAll || sizeOf(database) <= CHECKED_BYTES ? checked(table, database) : table;
  } catch (error) {
    throw explain(error, folder, database);
  }
}

function checked(table: SqliteTable, path: string): SqliteTable {
  const damage = table.findDamage();
  if (damage === undefined) return table;
  table.close();
  throw damaged(path, damage);
}

const hasLog = (path: string) => sizeOf(`${path}-wal`) > 0;

const sizeOf = (path: string) => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

function explain(error: unknown, folder: string, path: string): unknown {
  const { errcode, code } = error as { errcode?: number; code?: string };
  const kind = errcode === undefined ? undefined : errcode & 0xff;
  const cause = error as Error;
  if (kind === undefined && code === undefined) return error;
  if (kind === SQLITE.busy) {
    const what = `${folder} is in use by another registry; stop it, or choose another STOWAGE_DATA`;
    return new FolderInUse(what, { cause });
  }
  if (kind === SQLITE.corrupt || kind === SQLITE.notADatabase) return damaged(path, cause.message, cause);
  return unusable(folder, cause);
}

function damaged(path: string, what: string, cause?: Error): Error {
  const stale =
    `, or what ${path}-wal has to add is of another state of it: where a backup was put beside the log of a registry ` +
    `that had crashed, remove ${path}* and put it there again; else`;
  return new Error(
    `${path} is damaged (${what})${hasLog(path) ? stale : ':'} look after its disk, and restore the folder from a backup. ` +
      'docs/runbook.md#the-database-is-damaged',
    { cause },
  );
}

const damagedLog = (path: string) =>
  new Error(
    `${path}-wal is damaged, and what was written last would be lost: look after its disk, and restore the folder from a ` +
      'backup; to go on without what was written last, start once with STOWAGE_ADOPT=1. ' +
      'docs/runbook.md#the-database-is-damaged',
  );
