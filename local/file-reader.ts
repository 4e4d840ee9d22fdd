import { type FileHandle, open } from 'node:fs/promises';
import type { Body, ByteRange } from '../functions/storage/blob-store.ts';

/** How much is read at once for a reader that brings no buffer of its own. */
const CHUNK_BYTES = 256 * 1024;

/** The file, or a range of it, as a byte stream; `undefined` where there is none. It reads into the buffers of
 *  its reader. An open stream keeps its bytes even when the file is deleted meanwhile. */
export async function streamFile(path: string, range?: ByteRange): Promise<Body | undefined> {
  const file = await openExisting(path);
  if (!file) return undefined;
  const last = range?.last ?? (await file.stat()).size - 1;
  let position = range?.first ?? 0;

  async function finish(controller: ReadableByteStreamController): Promise<void> {
    await file?.close();
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
        await file.close();
        controller.error(error);
      }
    },
    cancel: () => file.close(),
  });
}

async function readInto(
  request: ReadableStreamBYOBRequest,
  file: FileHandle,
  position: number,
  last: number,
): Promise<number> {
  const view = request.view as Uint8Array;
  const { bytesRead } = await file.read(view, 0, Math.min(view.byteLength, last - position + 1), position);
  if (bytesRead === 0) throw new Error(`file ends at ${position}, before ${last}`);
  request.respond(bytesRead);
  return bytesRead;
}

async function openExisting(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
