import { existsSync } from 'node:fs';
import { copyFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { clockKey, registryIdKey } from '../functions/registry/keys.ts';
import type { ObjectKey } from '../functions/storage/blob-store.ts';
import type { Table } from '../functions/storage/table.ts';
import { knownObjects } from '../functions/upkeep/known-objects.ts';
import { type FolderContents, fileOf } from './data-folder.ts';
import { inspectWithLog } from './inspect-database.ts';
import { SqliteTable } from './sqlite-table.ts';
import { syncPath } from './sync-path.ts';
import { TABLE_COPY } from './table-copy.ts';
import { readLog } from './write-ahead-log.ts';

const ASIDE = '.copied';

const SQLITE_BUSY = 5;

/** A folder that was copied while its registry ran may have a torn database, or one that names blobs which came after those were
 *  copied. It then gets the copy of the table that lies among its blobs, which names none of those; its own stays beside it. Does
 *  nothing to a folder where a registry has run, nor to a database that is older than that copy. */
export async function mendCopiedFolder(
  { folder, database, mark }: FolderContents,
  tell: (what: string) => void,
): Promise<void> {
  const path = join(folder, TABLE_COPY);
  if (!existsSync(path)) return;
  const copy = await within(path, stateOf).catch(() => undefined);
  if (copy?.file === undefined || copy.file === fileOf(database) || copy.id !== mark) return;
  const fault = await faultOf(folder, database, copy);
  if (fault === undefined) return;
  // First what takes room, and time.
  await copyFile(path, `${database}.new`);
  await syncPath(`${database}.new`);
  for (const end of ['-wal', '-shm', '']) await moveAside(`${database}${end}`);
  await rename(`${database}.new`, database);
  await syncPath(folder);
  tell(
    `${folder} was copied while its registry ran, and its database ${fault}: the copy of the table among its blobs is used, as of ` +
      `${new Date(copy.seen).toISOString()}; what was there lies beside it as registry.sqlite${ASIDE}. docs/backup.md#a-copy-of-the-folder`,
  );
}

interface State {
  /** Of the registry. */
  readonly id: string | undefined;
  /** Which file it is, or was copied from. */
  readonly file: string | undefined;
  /** Milliseconds since 1970: when its registry last looked at the clock. */
  readonly seen: number;
}

async function stateOf(table: Table): Promise<State> {
  const [registry, clock] = await table.getMany([registryIdKey, clockKey]);
  return {
    id: registry?.['id'] as string | undefined,
    file: registry?.['file'] as string | undefined,
    seen: (clock?.['seen'] as number | undefined) ?? 0,
  };
}

async function within<T>(path: string, look: (table: Table) => Promise<T>): Promise<T> {
  const table = new SqliteTable(path);
  try {
    return await look(table);
  } finally {
    table.close();
  }
}

/** What is wrong with a database of the same registry that is no older than the copy of the table; nothing where another process has it open. */
async function faultOf(folder: string, database: string, copy: State): Promise<string | undefined> {
  try {
    if (readLog(`${database}-wal`) === 'damaged' || inspectWithLog(database) !== undefined) return 'is torn';
  } catch (error) {
    return isBusy(error) ? undefined : 'is torn';
  }
  return within(database, async (table) => {
    const { id, seen } = await stateOf(table);
    const isLater = id === copy.id && seen >= copy.seen;
    return isLater && (await lacks(table, folder))
      ? 'names blobs that came after the others were copied'
      : undefined;
  });
}

const isBusy = (error: unknown) => ((error as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_BUSY;

/** Whether objects are missing that the copy of the table does not name: one that it names is missing all the same, and was lost. */
async function lacks(table: Table, folder: string): Promise<boolean> {
  const missing = new Set<ObjectKey>();
  for await (const references of knownObjects(table)) {
    for (const { objectKey, held } of references)
      if (held && !existsSync(join(folder, objectKey))) missing.add(objectKey);
  }
  if (missing.size === 0) return false;
  return within(join(folder, TABLE_COPY), async (copy) => {
    for await (const references of knownObjects(copy))
      for (const { objectKey } of references) missing.delete(objectKey);
    return missing.size > 0;
  });
}

async function moveAside(path: string): Promise<void> {
  if (existsSync(path)) await rename(path, path.replace(/registry\.sqlite(?=-|$)/, `$&${ASIDE}`));
}
