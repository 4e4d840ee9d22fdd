import { createHash } from 'node:crypto';
import { type Algorithm, type Digest, finishDigest } from '../functions/oci/digest.ts';
import type { Body, ByteRange } from '../functions/storage/blob-store.ts';
import type { DiskFile } from './disk.ts';
import { FileTooShort } from './disk-failure.ts';

/** How much is read at once for a reader that brings no buffer of its own. */
const CHUNK_BYTES = 256 * 1024;

interface StreamOptions {
  /** What the stream fails with where the disk does, or the file is shorter. @default why it cannot be read */
  readonly explain?: (error: unknown) => unknown;
}

/** A range of an open file as a byte stream, which closes it at its end. It reads into the buffers of its reader, and fails
 *  where the file is shorter. An open stream keeps its bytes even when the file is deleted meanwhile. */
export function streamFile(
  file: DiskFile,
  range: ByteRange,
  { explain = (error) => error }: StreamOptions = {},
): Body {
  const { last } = range;
  let position = range.first;

  async function finish(controller: ReadableByteStreamController): Promise<void> {
    await file.close();
    controller.close();
    controller.byobRequest?.respond(0);
  }

  return new ReadableStream({
    type: 'bytes',
    autoAllocateChunkSize: CHUNK_BYTES,
    async pull(controller) {
      if (position > last) return finish(controller);
      const { view } = controller.byobRequest as ReadableStreamBYOBRequest;
      try {
        const bytesRead = await readInto(view as Uint8Array, file, position, last);
        position += bytesRead;
        controller.byobRequest?.respond(bytesRead); // absent where the reader has gone meanwhile
      } catch (error) {
        controller.error(explain(error));
        await file.close();
      }
    },
    cancel: () => file.close(),
  });
}

/** The digest of the first `size` bytes of an open file, read into one buffer. Fails where it is shorter. */
export async function digestFile(file: DiskFile, size: number, algorithm: Algorithm): Promise<Digest> {
  const hash = createHash(algorithm);
  const buffer = Buffer.allocUnsafe(Math.min(size, CHUNK_BYTES));
  for (let position = 0; position < size; ) {
    const bytesRead = await readInto(buffer, file, position, size - 1);
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
  return finishDigest(algorithm, hash);
}

async function readInto(view: Uint8Array, file: DiskFile, position: number, last: number): Promise<number> {
  const wanted = Math.min(view.byteLength, last - position + 1);
  const { bytesRead } = await file.read(view, 0, wanted, position);
  if (bytesRead === 0) throw new FileTooShort(`the file ends at ${position}, before ${last}`);
  return bytesRead;
}
