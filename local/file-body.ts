import type { UnderlyingByteSource } from 'node:stream/web';
import type { Body, ByteRange } from '../functions/storage/blob-store.ts';
import type { ReadableFile } from './disk.ts';
import { readInto } from './file-reader.ts';

/** How much is read at once for a reader that brings no buffer of its own. */
const CHUNK_BYTES = 64 * 1024;

/** The bytes of a range of an open file, one after the other. The file is closed after the last of them, and where one cannot be
 *  read. While it is open it keeps its bytes, even when it is deleted. */
export class FileRange {
  readonly #file: ReadableFile;
  readonly #last: number;
  readonly #explain: (error: unknown) => unknown;
  #position: number;
  #isOpen = true;

  /** `explain` says what a read fails with where the disk does, or the file is shorter. */
  constructor(file: ReadableFile, { first, last }: ByteRange, explain: (error: unknown) => unknown) {
    [this.#file, this.#position, this.#last, this.#explain] = [file, first, last, explain];
  }

  /** Bytes that are still to be read. */
  get remaining(): number {
    return this.#last + 1 - this.#position;
  }

  /** Reads the next bytes, as many as there are and as the buffer has room for, and answers the part of it that has them. */
  async read<T extends Uint8Array>(buffer: T): Promise<T> {
    const bytes = await this.peek(buffer);
    this.skip(bytes.length);
    return bytes;
  }

  /** As `read`, and they are the next bytes still. */
  async peek<T extends Uint8Array>(buffer: T): Promise<T> {
    const bytes = buffer.subarray(0, this.remaining) as T;
    try {
      await readInto(bytes, this.#file, this.#position);
      return bytes;
    } catch (error) {
      this.close();
      throw this.#explain(error);
    }
  }

  /** Leaves out bytes, no more than remain. */
  skip(bytes: number): void {
    this.#position += bytes;
    if (this.remaining === 0) this.close();
  }

  /** Nobody has to wait for it: nothing was written. */
  close(): void {
    if (this.#isOpen) this.#file.close().catch(() => undefined);
    this.#isOpen = false;
  }
}

/** The one of its constructors that makes a stream of bytes. */
const ByteStream: new (source: UnderlyingByteSource) => Body = ReadableStream;

/** A range of an open file as a byte stream, for whoever knows nothing but streams; others take `range` and leave the stream. */
export class FileBody extends ByteStream {
  readonly range: FileRange;

  constructor(range: FileRange) {
    super({
      type: 'bytes',
      autoAllocateChunkSize: CHUNK_BYTES,
      pull: (controller) => fill(controller, range),
      cancel: () => range.close(),
    });
    this.range = range;
  }
}

async function fill(controller: ReadableByteStreamController, range: FileRange): Promise<void> {
  const { view } = controller.byobRequest as ReadableStreamBYOBRequest;
  const { buffer, byteOffset, byteLength } = view as Uint8Array;
  const { length } = await range.read(new Uint8Array(buffer, byteOffset, byteLength));
  if (length === 0) controller.close();
  controller.byobRequest?.respond(length); // absent where the reader has gone meanwhile
}
