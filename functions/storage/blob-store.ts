import type { Algorithm, Digest } from '../oci/digest.ts';
import type { DirectWrites } from './direct-writes.ts';
import type { Attributes } from './table.ts';

/** Where an object lies: `blobs/<uuid>`, fresh, never renamed, copied or used again, and written once. */
export type ObjectKey = string & { readonly __brand: 'ObjectKey' };

/** An upload as the registry remembers it between requests. `state` is the store's own and opaque. */
export interface Upload {
  /** Where its bytes will lie; another one once it is sealed. */
  readonly objectKey: ObjectKey;
  /** Bytes that were received and acknowledged. */
  readonly offset: number;
  readonly state: Attributes;
  /** The digest it was sealed for: no byte is added any more, and whoever closes it makes the same object. */
  readonly sealed?: Digest;
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

/** What a read fails with where the object has not the size that it was stored with, or where its bytes cannot be read. */
export class ObjectDamaged extends Error {
  override readonly name = 'ObjectDamaged';

  /** `found` is its size, or why it cannot be read. */
  constructor({ objectKey, size }: StoredObject, found: unknown) {
    const what = typeof found === 'number' ? `has ${found} bytes` : `cannot be read: ${found}`;
    super(`${objectKey} ${what}, it was stored with ${size}`, { cause: found });
  }
}

export interface ReadOptions {
  /** @default the whole object */
  readonly range?: ByteRange | undefined;
  /** Told where the bytes turn out to be damaged while they are read; then the body fails. @default nobody */
  readonly onDamage?: (damage: ObjectDamaged) => void;
}

/** What is wrong with an object: it is not there, or it has other bytes than it was stored with. */
export type Fault = 'missing' | 'damaged';

/** How hard to look at an object. `glance`: as far as that costs no request to another machine; `facts`: at what the store
 *  knows of it, by one request at most; `bytes`: at all of it, where the store has no checksum of its own. */
export type Look = 'glance' | 'facts' | 'bytes';

/** How a request's bytes join an upload. */
export interface AppendOptions {
  /** Whether the upload is still as the caller has read it. A store that writes in place asks, under its lock, before
   *  it writes. */
  readonly isCurrent: () => Promise<boolean>;
  /** Called once the bytes are safe, with the upload as it is then. Where it answers false or fails, the upload is as
   *  it was before. */
  readonly commit: (next: Upload) => Promise<boolean>;
  readonly onLeft?: OnLeft;
}

/** Called where bytes of a request that came to nothing stay in the store, and nobody will write over them. `upload`: all of them
 *  are the object of the upload's own key, which `abort` frees. */
export type OnLeft = (where: 'upload' | 'elsewhere') => void;

/** How an upload becomes an object. */
export interface CloseOptions extends Pick<AppendOptions, 'isCurrent' | 'onLeft'> {
  /** Of all its bytes. */
  readonly digest: Digest;
  /** Called before a byte is written under a key that the registry does not know yet: has it enter the key in the
   *  outbox and fix the upload as it is given. False where the upload has moved meanwhile. */
  readonly seal: (sealed: Upload) => Promise<boolean>;
  /** Called once the object has the bytes of the digest, for good; false where the upload has moved meanwhile. */
  readonly link: (object: StoredObject) => Promise<boolean>;
  /** Called with the upload as it is to be remembered, where the store has read some of its bytes and goes on in another
   *  request; false where the upload has moved meanwhile. @default it reads them all in one */
  readonly advance?: (next: Upload) => Promise<boolean>;
}

/** Why a request changed nothing. `busy`: another one to the same upload is under way. `lost`: the upload has moved.
 *  `gone`: what it had received is lost, or in doubt since a write failed with `cause`. */
export type Hindrance = { readonly is: 'busy' | 'lost' } | { readonly is: 'gone'; readonly cause?: unknown };

export type AppendOutcome = { readonly is: 'appended'; readonly upload: Upload } | Hindrance;

/** `mismatch`: the bytes have another digest. `unfinished`: the same request, repeated, goes on. */
export type CloseOutcome = { readonly is: 'closed' | 'mismatch' | 'unfinished' } | Hindrance;

/** Bytes under object keys. A key is written once: nothing that any caller does changes what was once read there. What
 *  `append`, `close` and `put` acknowledged survives the death of the process and the loss of power. */
export interface BlobStore {
  /** Absent where every byte goes through the registry. */
  readonly direct?: DirectWrites;
  /** Opens an upload at a fresh key. `algorithm` is the one its digest will most likely be of. */
  start(objectKey: ObjectKey, algorithm: Algorithm): Promise<Upload>;
  /** Adds the whole of `body` at the upload's offset, holding no more than a few MiB of it in memory. Where
   *  `body` fails, so does this, and nothing was added. */
  append(upload: Upload, body: Body, options: AppendOptions): Promise<AppendOutcome>;
  /** Adds the whole of `body`, and makes an object of the upload where its bytes have the digest. May die at any
   *  step and be repeated. The body of a sealed upload is not read. After `mismatch` and `gone`, `abort`. */
  close(upload: Upload, body: Body, options: CloseOptions): Promise<CloseOutcome>;
  /** Whether the bytes that the upload has received are there, as far as can be told without reading them. */
  holds(upload: Upload): Promise<boolean>;
  /** What a client has written under this key itself; `undefined` where nothing is, or what the registry wrote. */
  received(objectKey: ObjectKey): Promise<ReceivedObject | undefined>;
  /** Frees what an upload holds; harmless where there is nothing. */
  abort(upload: Upload): Promise<void>;
  /** The most bytes that the store has of an upload while a request adds `more` to it, and until it is an object. Of nothing
   *  more, what the upload has received. */
  footprint(upload: Upload, more: number): Promise<number>;
  /** Has nobody write at a key any more that a client may write to itself. False where something is there already. */
  plug(objectKey: ObjectKey): Promise<boolean>;
  /** Stores a small object whole, under a key that was never written. */
  put(objectKey: ObjectKey, bytes: Uint8Array): Promise<void>;
  /** Where a client can fetch the object itself, which has this digest; relative to the registry, which the client calls
   *  `host`, where that is the place, and `undefined` where `read` serves it better. */
  downloadUrl(
    object: StoredObject,
    digest: Digest,
    host: string,
    method?: 'GET' | 'HEAD',
  ): Promise<string | undefined>;
  /** The object's bytes, or a range of them; `undefined` where there is no such object. Fails with `ObjectDamaged` where it is
   *  of another size, before a byte is answered. */
  read(object: StoredObject, options?: ReadOptions): Promise<Body | undefined>;
  /** What is wrong with an object of this digest, as far as the look tells; `undefined` where nothing is. */
  examine(object: StoredObject, digest: Digest, look: Look): Promise<Fault | undefined>;
  /** Up to `limit` objects in the order of their keys, past `after` or from the first; fewer only where there are no more.
   *  `limit` is at most 1,000 (S3). */
  list(after: ObjectKey | undefined, limit: number): Promise<readonly ListedObject[]>;
  /** Removes up to 1,000 objects (S3); harmless where there are none. Where it fails, some of them may be gone. */
  delete(objectKeys: readonly ObjectKey[]): Promise<void>;
  /** The same store until `signal` fires: then calls under way are cut, and none is repeated. Absent where none can be cut. */
  until?(signal: AbortSignal): BlobStore;
}
