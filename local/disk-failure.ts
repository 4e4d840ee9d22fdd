import { constants } from 'node:os';

/** What the disk refused. The kernel tells of bytes that it could not write only once, so whatever was written to that file
 *  is in doubt from then on. */
export class DiskFailure extends Error {
  override readonly name = 'DiskFailure';
}

/** Does what writes to a file; fails with `DiskFailure`, whose cause says why. */
export async function attempt<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw new DiskFailure('the disk refused a write', { cause });
  }
}

/** What a file is read with that ends before its bytes do. */
export class FileTooShort extends Error {
  override readonly name = 'FileTooShort';
}

/** What says that a file is lost, or that something else is in its place. */
const DAMAGED = new Set(['EIO', 'ELOOP', 'ENOTDIR', 'EISDIR']);

/** The same, where Node has no name for it: a checksum, or an inode, of the file system is wrong. EUCLEAN is Linux's. */
const DAMAGED_NUMBERS = new Set([-constants.errno.EBADMSG, -117]);

/** Whether a file could not be read for what it is. Else the machine failed: it has no rights, memory or descriptors left, and
 *  nothing is known of the file. */
export function isDamage(error: unknown): boolean {
  const { code = '', errno = 0 } = error as NodeJS.ErrnoException;
  return error instanceof FileTooShort || DAMAGED.has(code) || DAMAGED_NUMBERS.has(errno);
}
