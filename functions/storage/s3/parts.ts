import { blobTooLarge } from '../../oci/errors.ts';
import type { ObjectClient } from './object-client.ts';
import type { PartBuffers } from './part-buffers.ts';
import type { Multipart, Part, UploadState } from './upload-state.ts';

/** S3's: every part but the last has at least this many bytes. */
export const MIN_PART_BYTES = 5 * 1024 * 1024;

/** Ours: of an upload that comes in several requests, so that two chunks of 4 MiB are one part and leave nothing over. */
const CHUNKED_PART_BYTES = 8 * 1024 * 1024;

/** Ours: 5 GB in the smallest parts, 26 GB more in larger ones, and up to 150 GB. The number is bounded because all parts
 *  are listed in the session's item. */
const PART_SIZES = [
  { until: 1000, bytes: MIN_PART_BYTES },
  { until: 2000, bytes: 5 * MIN_PART_BYTES },
  { until: 3500, bytes: 64 * 1024 * 1024 },
] as const;

/** Ours: what an upload may have on its way while it gathers the next part, or one part that is larger. One connection
 *  to S3 is slower than most clients. */
const MAX_BYTES_IN_FLIGHT = 20 * 1024 * 1024;

interface PartsOptions {
  readonly objects: ObjectClient;
  readonly buffers: PartBuffers;
  readonly key: string;
  readonly state: UploadState;
}

/** The parts of an upload, some of them on their way while the next is gathered. */
export class Parts {
  readonly #objects: ObjectClient;
  readonly #buffers: PartBuffers;
  readonly #key: string;
  readonly #parts: Part[];
  readonly #leastBytes: number;
  #id: string | undefined;
  /** Those that have failed stay here: whoever waits next is told. */
  readonly #inFlight = new Set<Promise<void>>();
  #bytesInFlight = 0;
  #gathered: { readonly buffer: Buffer; length: number } | undefined;

  constructor({ objects, buffers, key, state }: PartsOptions) {
    this.#objects = objects;
    this.#buffers = buffers;
    this.#key = key;
    this.#parts = [...(state.multipart?.parts ?? [])];
    this.#leastBytes = state.hash ? CHUNKED_PART_BYTES : MIN_PART_BYTES;
    this.#id = state.multipart?.id;
  }

  get begun(): boolean {
    return this.#id !== undefined;
  }

  /** What is in no part yet. Never more than a part, and not yet sent even then: it may be all there is. */
  get rest(): Uint8Array {
    return this.#gathered?.buffer.subarray(0, this.#gathered.length) ?? Buffer.of();
  }

  /** Takes bytes over, and sends what comes together as parts. */
  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const { buffer, length } = await this.#room();
      const piece = bytes.subarray(at, at + buffer.length - length);
      buffer.set(piece, length);
      this.#gathered = { buffer, length: length + piece.length };
      at += piece.length;
    }
  }

  /** Sends what is gathered as one more part. */
  async send(): Promise<void> {
    const gathered = this.#gathered;
    if (!gathered) return;
    while (this.#bytesInFlight + gathered.length > MAX_BYTES_IN_FLIGHT && this.#inFlight.size > 0)
      await Promise.race(this.#inFlight);
    const number = this.#parts.length + 1;
    this.#partBytes(); // refuses one part too many
    this.#id ??= await this.#objects.createMultipart(this.#key);
    this.#gathered = undefined;
    this.#parts.push({ etag: '', sha256: '' });
    const { buffer, length } = gathered;
    const upload = this.#objects.uploadPart(this.#key, this.#id, number, buffer.subarray(0, length));
    this.#bytesInFlight += length;
    const sent = upload
      .finally(() => {
        this.#bytesInFlight -= length;
        this.#buffers.release(buffer);
      })
      .then((part) => {
        this.#parts[number - 1] = part;
        this.#inFlight.delete(sent);
      });
    this.#inFlight.add(sent);
    sent.catch(() => undefined); // told by whoever waits next
  }

  /** Sends what is gathered as if nothing followed, and leaves it to be gathered from: where more comes, the part of the
   *  next number replaces it. */
  async sendSpare(): Promise<Part | undefined> {
    if (this.#id === undefined) return undefined;
    return this.#objects.uploadPart(this.#key, this.#id, this.#parts.length + 1, this.rest);
  }

  /** Waits for what is on its way; answers what S3 has, where it has anything in parts. */
  async finish(): Promise<Multipart | undefined> {
    await Promise.all(this.#inFlight);
    return this.#id === undefined ? undefined : { id: this.#id, parts: this.#parts };
  }

  /** Gives its memory back; `rest` is void from then on. */
  release(): void {
    if (this.#gathered) this.#buffers.release(this.#gathered.buffer);
    this.#gathered = undefined;
  }

  /** Where the next bytes go. */
  async #room(): Promise<{ readonly buffer: Buffer; readonly length: number }> {
    if (this.#gathered && this.#gathered.length < this.#gathered.buffer.length) return this.#gathered;
    await this.send();
    if (!this.#buffers.isAmple) await Promise.all(this.#inFlight);
    return { buffer: this.#buffers.take(this.#partBytes()), length: 0 };
  }

  #partBytes(): number {
    const size = PART_SIZES.find(({ until }) => this.#parts.length < until);
    if (!size) throw blobTooLarge();
    return Math.max(size.bytes, this.#leastBytes);
  }
}
