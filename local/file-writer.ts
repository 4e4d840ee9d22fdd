import type { DiskFile } from './disk.ts';

/** Sockets deliver 64 KiB at a time; writing 1 MiB at once saves most of the calls. */
const BATCH_BYTES = 1024 * 1024;

/** Writes chunks to a file from a position on, in large batches, one of them on its way while the next is
 *  gathered: at most two batches are in memory. */
export class FileWriter {
  readonly #file: DiskFile;
  #position: number;
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  #inFlight: Promise<void> = Promise.resolve();

  constructor(file: DiskFile, position: number) {
    this.#file = file;
    this.#position = position;
  }

  /** Where the next byte goes: the start plus all that was written so far. */
  get position(): number {
    return this.#position + this.#batchBytes;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#batch.push(chunk);
    this.#batchBytes += chunk.length;
    if (this.#batchBytes >= BATCH_BYTES) await this.#startBatch();
  }

  /** Resolves when everything is in the file; fails where a write failed. */
  async flush(): Promise<void> {
    if (this.#batchBytes > 0) await this.#startBatch();
    await this.#inFlight;
  }

  /** Waits until no write is under way, whether it succeeded or not: then the file may be closed. */
  async settle(): Promise<void> {
    await this.#inFlight.catch(() => undefined);
  }

  async #startBatch(): Promise<void> {
    await this.#inFlight;
    const batch = this.#batch;
    const position = this.#position;
    this.#position += this.#batchBytes;
    this.#batch = [];
    this.#batchBytes = 0;
    this.#inFlight = writeAll(this.#file, batch, position);
    // Whoever waits for it next sees the failure; until then it must not count as unhandled.
    this.#inFlight.catch(() => undefined);
  }
}

/** A write may take less than it was given, for instance when the disk is nearly full. */
async function writeAll(file: DiskFile, batch: Uint8Array[], position: number): Promise<void> {
  const { bytesWritten } = await file.writev(batch, position);
  const total = batch.reduce((sum, chunk) => sum + chunk.length, 0);
  if (bytesWritten === total) return;
  const rest = Buffer.concat(batch).subarray(bytesWritten);
  let written = 0;
  while (written < rest.length) {
    const result = await file.write(rest, written, rest.length - written, position + bytesWritten + written);
    written += result.bytesWritten;
  }
}
