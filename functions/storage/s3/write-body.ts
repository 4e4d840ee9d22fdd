import type { Body, Upload } from '../blob-store.ts';
import type { ObjectClient } from './object-client.ts';
import type { PartBuffers } from './part-buffers.ts';
import { MIN_PART_BYTES, Parts } from './parts.ts';
import { ResumableHash } from './resumable-hash.ts';
import type { Tail, UploadState } from './upload-state.ts';

interface Write {
  readonly upload: Upload;
  readonly state: UploadState;
  readonly body: Body;
  /** Nothing will follow: the odd bytes at the end can be the last part. */
  readonly last: boolean;
  /** Where bytes go that are too few for a part. */
  readonly tailKey: string;
  readonly buffers: PartBuffers;
}

/** The upload with the body's bytes added. */
interface Written {
  readonly state: UploadState;
  readonly offset: number;
}

/** Writes a body behind what an upload has, as parts as far as it goes; `undefined` where another request got to
 *  the object first. An empty body costs no call. */
export async function writeBody(objects: ObjectClient, write: Write): Promise<Written | undefined> {
  const { upload, state, buffers } = write;
  const parts = new Parts({ objects, buffers, key: upload.objectKey, state });
  try {
    const hash = await ResumableHash.resume(state.algorithm, state.hash);
    let received = 0;
    for await (const chunk of write.body) {
      if (chunk.length === 0) continue;
      if (received === 0) await parts.append(await looseBytes(objects, write));
      hash.update(chunk);
      received += chunk.length;
      await parts.append(chunk);
    }
    if (received === 0) return { state, offset: upload.offset };
    const rest = await writeRest(objects, write, parts);
    return rest && { state: { ...rest, hash: hash.save() }, offset: upload.offset + received };
  } finally {
    parts.release();
  }
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
): Promise<UploadState | undefined> {
  const { upload, last, state } = write;
  const { algorithm, whole } = state;
  const { rest } = parts;
  if (!parts.begun && (last || upload.offset === 0)) {
    const outcome = await objects.put(upload.objectKey, rest, whole ?? 'absent');
    return outcome.is === 'stored' ? { algorithm, whole: { etag: outcome.etag, all: true } } : undefined;
  }
  const isPart = rest.length >= MIN_PART_BYTES || (last && parts.begun);
  const kept = isPart ? await parts.send() : await putTail(objects, write, parts);
  const multipart = await parts.finish();
  return {
    algorithm,
    ...(whole && { whole: { ...whole, all: false } }),
    ...(multipart && { multipart }),
    ...(kept && { tail: kept }),
  };
}

/** A layer that came in one request is most likely whole, as from Docker: then its odd bytes are sent as the last part
 *  too, and to finish it takes one call. */
async function putTail(objects: ObjectClient, { tailKey: key, upload }: Write, parts: Parts): Promise<Tail> {
  const [{ is }, part] = await Promise.all([
    objects.put(key, parts.rest, 'absent'),
    upload.offset === 0 ? parts.sendSpare() : undefined,
  ]);
  if (is === 'conflict') throw new Error(`tail key ${key} was used twice`);
  return { key, size: parts.rest.length, ...(part && { part }) };
}
