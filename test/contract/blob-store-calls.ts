import { randomUUID } from 'node:crypto';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import type {
  BlobStore,
  Body,
  CloseOptions,
  CloseOutcome,
  ObjectKey,
  StoredObject,
  Upload,
} from '../../functions/storage/blob-store.ts';

export const accept = { isCurrent: async () => true, commit: async () => true };
export const fresh = () => `blobs/${randomUUID()}` as ObjectKey;
export const sha256 = (bytes: Uint8Array) => digestOf('sha256', bytes);

/** A body in chunks of the sizes that sockets deliver. */
export function bodyOf(bytes: Uint8Array, chunk = 65_536): Body {
  const starts = Array.from({ length: Math.ceil(bytes.length / chunk) }, (_, n) => n * chunk);
  return ReadableStream.from(starts.map((start) => bytes.subarray(start, start + chunk)));
}

/** A body whose sender goes away after `bytes`. */
export function cutBody(bytes: Uint8Array): Body {
  return ReadableStream.from(
    (async function* cut() {
      yield bytes;
      throw new Error('cut');
    })(),
  );
}

export async function read(
  store: BlobStore,
  object: StoredObject | undefined,
  first?: number,
  last = 0,
): Promise<Buffer | undefined> {
  const body = object && (await store.read(object, first === undefined ? {} : { range: { first, last } }));
  return body && Buffer.from(await new Response(body).bytes());
}

/** What becomes of an upload that is closed, as a registry does it that agrees to everything, and the object that it would
 *  link. */
export async function close(
  store: BlobStore,
  upload: Upload,
  digest: Digest,
  { body = Buffer.of(), ...options }: Partial<CloseOptions> & { readonly body?: Uint8Array } = {},
): Promise<{ readonly is: CloseOutcome['is']; readonly object?: StoredObject }> {
  let object: StoredObject | undefined;
  const link = async (linked: StoredObject) => {
    object = linked;
    return true;
  };
  const all = { isCurrent: accept.isCurrent, seal: async () => true, link, digest, ...options };
  const { is } = await store.close(upload, bodyOf(body), all);
  return { is, ...(object && { object }) };
}

/** The object of an upload whose bytes have the digest. */
export async function closed(...given: Parameters<typeof close>): Promise<StoredObject> {
  const { is, object } = await close(...given);
  if (is !== 'closed' || !object) throw new Error(is);
  return object;
}

export async function append(store: BlobStore, upload: Upload, bytes: Uint8Array): Promise<Upload> {
  const outcome = await store.append(upload, bodyOf(bytes), accept);
  if (outcome.is !== 'appended') throw new Error(outcome.is);
  return outcome.upload;
}
