import { readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RESERVE_BYTES } from './disk-reserve.ts';
import { freeBytes } from './disk-room.ts';
import { syncPath } from './sync-path.ts';

/** A whole copy of the table beside the blobs: what a copy of the folder can go back to that was made while the registry ran. */
export const TABLE_COPY = 'blobs/table.sqlite';

/** What a backup asks the registry that runs for: a new copy; and how it is told of it. Each has the number of the request behind. */
export const WANTED = 'copy-wanted.';
export const MADE = 'copy-made.';

const LOOK_MS = 1000;
const MINUTE_MS = 60_000;

/** A table is copied every five minutes for each of so many bytes; but not so seldom that objects which a copy names are gone. */
const RENEW_MS = 5 * MINUTE_MS;
const BYTES_A_TIME = 16 * 1024 * 1024;
const LONGEST_MS = 12 * 60 * MINUTE_MS;

interface Table {
  /** Writes all of it into a new file. */
  copyTo(path: string): Promise<void>;
}

interface Folder {
  readonly folder: string;
  /** The file of the database. */
  readonly database: string;
}

/** Keeps a copy of the table among the blobs, renewed every some minutes, and whenever a backup asks for one. */
export class TableCopies {
  readonly #table: Table;
  readonly #folder: Folder;
  readonly #tell: (what: string) => void;
  readonly #timers: readonly NodeJS.Timeout[];
  #making: Promise<void> = Promise.resolve();

  constructor(table: Table, folder: Folder, tell: (what: string) => void) {
    [this.#table, this.#folder, this.#tell] = [table, folder, tell];
    this.#timers = [
      setInterval(() => void this.#answerRequests(), LOOK_MS).unref(),
      // Where it cannot, the hourly tidying tries again, and says why not.
      setInterval(() => void this.renew().catch(() => undefined), RENEW_MS).unref(),
    ];
  }

  /** Renews the copy where it is old, something was written since, and there is room for two. */
  async renew(): Promise<void> {
    const { folder, database } = this.#folder;
    const [made, { size, mtimeMs }, log] = await Promise.all([
      stat(join(folder, TABLE_COPY)).catch(() => undefined),
      stat(database),
      stat(`${database}-wal`).catch(() => undefined),
    ]);
    const pause = Math.min(LONGEST_MS, RENEW_MS * Math.ceil(size / BYTES_A_TIME)) - MINUTE_MS;
    // A time that has not come yet is of a clock that was wrong.
    const madeAt = made && made.mtimeMs <= Date.now() ? made.mtimeMs : 0;
    const isOld = Date.now() - madeAt > pause;
    const isChanged = Math.max(mtimeMs, log?.mtimeMs ?? 0) > madeAt;
    if (!isOld || !isChanged) return;
    if (freeBytes(join(folder, 'blobs')) >= size + 2 * RESERVE_BYTES) await this.make();
  }

  /** Resolves when there is a copy that holds all that was acknowledged before the call. One at a time is made. */
  make(): Promise<void> {
    const before = this.#making.catch(() => undefined);
    this.#making = before.then(() => this.#make());
    return this.#making;
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  async #make(): Promise<void> {
    const path = join(this.#folder.folder, TABLE_COPY);
    try {
      await rm(`${path}.new`, { force: true });
      await this.#table.copyTo(`${path}.new`);
      await syncPath(`${path}.new`);
      await rename(`${path}.new`, path);
      await syncPath(join(path, '..'));
    } catch (error) {
      await rm(`${path}.new`, { force: true });
      throw error;
    }
  }

  /** Whoever may write to the folder may ask. */
  async #answerRequests(): Promise<void> {
    const { folder } = this.#folder;
    const names = await readdir(folder).catch(() => []);
    const wanted = names.filter((name) => name.startsWith(WANTED));
    if (wanted.length === 0) return;
    try {
      for (const name of wanted) await rm(join(folder, name), { force: true });
      const failure = await this.make().then(
        () => '',
        (error: unknown) => `${error instanceof Error ? error.message : error}`,
      );
      for (const name of wanted)
        await writeFile(join(folder, name.replace(WANTED, MADE)), failure, { mode: 0o600 });
    } catch (error) {
      this.#tell(`a backup was asked for, and cannot be answered: ${error}`);
    }
  }
}
