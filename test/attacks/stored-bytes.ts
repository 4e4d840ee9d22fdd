import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';

/** Where the stores of a target keep bytes: the embedded registry's blobs, or what the stand-in for S3 has of objects and parts. */
const foldersIn = (directory: string) => [
  join(directory, 'registry', 'blobs'),
  join(directory, 'registry', 's3', 'files'),
];

/** Looks at what the stores hold as often as it can, and keeps the most that it has seen at one moment. */
export class StoredBytes {
  readonly #folders: readonly string[];
  readonly #base: number;
  #stopped = false;
  #done: Promise<void> | undefined;
  most = 0;
  looks = 0;

  private constructor(folders: readonly string[], base: number) {
    [this.#folders, this.#base] = [folders, base];
  }

  /** What is there now does not count. */
  static async watch(directory: string): Promise<StoredBytes> {
    const folders = foldersIn(directory);
    const watched = new StoredBytes(folders, await bytesIn(folders));
    watched.#done = watched.#look();
    return watched;
  }

  async stop(): Promise<this> {
    this.#stopped = true;
    await this.#done;
    return this;
  }

  now = async () => (await bytesIn(this.#folders)) - this.#base;

  async #look(): Promise<void> {
    while (!this.#stopped) {
      this.most = Math.max(this.most, (await bytesIn(this.#folders)) - this.#base);
      this.looks += 1;
      await setImmediate();
    }
  }
}

/** Files come and go while one looks: what was there before and after was there at the moment between. */
async function bytesIn(folders: readonly string[]): Promise<number> {
  const [before, after] = [await filesIn(folders), await filesIn(folders)];
  let bytes = 0;
  for (const [file, size] of before) bytes += Math.min(size, after.get(file) ?? 0);
  return bytes;
}

/** Their sizes, by the number that a file keeps when it is moved. */
async function filesIn(folders: readonly string[]): Promise<Map<number, number>> {
  const files = new Map<number, number>();
  for (const folder of folders) {
    const names = await readdir(folder, { recursive: true }).catch(() => []);
    for (const name of names) {
      const found = await stat(join(folder, name)).catch(() => undefined);
      if (found?.isFile()) files.set(found.ino, found.size);
    }
  }
  return files;
}
