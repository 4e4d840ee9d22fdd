import { constants, statfsSync, statSync } from 'node:fs';
import { access, lstat, mkdir, open, opendir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { registryIdKey, sweeps } from '../functions/registry/keys.ts';
import type { Registry } from '../functions/registry/registry.ts';
import { knownObjects } from '../functions/upkeep/known-objects.ts';
import { isDiskFull } from './disk-room.ts';
import { syncPath } from './sync-path.ts';

/** Says in `blobs/` which registry its files are of; the database says the same. No object has such a name. */
export const MARK = 'registry-id';

const USABLE = constants.R_OK | constants.W_OK | constants.X_OK;

/** What objects are called; a disk may have a folder of its own there. */
const OBJECT = /^[0-9a-f]{8}-/;

const SQLITE_CANTOPEN = 14;

/** The smallest that SQLite writes. A shorter file it takes for a new database, and removes the log beside it. */
const SMALLEST_DATABASE = 512;

/** What lies in a data folder before it is opened. */
export interface FolderContents {
  readonly folder: string;
  /** Where the file of the database is, which may be linked into the folder. Its log lies beside it. */
  readonly database: string;
  /** Whether `blobs/` has any object. */
  readonly hasObjects: boolean;
  readonly mark: string | undefined;
}

/** Makes the folder where there is none, safe from a loss of power, and looks into it. Refuses one that cannot be written,
 *  and one whose database is missing, before SQLite makes another. */
export async function openFolder(folder: string): Promise<FolderContents> {
  await makeFolder(folder);
  const path = join(folder, 'registry.sqlite');
  const isThere = await exists(path);
  const database = isThere ? await realpath(path) : path;
  const contents = { folder, database, hasObjects: await hasObjects(folder), mark: await readMark(folder) };
  const size = await sizeOf(database);
  if (size >= SMALLEST_DATABASE) return contents;
  const hasLog = (await sizeOf(`${database}-wal`)) > 0;
  if (contents.hasObjects || hasLog || (!isThere && (await isLink(path))))
    throw missing(contents, isThere, hasLog);
  return contents;
}

interface Claim {
  readonly registry: Pick<Registry, 'table' | 'newId'>;
  readonly contents: FolderContents;
  /** Takes what is there for this registry's. */
  readonly adopt: boolean;
}

/** Puts the registry's id into database and folder where neither has one; refuses a folder of blobs that is not this
 *  registry's, or not there. */
export async function claimFolder({ registry, contents, adopt }: Claim): Promise<void> {
  const { table } = registry;
  const { folder, mark } = contents;
  const found = await table.get(registryIdKey);
  const id = found?.['id'] as string | undefined;
  if (id === undefined) {
    // A new registry, or one that was made before registries had ids.
    if (!adopt && !(await belongTogether(table, contents)))
      throw contents.hasObjects ? strange(folder) : absent(folder);
    await giveId(table, contents, mark ?? registry.newId());
    return;
  }
  if (mark !== id) await adoptFolder(contents, id, adopt);
  if (found?.['file'] !== fileOf(contents.database)) await noteId(table, contents, id);
}

async function adoptFolder({ folder, mark }: FolderContents, id: string, adopt: boolean): Promise<void> {
  if (!adopt) throw mark === undefined ? absent(folder) : foreign(folder, mark, id);
  await writeMark(folder, id);
}

/** Which file a database is: a copy of it is another. */
export const fileOf = (database: string) => `${statSync(database, { bigint: true }).ino}`;

/** First the mark: a folder with a mark and nothing else is a new one. A disk that is full keeps nobody from reading; the next
 *  start tries again. */
async function giveId(table: Registry['table'], contents: FolderContents, id: string): Promise<void> {
  try {
    if (contents.mark === undefined) await writeMark(contents.folder, id);
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    return;
  }
  await noteId(table, contents, id);
}

async function noteId(table: Registry['table'], { database }: FolderContents, id: string): Promise<void> {
  try {
    await table.write([{ put: registryIdKey, attributes: { id, file: fileOf(database) } }]);
  } catch (error) {
    if (!isDiskFull(error)) throw error;
  }
}

const missing = ({ folder, database, hasObjects }: FolderContents, isThere: boolean, hasLog: boolean) => {
  const what = [...(hasObjects ? ['blobs'] : []), ...(hasLog ? [`a log (${database}-wal)`] : [])];
  const has = what.length > 0 ? `has ${what.join(' and ')}` : 'has a link to a database';
  return new Error(
    `${folder} ${has}, and its registry.sqlite is ${isThere ? 'empty' : 'missing'}: restore that from a backup; or, to ` +
      `begin a new registry, move ${join(folder, 'blobs')} and ${database}* away. ` +
      'docs/runbook.md#the-data-folder-is-not-whole',
  );
};

const absent = (folder: string) =>
  new Error(
    `${join(folder, 'blobs')} is not the folder that this registry keeps its blobs in: it has no ${MARK}. Mount its disk, ` +
      'or restore it from a backup; where it is the right one, start once with STOWAGE_ADOPT=1. ' +
      'docs/runbook.md#the-data-folder-is-not-whole',
  );

const foreign = (folder: string, mark: string, id: string) =>
  new Error(
    `${join(folder, 'blobs')} is of another registry (${mark}) than ${join(folder, 'registry.sqlite')} (${id}): bring ` +
      'together what belongs together; where this does, start once with STOWAGE_ADOPT=1. ' +
      'docs/runbook.md#the-data-folder-is-not-whole',
  );

const strange = (folder: string) =>
  new Error(
    `${join(folder, 'registry.sqlite')} knows nothing of what lies in ${join(folder, 'blobs')}: restore the database that ` +
      'belongs to it; where this one does, start once with STOWAGE_ADOPT=1. ' +
      'docs/runbook.md#the-data-folder-is-not-whole',
  );

/** Whether a database without an id may be that of the folder: one of its objects is there, or there is nothing to tell by:
 *  it holds none, and the folder has none, or at most what was being uploaded to a repository that it knows. */
async function belongTogether(
  table: Registry['table'],
  { folder, hasObjects }: FolderContents,
): Promise<boolean> {
  let holdsObjects = false;
  for await (const references of knownObjects(table)) {
    for (const { objectKey, held } of references) {
      if (await exists(join(folder, objectKey))) return true;
      holdsObjects ||= held !== undefined;
    }
  }
  if (holdsObjects || !hasObjects) return !holdsObjects;
  return (await table.query({ ...sweeps, limit: 1, keysOnly: true })).length > 0;
}

async function makeFolder(folder: string): Promise<void> {
  try {
    const first = await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const path of [folder, join(folder, 'blobs')]) if (await exists(path)) await access(path, USABLE);
    if (first === undefined) return;
    for (let made = folder; ; made = dirname(made)) {
      await syncPath(dirname(made));
      if (made === first) return;
    }
  } catch (error) {
    throw unusable(folder, error);
  }
}

