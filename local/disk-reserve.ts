import { randomFillSync } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, statSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** What deletes and tidying need of a disk that is full: 4 MiB for SQLite's log, which it then begins again, and 12 MiB for
 *  what some 10,000 deletes leave in the table, their lines in the audit trail among it. */
export const RESERVE_BYTES = 16 * 1024 * 1024;

/** It is given back in parts: a part is used in the turn it is given in, and who else writes to the disk gets little. */
const PART_BYTES = 1024 * 1024;

/** Room on the disk that nobody else can take: a file of noise, which no file system keeps smaller than it is. Somebody may
 *  have deleted it, or taken its rights: then there is none until it is made anew. */
export class DiskReserve {
  readonly #path: string;
  readonly #tell: (what: string) => void;
  /** Whether it could not be used, and is not to be counted on until it is made anew. */
  #isUseless = false;
  #told: string | undefined;
  #filling: Promise<void> | undefined;
  #isClosed = false;

  constructor(folder: string, tell: (what: string) => void) {
    this.#path = join(folder, 'reserve');
    this.#tell = tell;
  }

  /** Bytes that it lacks. */
  get missing(): number {
    return Math.max(0, RESERVE_BYTES - this.#bytes);
  }

  /** Gives a part back to the disk; false where there is none left, or where it cannot: that is told, once. */
  give(): boolean {
    if (this.#isUseless) return false;
    try {
      return shorten(this.#path);
    } catch (error) {
      this.#isUseless = true;
      this.#tellOnce(`the reserve cannot be used, and deletes fail while the disk is full: ${error}`);
      return false;
    }
  }

  /** Makes it whole again, or as large as the disk lets it be; tells, once, where it cannot. */
  fill(): Promise<void> {
    this.#filling ??= this.#fill()
      .catch((error: unknown) => this.#tellOnce(`the reserve was not made: ${error}`))
      .finally(() => {
        this.#filling = undefined;
      });
    return this.#filling;
  }

  /** Resolves when it writes no more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#filling;
  }

  get #bytes(): number {
    if (this.#isUseless) return 0;
    try {
      return statSync(this.#path).size;
    } catch {
      return 0;
    }
  }

  async #fill(): Promise<void> {
    if (this.#isUseless) await rm(this.#path, { force: true });
    this.#isUseless = false;
    const file = await open(this.#path, 'a', 0o600);
    try {
      const noise = randomFillSync(Buffer.alloc(PART_BYTES));
      for (let { missing } = this; missing > 0 && !this.#isClosed; missing = this.missing) {
        await file.write(noise, 0, Math.min(PART_BYTES, missing));
      }
      this.#told = undefined;
    } finally {
      await file.close();
    }
  }

  #tellOnce(what: string): void {
    if (what !== this.#told) this.#tell(what);
    this.#told = what;
  }
}

/** By a part; false where nothing is left. */
function shorten(path: string): boolean {
  const file = openSync(path, 'r+');
  try {
    const { size } = fstatSync(file);
    ftruncateSync(file, Math.max(0, size - PART_BYTES));
    fsyncSync(file); // ext4 gives blocks away only when its journal says that they are free
    return size > 0;
  } finally {
    closeSync(file);
  }
}
