import { blobTooLarge } from '../../oci/errors.ts';
import type { ObjectKey } from '../blob-store.ts';
import type { ObjectClient } from './object-client.ts';
import type { PartBuffer, PartBuffers } from './part-buffers.ts';
import type { Multipart, Part, UploadState } from './upload-state.ts';

/** How uploads are cut into parts, in bytes. */
export interface PartSizes {
  /** Every part but the last has at least this many. */
  readonly least: number;
  /** Of an upload that comes in several requests. */
  readonly chunked: number;
  /** Of an upload that a client sends itself, where it has not too many of them. */
  readonly announced: number;
  /** What an upload may have on its way while it gathers the next part, or one part that is larger. */
  readonly inFlight: number;
  /** How large parts are until there are so many of them. */
  readonly growing: readonly { readonly until: number; readonly bytes: number }[];
}

const MEBIBYTE = 1024 * 1024;

/** Ours: so much of a layer is kept as it comes. Many layers are no larger, and need no part. */
const LOOSE_BYTES = 64 * 1024;

/** S3's least. Ours: chunks that make two of 4 MiB one part and leave nothing over; more on its way than one connection to S3
 *  takes, which is slower than most clients; parts of a client's own that take seconds on most lines; 5 GB in the smallest parts, 26 GB more in larger ones, and up to 150 GB. The number is
 *  bounded because all parts are listed in the session's item. */
export const S3_PART_SIZES: PartSizes = {
  least: 5 * MEBIBYTE,
  chunked: 8 * MEBIBYTE,
  announced: 16 * MEBIBYTE,
  inFlight: 20 * MEBIBYTE,
  growing: [
    { until: 1000, bytes: 5 * MEBIBYTE },
    { until: 2000, bytes: 25 * MEBIBYTE },
    { until: 3500, bytes: 64 * MEBIBYTE },
  ],
};

interface PartsOptions {
  readonly objects: ObjectClient;
  readonly buffers: PartBuffers;
  readonly sizes: PartSizes;
  /** A key of its own for the object that the parts become. */
  readonly newKey: () => ObjectKey;
  readonly state: UploadState;
  /** Has whoever appends fail, since it fills memory too slowly that others wait for. */
  readonly cut: (error: Error) => void;
  readonly signal: AbortSignal | undefined;
}

/** What is in no part yet: pieces as they came or, where they are many, a buffer that is filled up to `length`. */
type Gathered =
  | { readonly pieces: readonly Uint8Array[]; readonly length: number }
  | { readonly held: PartBuffer; readonly length: number };

const NOTHING: Gathered = { pieces: [], length: 0 };

/** The parts of an upload, some of them on their way while the next is gathered. */
export class Parts {
  readonly #objects: ObjectClient;
  readonly #buffers: PartBuffers;
  readonly #sizes: PartSizes;
  readonly #newKey: () => ObjectKey;
  readonly #parts: Part[];
  readonly #leastBytes: number;
  /** Made here, not found in the upload. */
  #isNew = false;
  #multipart: Omit<Multipart, 'parts'> | undefined;
  /** Those that have failed stay here: whoever waits next is told. */
  readonly #inFlight = new Set<Promise<void>>();
  #bytesInFlight = 0;
  readonly #cut: PartsOptions['cut'];
  readonly #signal: AbortSignal | undefined;
  #gathered: Gathered = NOTHING;

