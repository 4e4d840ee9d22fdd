import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

/** Where the stores of a target keep bytes: the embedded registry's blobs, or what the stand-in for S3 has of objects and parts. */
const foldersIn = (directory: string) => [
  join(directory, 'registry', 'blobs'),
  join(directory, 'registry', 's3', 'files'),
];

/** As long as a look takes where nothing else happens. */
const PAUSE_MS = 1;

/** Looks at what the stores hold again and again, and keeps the most that it has seen at one moment. */
export class StoredBytes {
  readonly #folders: readonly string[];
  #stopped = false;
  #done: Promise<void> | undefined;
  most = 0;
  looks = 0;

  private constructor(folders: readonly string[]) {
    this.#folders = folders;
  }

  /** What is there now does not count. */
  static async watch(directory: string): Promise<StoredBytes> {
    const watched = new StoredBytes(foldersIn(directory));
    const before = await filesIn(watched.#folders);
    watched.#done = watched.#look(before);
    return watched;
  }

  async stop(): Promise<this> {
    this.#stopped = true;
    await this.#done;
    return this;
  }

  /** Files come and go while one looks: what two looks have found was there at the moment between them. */
  async #look(first: Map<number, number>): Promise<void> {
    let before = first;
    const base = bytesInBoth(first, first);
    while (!this.#stopped) {
      const after = await filesIn(this.#folders);
      this.most = Math.max(this.most, bytesInBoth(before, after) - base);
      this.looks += 1;
      before = after;
      await setTimeout(PAUSE_MS); // what is watched needs the processor, too
    }
  }
}

function bytesInBoth(before: Map<number, number>, after: Map<number, number>): number {
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
