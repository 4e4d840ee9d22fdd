import { close, constants, fstatSync, open as openWith, read } from 'node:fs';
import { access, type FileHandle, mkdir, open, opendir, rename, stat, unlink } from 'node:fs/promises';
import { promisify } from 'node:util';

/** What is asked of an open file that is read. */
export interface ReadableFile {
  /** Bytes, at this moment: what is open is in the system's memory, and nobody has to wait for it. */
  size(): number;
  /** Fewer bytes than `length` where the file ends. */
  read(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }>;
  close(): Promise<void>;
}

/** What is asked of an open file that is written to; Node's `FileHandle` is one. */
export type DiskFile = Pick<FileHandle, 'write' | 'writev' | 'truncate' | 'sync' | 'close'> &
  Pick<ReadableFile, 'read'> & { stat(): Promise<{ readonly size: number }> };

/** What is asked of a file system, so that a simulation can stand in for the disk below the code that writes to it. */
export interface Disk {
  /** An existing file to read; `undefined` where there is none. */
  openToRead(path: string): Promise<ReadableFile | undefined>;
  /** A file to read and write, made where there is none. */
  openToWrite(path: string): Promise<DiskFile>;
  /** Moves a file, at once and whole. */
  rename(from: string, to: string): Promise<void>;
  /** Harmless where there is none. */
  remove(path: string): Promise<void>;
  /** `undefined` where there is no such file. */
  stat(path: string): Promise<{ readonly size: number; readonly mtimeMs: number } | undefined>;
  /** The names in a directory, in no order. */
  names(directory: string): AsyncIterable<string>;
  /** Makes it where it is not there. */
  makeDirectory(path: string): Promise<void>;
  /** A new name is only safe once its directory is. */
  syncDirectory(path: string): Promise<void>;
}

const [openAsync, closeAsync, readAsync] = [promisify(openWith), promisify(close), promisify(read)];

/** The disk of this machine. Files and directories are nobody else's business. */
export const realDisk: Disk = {
  openToRead: (path) => unlessMissing(openForReading(path)),
  openToWrite: (path) => open(path, constants.O_RDWR | constants.O_CREAT, 0o600),
  rename,
  remove: (path) => unlessMissing(unlink(path)),
  stat: (path) => unlessMissing(stat(path)),
  async *names(directory) {
    for await (const { name } of await opendir(directory)) yield name;
  },
  async makeDirectory(path) {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await access(path, constants.W_OK);
  },
  async syncDirectory(path) {
    const directory = await open(path, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  },
};

async function unlessMissing<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Without a `FileHandle`, whose promises take as long as the system's calls. */
async function openForReading(path: string): Promise<ReadableFile> {
  const file = await openAsync(path, 'r');
  return {
    size: () => fstatSync(file).size,
    read: (...where) => readAsync(file, ...where),
    close: () => closeAsync(file),
  };
}
