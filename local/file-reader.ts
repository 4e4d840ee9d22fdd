import type { Body, ByteRange } from '../functions/storage/blob-store.ts';
import type { DiskFile } from './disk.ts';

/** How much is read at once for a reader that brings no buffer of its own. */
const CHUNK_BYTES = 256 * 1024;

interface StreamOptions {
  /** Whether the file stays open at the end. @default false */
  readonly keepsOpen?: boolean;
}

/** A range of an open file as a byte stream, which closes it at its end. It reads into the buffers of its reader, and fails
 *  where the file is shorter. An open stream keeps its bytes even when the file is deleted meanwhile. */
export function streamFile(
  file: DiskFile,
  range: ByteRange,
  { keepsOpen = false }: StreamOptions = {},
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
      const request = controller.byobRequest as ReadableStreamBYOBRequest;
      try {
        if (position > last) return await finish(controller);
        position += await readInto(request, file, position, last);
      } catch (error) {
        await close();
        controller.error(error);
      }
    },
    cancel: close,
  });
}

async function readInto(
  request: ReadableStreamBYOBRequest,
  file: DiskFile,
  position: number,
  last: number,
): Promise<number> {
  const view = request.view as Uint8Array;
  const { bytesRead } = await file.read(view, 0, Math.min(view.byteLength, last - position + 1), position);
  if (bytesRead === 0) throw new Error(`file ends at ${position}, before ${last}`);
  request.respond(bytesRead);
  return bytesRead;
}
