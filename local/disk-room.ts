import { statfsSync } from 'node:fs';
import type { RegistryError } from '../functions/oci/errors.ts';
import { storageFull } from '../functions/oci/host-errors.ts';
import type { Room } from '../functions/registry/room.ts';
import { type DiskReserve, RESERVE_BYTES } from './disk-reserve.ts';

/** What a push is refused with before it meets a full disk. */
class DiskFull extends Error {
  override readonly name = 'DiskFull';
}

const SQLITE_FULL = 13;

const CURE = 'its operator has to make room, or to delete images and wait a day; then push again';

/** Where a registry keeps what it has; each may be on a disk of its own. */
interface Folders {
  /** Of the database, and of the reserve. */
  readonly database: string;
  readonly blobs: string;
}

/** The room on the disk of the database, and on that of `blobs/`, which may be another one. Pushes are refused while one
 *  of them has no more of it than the reserve is large: what is left is for deletes. */
export class DiskRoom implements Room {
  readonly #folders: Folders;
  readonly #reserve: DiskReserve;
  readonly #tell: (what: string) => void;
  /** The folder whose disk is full. */
  #full: string | undefined;

  constructor(folders: Folders, reserve: DiskReserve, tell: (what: string) => void) {
    this.#folders = folders;
    this.#reserve = reserve;
    this.#tell = tell;
  }

  require(): void {
    if (!this.look()) throw new DiskFull(`too little room in ${this.#full} for a push`);
  }

  refusalOf(error: unknown): RegistryError | undefined {
    return isDiskFull(error) ? storageFull(CURE) : undefined;
  }

  /** Whether there is room for a push; says so where that has changed, and makes the reserve whole where it may. */
  look(): boolean {
    const { missing } = this.#reserve;
    const { database, blobs } = this.#folders;
    const hasRoom = freeBytes(database) >= RESERVE_BYTES + missing;
    const full = [...(hasRoom ? [] : [database]), ...(freeBytes(blobs) < RESERVE_BYTES ? [blobs] : [])][0];
    if (full !== this.#full) this.#tell(full ? fullMessage(full) : 'there is room again: pushes go on');
    this.#full = full;
    if (hasRoom && missing > 0) void this.#reserve.fill();
    return full === undefined;
  }
}

/** What a process without privileges may still write to the disk of a folder. */
export function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

const fullMessage = (folder: string) =>
  `the disk of ${folder} is full: pushes are refused (507) until it has ${(2 * RESERVE_BYTES) / 2 ** 20} MiB of room; ` +
  'pulls and deletes go on. Make room, or delete images: docs/runbook.md#the-disk-is-full';

/** Whether an error, or what caused it, says that a disk is full, or its owner's part of it. */
export function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, errcode } = error as { code?: string; errcode?: number };
  const isFull = code === 'ENOSPC' || code === 'EDQUOT' || errcode === SQLITE_FULL;
  return error instanceof DiskFull || isFull || isDiskFull(error.cause);
}
