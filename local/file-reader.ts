import { createHash } from 'node:crypto';
import { type Algorithm, type Digest, finishDigest } from '../functions/oci/digest.ts';
import type { ReadableFile } from './disk.ts';
import { FileTooShort } from './disk-failure.ts';

/** How much is read at once to be hashed. */
const CHUNK_BYTES = 256 * 1024;

type File = Pick<ReadableFile, 'readv'>;

/** The digest of the first `size` bytes of an open file, read into one buffer. Fails where it is shorter. */
export async function digestFile(file: File, size: number, algorithm: Algorithm): Promise<Digest> {
  const hash = createHash(algorithm);
  const buffer = Buffer.allocUnsafe(Math.min(size, CHUNK_BYTES));
  for (let position = 0; position < size; ) {
    const chunk = buffer.subarray(0, size - position);
    position += await readInto([chunk], file, position);
    hash.update(chunk);
  }
  return finishDigest(algorithm, hash);
}

/** Fills the buffers with what the file has from a position on, and tells how many bytes that are. Fails where it is shorter. */
export async function readInto(
  buffers: readonly Uint8Array[],
  file: File,
  position: number,
): Promise<number> {
  const wanted = buffers.reduce((sum, { length }) => sum + length, 0);
  for (let read = 0; read < wanted; ) {
    const { bytesRead } = await file.readv(read === 0 ? buffers : without(buffers, read), position + read);
    if (bytesRead === 0)
      throw new FileTooShort(`the file ends at ${position + read}, before ${position + wanted}`);
    read += bytesRead;
  }
  return wanted;
}

/** The buffers but for their first bytes. */
function without(buffers: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let left = bytes;
  return buffers.flatMap((buffer) => {
    const rest = buffer.subarray(left);
    left = Math.max(0, left - buffer.length);
    return rest.length > 0 ? [rest] : [];
  });
}