  constructor({ objects, buffers, sizes, newKey, state, cut, signal }: PartsOptions) {
    [this.#cut, this.#signal] = [cut, signal];
    this.#objects = objects;
    this.#buffers = buffers;
    this.#sizes = sizes;
    this.#newKey = newKey;
    this.#parts = [...(state.multipart?.parts ?? [])];
    this.#leastBytes = state.hash ? sizes.chunked : sizes.least;
    this.#multipart = state.multipart;
  }

  get begun(): boolean {
    return this.#multipart !== undefined;
  }

  /** What is in no part yet. Never more than a part, and not yet sent even then: it may be all there is. */
  get rest(): Uint8Array {
    return bytesOf(this.#gathered);
  }

  /** Takes bytes over, and sends what comes together as parts. */
  async append(bytes: Uint8Array): Promise<void> {
    const gathered = this.#gathered;
    const length = gathered.length + bytes.length;
    if ('pieces' in gathered && length <= Math.min(LOOSE_BYTES, this.#sizes.least - 1)) {
      this.#gathered = { pieces: [...gathered.pieces, bytes], length };
      return;
    }
    for (let at = 0; at < bytes.length; ) at += await this.#fill(bytes.subarray(at));
  }

  /** Has memory for what comes next. */
  async reserve(): Promise<void> {
    await this.#room();
  }

  /** Sends what is gathered as one more part. */
  async send(): Promise<void> {
    const gathered = this.#gathered;
    if (gathered.length === 0) return;
    const held = 'held' in gathered ? gathered.held : undefined;
    held?.settle();
    while (this.#bytesInFlight + gathered.length > this.#sizes.inFlight && this.#inFlight.size > 0)
      await Promise.race(this.#inFlight);
    const number = this.#parts.length + 1;
    this.#partBytes(); // refuses one part too many
    const { key, id } = this.#multipart ?? (await this.#begin());
    this.#gathered = NOTHING;
    this.#parts.push({ etag: '', sha256: '' });
    const { length } = gathered;
    const upload = this.#objects.uploadPart(key, id, number, bytesOf(gathered));
    this.#bytesInFlight += length;
    const sent = upload
      .finally(() => {
        this.#bytesInFlight -= length;
        held?.release();
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
    if (!this.#multipart) return undefined;
    const { key, id } = this.#multipart;
    return this.#objects.uploadPart(key, id, this.#parts.length + 1, this.rest);
  }

  /** Waits for what is on its way; answers what S3 has, where it has anything in parts. */
  async finish(): Promise<Multipart | undefined> {
    await Promise.all(this.#inFlight);
    return this.#multipart && { ...this.#multipart, parts: this.#parts };
  }

  /** Has S3 forget what was sent here for an upload that it did not become part of, and answers whether it has. Failing does no
   *  harm: the bucket forgets it after days. */
  async abandon(): Promise<boolean> {
    await Promise.allSettled(this.#inFlight);
    if (!this.#multipart || !this.#isNew) return true;
    const { key, id } = this.#multipart;
    return this.#objects.lasting.abortMultipart(key, id).then(
      () => true,
      () => false,
    );
  }

  /** Gives its memory back; `rest` is void from then on. */
  release(): void {
    if ('held' in this.#gathered) this.#gathered.held.release();
    this.#gathered = NOTHING;
  }

  /** Nothing more comes from its client: what is gathered goes to S3, at S3's pace. */
  settle(): void {
    if ('held' in this.#gathered) this.#gathered.held.settle();
  }

  async #begin(): Promise<Omit<Multipart, 'parts'>> {
    const key = this.#newKey();
    this.#multipart = { key, id: await this.#objects.createMultipart(key) };
    this.#isNew = true;
    return this.#multipart;
  }

  /** Takes the first bytes over, as many as the buffer has room for; answers how many. */
  async #fill(bytes: Uint8Array): Promise<number> {
    const { held, length } = await this.#room();
    const piece = bytes.subarray(0, held.buffer.length - length);
    held.buffer.set(piece, length);
    held.progress();
    this.#gathered = { held, length: length + piece.length };
    return piece.length;
  }

  /** Where the next bytes go. */
  async #room(): Promise<{ readonly held: PartBuffer; readonly length: number }> {
    if ('held' in this.#gathered) {
      if (this.#gathered.length < this.#gathered.held.buffer.length) return this.#gathered;
      await this.send();
    }
    const loose = bytesOf(this.#gathered);
    const held = await this.#buffers.take(this.#partBytes(), this.#cut, this.#signal);
    held.buffer.set(loose);
    this.#gathered = { held, length: loose.length };
    return this.#gathered;
  }

  #partBytes(): number {
    const size = this.#sizes.growing.find(({ until }) => this.#parts.length < until);
    if (!size) throw blobTooLarge();
    return Math.max(size.bytes, this.#leastBytes);
  }
}

const bytesOf = (gathered: Gathered): Uint8Array =>
  'held' in gathered
    ? gathered.held.buffer.subarray(0, gathered.length)
    : Buffer.concat(gathered.pieces, gathered.length);
