import { READ_AT_ONCE_BYTES } from '../../limits.ts';
import { uploadInvalid } from '../../oci/errors.ts';
import type { CloseOptions, CloseOutcome, StoredObject, Upload } from '../blob-store.ts';
import type { ListedPart, ObjectClient } from './object-client.ts';
import { ResumableHash } from './resumable-hash.ts';
import { decodeState, encodeState, type Multipart } from './upload-state.ts';

/** Closes an upload whose parts a client has sent to S3 itself: puts them together, and reads the object, because nothing but its
 *  bytes tells what digest they have. As much of it as one request may take; the next goes on behind that. */
export async function closeParts(
  objects: ObjectClient,
  upload: Upload,
  { digest, link, advance }: CloseOptions,
): Promise<CloseOutcome> {
  const { multipart, announced, ...state } = decodeState(upload);
  if (!multipart || !announced) throw new Error('an upload in parts that has none');
  if (!(await putTogether(objects, upload, multipart, announced.partBytes))) return { is: 'gone' };
  const { objectKey, offset: size } = upload;
  const end = advance ? Math.min(announced.read + READ_AT_ONCE_BYTES, size) : size;
  const hash = await ResumableHash.resume(state.algorithm, state.hash);
  if (!(await read(objects, { objectKey, size }, [announced.read, end], hash))) return { is: 'gone' };
  if (advance && end < size) {
    const next = { ...state, multipart, hash: hash.save(), announced: { ...announced, read: end } };
    return { is: (await advance({ ...upload, state: encodeState(next) })) ? 'unfinished' : 'lost' };
  }
  if (hash.digest() !== digest) return { is: 'mismatch' };
  return { is: (await link({ objectKey, size })) ? 'closed' : 'lost' };
}

/** Adds the bytes from `start` to before `end`; false where there is no such object. */
async function read(
  objects: ObjectClient,
  { objectKey, size }: StoredObject,
  [start, end]: readonly [number, number],
  hash: ResumableHash,
): Promise<boolean> {
  const found = await objects.read(objectKey, { first: start, last: end - 1 });
  if (!found || found.size !== size) return false;
  for await (const chunk of found.body) hash.update(chunk);
  return true;
}

/** Whether the object is there; not where its parts are lost. */
async function putTogether(
  objects: ObjectClient,
  { objectKey, offset }: Upload,
  { id }: Multipart,
  partBytes: number,
): Promise<boolean> {
  const parts = await objects.listParts(objectKey, id);
  // Nobody else can write at this key: what is there was put together by an earlier request.
  if (!parts) return (await objects.head(objectKey))?.size === offset;
  const missing = missingOf(parts, partBytes, offset);
  if (missing.length > 0)
    throw uploadInvalid(
      `${missing.length} parts of this upload are missing, the first is ${missing[0]}: send them first`,
    );
  return objects.completeMultipart({ key: objectKey, id, parts });
}

function missingOf(parts: readonly ListedPart[], partBytes: number, size: number): number[] {
  const sizes = new Map(parts.map((part) => [part.number, part.size]));
  const numbers = Array.from({ length: Math.ceil(size / partBytes) }, (_, index) => index + 1);
  return numbers.filter(
    (number) => sizes.get(number) !== Math.min(partBytes, size - (number - 1) * partBytes),
  );
}
