import { blobTooLarge } from '../../oci/errors.ts';
import type { Body, Upload } from '../blob-store.ts';
import type { ObjectClient } from './object-client.ts';
import { ResumableHash } from './resumable-hash.ts';
import type { Multipart, Part, Tail, UploadState } from './upload-state.ts';

/** S3's: every part but the last has at least this many bytes. */
const MIN_PART_BYTES = 5 * 1024 * 1024;

/** Ours: 8 GB in parts of 8 MiB, and up to 168 GB in larger ones, of which a process holds two at a time. The
 *  number is bounded because all parts are listed in the session's item. */
const SMALL_PART_BYTES = 8 * 1024 * 1024;
const LARGE_PART_BYTES = 64 * 1024 * 1024;
const SMALL_PARTS = 1000;
const MAX_PARTS = 3500;

interface Write {
  readonly upload: Upload;
  readonly state: UploadState;
  readonly body: Body;
  /** Nothing will follow: the odd bytes at the end can be the last part. */
  readonly last: boolean;
  /** Where bytes go that are too few for a part. */
  readonly tailKey: string;
}

/** The upload with the body's bytes added. */
interface Written {
  readonly state: UploadState;
  readonly offset: number;
}

/** Writes a body behind what an upload has, as parts as far as it goes; `undefined` where another request got to
 *  the object first. An empty body costs no call. */
export async function writeBody(objects: ObjectClient, write: Write): Promise<Written | undefined> {
  const { upload, state } = write;
  const hash = await ResumableHash.resume(state.algorithm, state.hash);
  let received = 0;
  let pending: Uint8Array[] = [];
  const parts = new Parts(objects, upload.objectKey, state);
  for await (const chunk of write.body) {
    if (chunk.length === 0) continue;
    if (received === 0) pending = [await looseBytes(objects, write)];
    hash.update(chunk);
    received += chunk.length;
    pending.push(chunk);
    pending = await parts.take(pending);
  }
  if (received === 0) return { state, offset: upload.offset };
  const rest = await writeRest(objects, write, parts, Buffer.concat(pending));
  return rest && { state: { ...rest, hash: hash.save() }, offset: upload.offset + received };
}

/** The bytes an upload has that are in no part yet: a further part begins with them. */
async function looseBytes(objects: ObjectClient, { upload, state }: Write): Promise<Uint8Array> {
  if (state.tail) return objects.readAll(state.tail.key);
  return state.whole?.all ? objects.readAll(upload.objectKey) : Buffer.of();
}

/** Keeps what is left over when the body has ended: as the object itself where it is all there is, as a part
 *  where it may be one, else as a tail. */
async function writeRest(
  objects: ObjectClient,
  write: Write,
  parts: Parts,
  bytes: Uint8Array,
): Promise<UploadState | undefined> {
  const { upload, last, state } = write;
  const { algorithm, whole } = state;
  if (!parts.begun && (last || upload.offset === 0)) {
    const outcome = await objects.put(upload.objectKey, bytes, whole ?? 'absent');
    return outcome.is === 'stored' ? { algorithm, whole: { etag: outcome.etag, all: true } } : undefined;
  }
  const isPart = bytes.length >= MIN_PART_BYTES || (last && parts.begun);
  const kept = isPart ? await parts.add(bytes) : await putTail(objects, write.tailKey, bytes);
  const multipart = await parts.finish();
  return {
    algorithm,
    ...(whole && { whole: { ...whole, all: false } }),
    ...(multipart && { multipart }),
    ...(kept && { tail: kept }),
  };
}

async function putTail(objects: ObjectClient, key: string, bytes: Uint8Array): Promise<Tail> {
  const { is } = await objects.put(key, bytes, 'absent');
  if (is === 'conflict') throw new Error(`tail key ${key} was used twice`);
  return { key, size: bytes.length };
}

/** The parts of an upload, one of them on its way while the next is gathered. */
class Parts {
  readonly #objects: ObjectClient;
  readonly #key: string;
  readonly #parts: Part[];
  #id: string | undefined;
  #inFlight: Promise<unknown> = Promise.resolve();

  constructor(objects: ObjectClient, key: string, { multipart }: UploadState) {
    this.#objects = objects;
    this.#key = key;
    this.#parts = [...(multipart?.parts ?? [])];
    this.#id = multipart?.id;
  }

  get begun(): boolean {
    return this.#id !== undefined;
  }

  /** Sends as many whole parts as the chunks hold, and returns what is left of them. */
  async take(chunks: Uint8Array[]): Promise<Uint8Array[]> {
    const size = this.#parts.length < SMALL_PARTS ? SMALL_PART_BYTES : LARGE_PART_BYTES;
    const total = chunks.reduce((sum, { length }) => sum + length, 0);
    if (total <= size) return chunks; // what is exactly a part may be all there is
    const all = Buffer.concat(chunks);
    await this.add(all.subarray(0, size));
    return this.take([all.subarray(size)]);
  }

  async add(bytes: Uint8Array): Promise<undefined> {
    await this.#inFlight;
    const index = this.#parts.length;
    if (index >= MAX_PARTS) throw blobTooLarge();
    this.#id ??= await this.#objects.createMultipart(this.#key);
    this.#parts.push({ etag: '', sha256: '' });
    this.#inFlight = this.#objects.uploadPart(this.#key, this.#id, index + 1, bytes).then((part) => {
      this.#parts[index] = part;
    });
    this.#inFlight.catch(() => undefined); // told by whoever waits for it next
    return undefined;
  }

  async finish(): Promise<Multipart | undefined> {
    await this.#inFlight;
    return this.#id === undefined ? undefined : { id: this.#id, parts: this.#parts };
  }
}
