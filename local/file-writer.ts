import type { DiskFile } from './disk.ts';

/** Sockets deliver 64 KiB at a time; writing 1 MiB at once saves most of the calls. */
const BATCH_BYTES = 1024 * 1024;

/** Ours: what all writers may have gathered, or on its way. Enough for as many as a disk keeps up with. */
const BACKLOG_BYTES = 16 * 1024 * 1024;

/** Bytes that are not in their files yet, of all writers to one disk. */
export class Backlog {
  bytes = 0;

  get isLong(): boolean {
    return this.bytes > BACKLOG_BYTES;
  }
}

/** Writes chunks to a file from a position on, in large batches, one of them on its way while the next is
 *  gathered: at most two batches are in memory. Where the backlog of all is long, each chunk is written before the next is taken: clients
 *  that are slow, or a disk that is, take no memory. */
export class FileWriter {
  readonly #file: DiskFile;
  readonly #backlog: Backlog;
  #position: number;
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  #inFlight: Promise<void> = Promise.resolve();

  constructor(file: DiskFile, position: number, backlog: Backlog) {
    this.#file = file;
    this.#position = position;
    this.#backlog = backlog;
  }

  /** Where the next byte goes: the start plus all that was written so far. */
  get position(): number {
    return this.#position + this.#batchBytes;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#batch.push(chunk);
    this.#batchBytes += chunk.length;
    this.#backlog.bytes += chunk.length;
    if (this.#backlog.isLong) await this.flush();
    else if (this.#batchBytes >= BATCH_BYTES) await this.#startBatch();
  }

  /** Resolves when everything is in the file; fails where a write failed. */
  async flush(): Promise<void> {
    if (this.#batchBytes > 0) await this.#startBatch();
    await this.#inFlight;
  }

  /** Waits until no write is under way, whether it succeeded or not, and forgets what was not written: then the file may
   *  be closed. */
  async settle(): Promise<void> {
    this.#backlog.bytes -= this.#batchBytes;
    [this.#batch, this.#batchBytes] = [[], 0];
    await this.#inFlight.catch(() => undefined);
  }

  async #startBatch(): Promise<void> {
    await this.#inFlight;
    const batch = this.#batch;
    const [position, bytes] = [this.#position, this.#batchBytes];
    this.#position += bytes;
    [this.#batch, this.#batchBytes] = [[], 0];
    this.#inFlight = writeAll(this.#file, batch, position).finally(() => {
      this.#backlog.bytes -= bytes;
    });
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
