import { constants } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { MARK } from './data-folder.ts';
import { syncPath } from './sync-path.ts';
import { TABLE_COPY } from './table-copy.ts';

/** What has changed in the folder of a backup. */
export interface Copied {
  readonly added: number;
  readonly removed: number;
}

const OBJECT = /^[0-9a-f]{8}-[0-9a-f-]{27}$/;

/** Of what is being copied. */
const PART = '.part';

/** Brings a folder to what a registry has, with the table of the copy among its blobs: objects that are there already are not
 *  copied again, and those that the registry has no more are removed. It is whole again after each step. Refuses a folder that
 *  has anything else. */
export async function copyRegistry(data: string, to: string): Promise<Copied> {
  await mkdir(join(to, 'blobs'), { recursive: true, mode: 0o700 });
  await requireBackup(data, to);
  const [from, into] = [join(data, 'blobs'), join(to, 'blobs')];
  const copy = `${join(to, 'registry.sqlite')}.new`;
  // First of all: whoever dies here is followed by one that knows the folder for a backup.
  await copyWhole(join(from, MARK), join(into, MARK));
  // Before the blobs: what it names is there for a day after it is deleted.
  await copyWhole(join(data, TABLE_COPY), copy);
  const there = new Set(await objectsIn(into));
  const wanted = new Set(await objectsIn(from));
  let added = 0;
  for (const name of wanted) {
    const isThere = there.has(name) && (await areAlike(join(from, name), join(into, name)));
    if (!isThere && (await copied(join(from, name), join(into, name)))) added += 1;
  }
  await syncPath(into);
  // Of the database of before, where a program that opened it for long, or a registry, has made one.
  await rm(join(to, TABLE_COPY), { force: true });
  await putInPlace(copy, join(to, 'registry.sqlite'));
  const left = [...there].filter((name) => !wanted.has(name));
  const parts = (await readdir(into)).filter((name) => name.endsWith(PART)); // of backups that died
  for (const name of [...left, ...parts]) await rm(join(into, name), { force: true });
  await syncPath(to);
  return { added, removed: left.length };
}

async function requireBackup(data: string, to: string): Promise<void> {
  const [source, target] = await Promise.all([realpath(data), realpath(to)]);
  if (target === source || target.startsWith(source + sep) || source.startsWith(target + sep))
    throw new Error(`a backup of ${data} cannot lie in ${to}: name a folder of its own, on another disk`);
  const mark = (folder: string) => readFile(join(folder, 'blobs', MARK), 'utf8').catch(() => undefined);
  const [ours, theirs] = [await mark(data), await mark(to)];
  const names = [...(await readdir(to)), ...(await readdir(join(to, 'blobs')))];
  const isEmpty = names.every((name) => name === 'blobs' || name === `${MARK}${PART}`);
  if (!isEmpty && ours !== theirs) throw new Error(`${to} has something else than a backup of this registry`);
}

async function objectsIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => OBJECT.test(name));
}

/** Whether the one there is as long: a disk, or somebody, may have cut it. */
async function areAlike(from: string, to: string): Promise<boolean> {
  const [ours, theirs] = await Promise.all([from, to].map((path) => stat(path).catch(() => undefined)));
  return ours === undefined || ours.size === theirs?.size;
}

/** Whether it was there: what was due may be deleted meanwhile. */
async function copied(from: string, to: string): Promise<boolean> {
  try {
    await copyWhole(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** Under its name when it is whole and on the disk; shares its bytes where the file system can. */
async function copyWhole(from: string, to: string): Promise<void> {
  const part = `${to}${PART}`;
  await copyFile(from, part, constants.COPYFILE_FICLONE);
  await syncPath(part);
  await rename(part, to);
}

/** No log of the database of before may lie beside this one. */
async function putInPlace(copy: string, database: string): Promise<void> {
  for (const end of ['-wal', '-shm']) await rm(`${database}${end}`, { force: true });
  await rename(copy, database);
}
