import type { Body, ObjectKey, OnLeft, Upload } from '../blob-store.ts';
import { BytesGone, type ObjectClient } from './object-client.ts';
import type { PartBuffers } from './part-buffers.ts';
import { type PartSizes, Parts } from './parts.ts';
import { ResumableHash } from './resumable-hash.ts';
import type { Tail, UploadState } from './upload-state.ts';

interface Write {
  readonly upload: Upload;
  readonly state: UploadState;
  readonly body: Body;
  /** Nothing will follow: the odd bytes at the end can be the last part. */
  readonly last: boolean;
  readonly buffers: PartBuffers;
  readonly sizes: PartSizes;
  /** A fresh UUID. */
  readonly newId: () => string;
  /** As in `AppendOptions`. */
  readonly onLeft: OnLeft | undefined;
  readonly signal: AbortSignal | undefined;
}

/** The upload with the body's bytes added. */
export interface Written {
  readonly state: UploadState;
  readonly offset: number;
  /** Frees what was written, where the upload is not to have it. */
  readonly abandon: () => Promise<void>;
}

/** Writes a body behind what an upload has, as parts as far as it goes. Every object it writes has a key of its own, but
 *  for the upload's, which is written once. An empty body costs no call. */
export async function writeBody(objects: ObjectClient, write: Write): Promise<Written> {
  const { upload, state, newId } = write;
  const source = new Source(write.body);
  const newKey = () => `blobs/${newId()}` as ObjectKey;
  const parts = new Parts({ ...write, objects, newKey, cut: (error) => source.cut(error) });
  let isEnding = false;
  try {
    const hash = await ResumableHash.resume(state.algorithm, state.hash);
    let received = 0;
    for await (const chunk of source.chunks()) {
      if (chunk.length === 0) continue;
      if (received === 0) await appendLoose(objects, state, parts);
      hash.update(chunk);
      received += chunk.length;
      await parts.append(chunk);
    }
    if (received === 0) return { state, offset: upload.offset, abandon: async () => undefined };
    isEnding = true;
    parts.settle();
    const rest = await writeRest(objects, write, parts);
    const abandon = async () => {
      if (!(await forget(objects, parts, rest.tail))) write.onLeft?.('elsewhere');
      else if (rest.whole?.all) write.onLeft?.('upload');
    };
    return { state: { ...rest, hash: hash.save() }, offset: upload.offset + received, abandon };
  } catch (error) {
    if (!(await parts.abandon()) || isEnding) write.onLeft?.('elsewhere');
    throw error;
  } finally {
    parts.release();
  }
}

/** Answers whether all is gone. */
async function forget(objects: ObjectClient, parts: Parts, tail: Tail | undefined): Promise<boolean> {
  const isForgotten = await parts.abandon();
  if (!tail) return isForgotten;
  return objects.lasting.delete(tail.key).then(
    () => isForgotten,
    () => false,
  );
}

/** The bytes an upload has that are in no part yet: a further part begins with them. Fails with `BytesGone` where others are
/** A body that can be ended from outside. */
class Source {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #failure: Error | undefined;

  constructor(body: Body) {
    this.#reader = body.getReader();
  }

  /** Has whoever reads on fail. */
  cut(error: Error): void {
    this.#failure = error;
    void this.#reader.cancel(error).catch(() => undefined);
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const { done, value } = await this.#reader.read();
        if (this.#failure) throw this.#failure;
        if (done) return;
        yield value;
      }
    } finally {
      await this.#reader.cancel().catch(() => undefined); // where nobody reads on
    }
  }
}

/** Begins with the bytes an upload has that are in no part yet, as they come from S3. Fails with `BytesGone` where others are
 *  at the first chunk's key, which a client may write to once the chunk is gone. */
async function appendLoose(
  objects: ObjectClient,
  { algorithm, hash, tail, whole }: UploadState,
  parts: Parts,
): Promise<void> {
  const key = tail?.key ?? (whole?.all ? whole.key : undefined);
  if (key === undefined) return;
  await parts.reserve(); // first: S3 waits for nobody
  const found = await ResumableHash.resume(algorithm);
  for await (const chunk of await objects.readWhole(key)) {
    if (!tail) found.update(chunk);
    await parts.append(chunk);
  }
  if (tail) return;
  const known = await ResumableHash.resume(algorithm, hash);
  if (found.digest() !== known.digest()) throw new BytesGone(`the first chunk at ${key}`);
}

/** Keeps what is left over when the body has ended: as the object itself where it is all there is, as a part
 *  where it may be one, else as a tail. */
async function writeRest(objects: ObjectClient, write: Write, parts: Parts): Promise<UploadState> {
  const { upload, last, state, sizes } = write;
  const { algorithm } = state;
  if (!parts.begun && upload.offset === 0) {
    const whole = await putWhole(objects, upload, parts.rest);
    return whole ? { algorithm, whole } : { algorithm, tail: await putTail(objects, write, parts) };
  }
  const isPart = parts.rest.length >= sizes.least || (last && parts.begun);
  const tail = isPart ? await parts.send() : await putTail(objects, write, parts);
  const multipart = await parts.finish();
  const whole = state.whole && { ...state.whole, all: false };
  return { algorithm, ...(whole && { whole }), ...(multipart && { multipart }), ...(tail && { tail }) };
}

/** Makes the bytes the object of the upload's own key. `undefined` where other bytes are there: of a client that wrote to the
 *  store itself, or of a request that died before it could tell. */
export async function putWhole(
  objects: ObjectClient,
  { objectKey: key }: Upload,
  bytes: Uint8Array,
): Promise<UploadState['whole']> {
  return (await objects.put(key, bytes)) ? { key, all: true } : undefined;
}

/** A layer that came in one request is most likely whole, as from Docker: then its odd bytes are sent as the last part
 *  too, and to finish it takes one call. */
async function putTail(objects: ObjectClient, { newId, upload }: Write, parts: Parts): Promise<Tail> {
  const key = `uploads/${newId()}`;
  const [isStored, part] = await Promise.all([
    objects.put(key, parts.rest),
    upload.offset === 0 ? parts.sendSpare() : undefined,
  ]);
  if (!isStored) throw new Error(`tail key ${key} was used twice`);
  return { key, size: parts.rest.length, ...(part && { part }) };
}
