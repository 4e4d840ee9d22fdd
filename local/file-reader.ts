import type { Body, ByteRange } from '../functions/storage/blob-store.ts';
import type { DiskFile } from './disk.ts';

/** How much is read at once for a reader that brings no buffer of its own. */
const CHUNK_BYTES = 256 * 1024;

interface StreamOptions {
  /** Whether the file stays open at the end. @default false */
  readonly keepsOpen?: boolean;
  /** What the stream fails with where the disk does, or the file is shorter. @default why it cannot be read */
  readonly explain?: (error: unknown) => unknown;
}

/** A range of an open file as a byte stream, which closes it at its end. It reads into the buffers of its reader, and fails
 *  where the file is shorter. An open stream keeps its bytes even when the file is deleted meanwhile. */
export function streamFile(
  file: DiskFile,
  range: ByteRange,
  { keepsOpen = false, explain = (error) => error }: StreamOptions = {},
): Body {
  const { last } = range;
  let position = range.first;
  const close = async () => {
    if (!keepsOpen) await file.close();
  };

  async function finish(controller: ReadableByteStreamController): Promise<void> {
    await close();
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
        await close();
      }
    },
    cancel: close,
  });
}

async function readInto(view: Uint8Array, file: DiskFile, position: number, last: number): Promise<number> {
  const wanted = Math.min(view.byteLength, last - position + 1);
  const { bytesRead } = await file.read(view, 0, wanted, position);
  if (bytesRead === 0) throw new Error(`the file ends at ${position}, before ${last}`);
  return bytesRead;
}
