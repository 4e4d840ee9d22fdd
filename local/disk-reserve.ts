import { randomFillSync } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

/** What deletes and tidying need of a disk that is full: 4 MiB for SQLite's log, which it then begins again, and 12 MiB for
 *  what some 10,000 deletes leave in the table, their lines in the audit trail among it. */
export const RESERVE_BYTES = 16 * 1024 * 1024;

/** It is given back in parts: a part is used in the turn it is given in, and who else writes to the disk gets little. */
const PART_BYTES = 1024 * 1024;

/** Room on the disk that nobody else can take: a file of noise, which no file system keeps smaller than it is. */
export class DiskReserve {
  readonly #path: string;
  #bytes: number;
  #filling: Promise<void> | undefined;
  #isClosed = false;

  constructor(folder: string) {
    this.#path = join(folder, 'reserve');
    this.#bytes = statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Bytes that it lacks. */
  get missing(): number {
    return Math.max(0, RESERVE_BYTES - this.#bytes);
  }

  /** Gives a part back to the disk; false where there is none left. */
  give(): boolean {
    if (this.#bytes === 0) return false;
    const file = openSync(this.#path, 'r+');
    try {
      this.#bytes = Math.max(0, fstatSync(file).size - PART_BYTES);
      ftruncateSync(file, this.#bytes);
      fsyncSync(file); // ext4 gives blocks away only when its journal says that they are free
    } finally {
      closeSync(file);
    }
    return true;
  }

  /** Makes it whole again, or as large as the disk lets it be. */
  fill(): Promise<void> {
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = undefined;
    });
    return this.#filling;
  }

  /** Resolves when it writes no more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#filling?.catch(() => undefined);
  }

  async #fill(): Promise<void> {
    if (this.missing === 0) return;
    const file = await open(this.#path, 'a', 0o600);
    try {
      const noise = randomFillSync(Buffer.alloc(PART_BYTES));
      while (this.missing > 0 && !this.#isClosed) {
        const { bytesWritten } = await file.write(noise, 0, Math.min(PART_BYTES, this.missing));
        this.#bytes += bytesWritten;
      }
    } finally {
      await file.close();
    }
  }
}
