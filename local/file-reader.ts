import { type FileHandle, open } from 'node:fs/promises';
import type { Body, ByteRange } from '../functions/storage/blob-store.ts';

/** Large enough that the number of calls does not matter, small enough for many downloads at once. */
const CHUNK_BYTES = 512 * 1024;

/** The file, or a range of it, as a stream; `undefined` where there is none. An open stream keeps its bytes
 *  even when the file is deleted meanwhile. */
export async function streamFile(path: string, range?: ByteRange): Promise<Body | undefined> {
  const file = await openExisting(path);
  if (!file) return undefined;
  const last = range?.last ?? (await file.stat()).size - 1;
  const chunks = readChunks(file, { first: range?.first ?? 0, last });
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
    const { value, done } = await chunks.next();
    if (!done) return controller.enqueue(value);
    await file.close();
    controller.close();
  };
  return new ReadableStream<Uint8Array>(
    {
      pull: (controller) =>
        pull(controller).catch((error) => file.close().finally(() => controller.error(error))),
      cancel: () => file.close(),
    },
    { highWaterMark: 1 },
  );
}

/** The bytes of the range in chunks; fails where the file ends before it does. */
export async function* readChunks(file: FileHandle, { first, last }: ByteRange): AsyncGenerator<Uint8Array> {
  for (let position = first; position <= last; ) {
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, last - position + 1));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) throw new Error(`file ends at ${position}, before ${last}`);
    yield buffer.subarray(0, bytesRead);
    position += bytesRead;
  }
}

async function openExisting(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