/** What a folder is refused with that cannot be read or written, or whose disk is full. */
export function unusable(folder: string, cause: unknown): Error {
  const what = `${folder} cannot be used: ${cause instanceof Error ? cause.message : cause}`;
  if (isDiskFull(cause) || (isUnopened(cause) && isWithoutRoom(folder))) {
    return new Error(
      `${what}. Its disk has no room for another file: make some (df -h, and df -i for the number of files), and start ` +
        'again. docs/runbook.md#the-disk-is-full',
      { cause },
    );
  }
  const user = process.getuid ? ` (uid ${process.getuid()})` : '';
  return new Error(
    `${what}. It has to be a folder that the user who runs the registry${user} may read and write, on a disk that is ` +
      'mounted for writing; STOWAGE_DATA names another',
    { cause },
  );
}

/** SQLite does not say why it could not make a file. */
const isUnopened = (error: unknown) => (error as { errcode?: number }).errcode === SQLITE_CANTOPEN;

function isWithoutRoom(folder: string): boolean {
  const { bavail, files, ffree } = statfsSync(folder);
  return bavail === 0 || (files > 0 && ffree === 0);
}

async function writeMark(folder: string, id: string): Promise<void> {
  const blobs = join(folder, 'blobs');
  await mkdir(blobs, { recursive: true, mode: 0o700 });
  const file = await open(join(blobs, MARK), 'w', 0o600);
  try {
    await file.writeFile(`${id}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await syncPath(blobs);
  await syncPath(folder);
}

async function hasObjects(folder: string): Promise<boolean> {
  const blobs = join(folder, 'blobs');
  if (!(await exists(blobs))) return false;
  for await (const { name } of await opendir(blobs)) if (OBJECT.test(name)) return true;
  return false;
}

async function readMark(folder: string): Promise<string | undefined> {
  const path = join(folder, 'blobs', MARK);
  // An empty one was being written to a disk that was full.
  return (await exists(path)) ? (await readFile(path, 'utf8')).trim() || undefined : undefined;
}

/** Bytes; 0 where there is no such file. */
async function sizeOf(path: string): Promise<number> {
  return (await exists(path)) ? (await stat(path)).size : 0;
}

/** Whether there is a link, wherever it leads. */
async function isLink(path: string): Promise<boolean> {
  return lstat(path).then(
    (found) => found.isSymbolicLink(),
    () => false,
  );
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
