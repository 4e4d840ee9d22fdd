import type { Algorithm, Digest } from '../oci/digest.ts';
import type { Attributes } from './table.ts';

/** Where an object lies: `blobs/<uuid>`, fresh for every upload, never renamed, copied or used again. */
export type ObjectKey = string & { readonly __brand: 'ObjectKey' };

/** An upload as the registry remembers it between requests. `state` is the store's own and opaque. */
export interface Upload {
  readonly objectKey: ObjectKey;
  /** Bytes that were received and acknowledged. */
  readonly offset: number;
  readonly state: Attributes;
}

/** An object that is whole. */
export interface StoredObject {
  readonly objectKey: ObjectKey;
  /** Bytes. */
  readonly size: number;
}

/** An object as a list has it: finished, or in the middle of being written. */
export interface ListedObject extends StoredObject {
  /** Milliseconds since 1970: when it was last written. */
  readonly writtenAt: number;
}

/** An object that a client has written to the store itself, past the registry. */
export interface ReceivedObject extends StoredObject {
  /** The SHA-256 that the store has checked while it took the bytes. */
  readonly digest: Digest;
}

/** Both ends inclusive, within the object. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

export type Body = ReadableStream<Uint8Array>;

/** How an append is to be taken. */
export interface AppendOptions {
  /** Called once the bytes are safe, with the upload as it is then; until it answers no other append to this
   *  upload proceeds. Where it answers false or fails, the upload is as it was before. */
  readonly commit: (next: Upload) => Promise<boolean>;
  /** Whether `commit` finishes the upload, so that nothing needs to be kept for a further append. */
  readonly last: boolean;
}

/** What became of an append: `busy` where another one to the same upload is under way, `lost` where
 *  `commit` answered false. Either way the upload is as it was before. */
export type AppendOutcome =
  | { readonly is: 'appended'; readonly upload: Upload }
  | { readonly is: 'busy' | 'lost' };

/** Bytes under object keys. Nothing can be read at a key before `finish` or `put` has returned, and what
 *  they acknowledged survives the death of the process. */
export interface BlobStore {
  /** Opens an upload at a fresh key. `algorithm` is the one its digest will most likely be of. */
  start(objectKey: ObjectKey, algorithm: Algorithm): Promise<Upload>;
  /** Adds the whole of `body` at the upload's offset, holding no more than a few MiB of it in memory. Where
   *  `body` fails, so does this, and nothing was added. */
  append(upload: Upload, body: Body, options: AppendOptions): Promise<AppendOutcome>;
  /** Makes the object readable if its bytes have this digest; may be repeated. After `mismatch`, `abort`. */
  finish(upload: Upload, digest: Digest): Promise<'stored' | 'mismatch'>;
  /** What a client has written under this key itself; `undefined` where nothing is, or what the registry wrote. */
  received(objectKey: ObjectKey): Promise<ReceivedObject | undefined>;
  /** Frees what an upload holds; harmless where there is nothing. */
  abort(upload: Upload): Promise<void>;
  /** Stores a small object whole. */
  put(objectKey: ObjectKey, bytes: Uint8Array): Promise<void>;
  /** Where a client can fetch the object itself, which has this digest; relative to the registry where that is the
   *  place, and `undefined` where `read` serves it better. */
  downloadUrl(object: StoredObject, digest: Digest): Promise<string | undefined>;
  /** The object's bytes, or those of `range`; `undefined` where there is no such object. */
  read(objectKey: ObjectKey, range?: ByteRange): Promise<Body | undefined>;
  /** Up to `limit` objects in the order of their keys, past `after` or from the first; fewer only where there are no more.
   *  `limit` is at most 1,000 (S3). */
  list(after: ObjectKey | undefined, limit: number): Promise<readonly ListedObject[]>;
  /** Removes up to 1,000 objects (S3); harmless where there are none. Where it fails, some of them may be gone. */
  delete(objectKeys: readonly ObjectKey[]): Promise<void>;
}
