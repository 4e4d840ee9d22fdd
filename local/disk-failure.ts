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
