import { statSync } from 'node:fs';
import { join } from 'node:path';
import { unusable } from './data-folder.ts';
import { SqliteTable } from './sqlite-table.ts';
import { readLog } from './write-ahead-log.ts';

/** A database up to this size is read at every start, which takes a second; a larger one only by programs on a registry that
 *  is stopped, such as `stowage scan`. */
const CHECKED_BYTES = 256 * 1024 * 1024;

const SQLITE = { busy: 5, corrupt: 11, notADatabase: 26 } as const;

interface OpenOptions {
  readonly folder: string;
  /** Takes a damaged log for whole. */
  readonly adopt: boolean;
  /** Reads a database of any size. */
  readonly checksAll: boolean;
  readonly makeRoom: () => boolean;
  /** Ends the process where a write that failed cannot be taken back. */
  readonly halt: (why: string) => never;
}

/** Opens or makes the database of a folder. Refuses, with the cause and the cure, what is damaged, what another process has
 *  open, and what cannot be written. */
export function openTable({ folder, adopt, checksAll, makeRoom, halt }: OpenOptions): SqliteTable {
  const path = join(folder, 'registry.sqlite');
  try {
    if (!adopt && readLog(`${path}-wal`) === 'damaged') throw damagedLog(path);
    const table = new SqliteTable(path, { makeRoom, halt });
    const isChecked = checksAll || statSync(path).size <= CHECKED_BYTES;
    const damage = isChecked ? table.findDamage() : undefined;
    if (damage === undefined) return table;
    table.close();
    throw damaged(path, damage);
  } catch (error) {
    throw explain(error, folder, path);
  }
}

function explain(error: unknown, folder: string, path: string): unknown {
  const { errcode, code } = error as { errcode?: number; code?: string };
  const kind = errcode === undefined ? undefined : errcode & 0xff;
  const cause = error as Error;
  if (kind === undefined && code === undefined) return error;
  if (kind === SQLITE.busy) {
    return new Error(`${folder} is in use by another registry; stop it, or choose another STOWAGE_DATA`, {
      cause,
    });
  }
  if (kind === SQLITE.corrupt || kind === SQLITE.notADatabase) return damaged(path, cause.message, cause);
  return unusable(folder, cause);
}

const damaged = (path: string, what: string, cause?: Error) =>
  new Error(
    `${path} is damaged (${what}): look after its disk, and restore the folder from a backup. ` +
      'docs/runbook.md#the-database-is-damaged',
    { cause },
  );

const damagedLog = (path: string) =>
  new Error(
    `${path}-wal is damaged, and what was written last would be lost: look after its disk, and restore the folder from a ` +
      'backup; to go on without what was written last, start once with STOWAGE_ADOPT=1. ' +
      'docs/runbook.md#the-database-is-damaged',
  );
