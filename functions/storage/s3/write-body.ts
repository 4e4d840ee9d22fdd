import { digestOf } from '../../oci/digest.ts';
import type { Body, ObjectKey, Upload } from '../blob-store.ts';
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
  readonly onLeft: (() => void) | undefined;
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
  const { upload, state, buffers, sizes, newId } = write;
  const parts = new Parts({ objects, buffers, sizes, newKey: () => `blobs/${newId()}` as ObjectKey, state });
  let isEnding = false;
  try {
    const hash = await ResumableHash.resume(state.algorithm, state.hash);
    let received = 0;
    for await (const chunk of write.body) {
      if (chunk.length === 0) continue;
      if (received === 0) await parts.append(await looseBytes(objects, state));
      hash.update(chunk);
      received += chunk.length;
      await parts.append(chunk);
    }
    if (received === 0) return { state, offset: upload.offset, abandon: async () => undefined };
    isEnding = true;
    const rest = await writeRest(objects, write, parts);
    const abandon = async () => {
      if (!(await forget(objects, parts, rest.tail)) || rest.whole?.all) write.onLeft?.();
    };
    return { state: { ...rest, hash: hash.save() }, offset: upload.offset + received, abandon };
  } catch (error) {
    if (!(await parts.abandon()) || isEnding) write.onLeft?.();
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
 *  at the first chunk's key, which a client may write to once the chunk is gone. */
async function looseBytes(
  objects: ObjectClient,
  { algorithm, hash, tail, whole }: UploadState,
): Promise<Uint8Array> {
  if (tail) return objects.readAll(tail.key);
  if (!whole?.all) return Buffer.of();
  const bytes = await objects.readAll(whole.key);
  const known = (await ResumableHash.resume(algorithm, hash)).digest();
  if (digestOf(algorithm, bytes) !== known) throw new BytesGone(`the first chunk at ${whole.key}`);
  return bytes;
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
