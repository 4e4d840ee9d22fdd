import { createHash } from 'node:crypto';
import { type Algorithm, type Digest, finishDigest } from '../functions/oci/digest.ts';
import type { ReadableFile } from './disk.ts';
import { FileTooShort } from './disk-failure.ts';

/** How much is read at once to be hashed. */
const CHUNK_BYTES = 256 * 1024;

type File = Pick<ReadableFile, 'read'>;

/** The digest of the first `size` bytes of an open file, read into one buffer. Fails where it is shorter. */
export async function digestFile(file: File, size: number, algorithm: Algorithm): Promise<Digest> {
  const hash = createHash(algorithm);
  const buffer = Buffer.allocUnsafe(Math.min(size, CHUNK_BYTES));
  for (let position = 0; position < size; ) {
    const chunk = buffer.subarray(0, size - position);
    await readInto(chunk, file, position);
    hash.update(chunk);
    position += chunk.length;
  }
  return finishDigest(algorithm, hash);
}

/** Fills all of `bytes` with what the file has from a position on. Fails where it is shorter. */
export async function readInto(bytes: Uint8Array, file: File, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, position + at);
    if (bytesRead === 0)
      throw new FileTooShort(`the file ends at ${position + at}, before ${position + bytes.length}`);
    at += bytesRead;
  }
}
