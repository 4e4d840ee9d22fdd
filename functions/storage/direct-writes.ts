import type { Digest } from '../oci/digest.ts';
import type { ObjectKey, Upload } from './blob-store.ts';

/** A request that the store takes from whoever has it, for an hour. All of its headers have to come with it, as they are. */
export interface SignedRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What a client says that it will send. */
export interface Announced {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

export interface AnnouncedPart {
  /** From 1. */
  readonly number: number;
  /** Base64, of the part alone. */
  readonly sha256: string;
}

/** How an upload is cut that a client sends in parts. */
export interface Cut {
  /** Of each part but the last. */
  readonly partBytes: number;
  /** The numbers of those that the store has. */
  readonly there: readonly number[];
}

/** What clients may write to a store themselves, past the registry: these bytes, so many of them, where nothing is. */
export interface DirectWrites {
  /** A PUT of all bytes under the upload's key. The store refuses others, fewer or more, and a second one. */
  whole(upload: Upload, announced: Announced): Promise<SignedRequest>;
  /** An upload that is sealed for this blob, and comes in parts; `close` reads all of it before it is a blob. */
  startParts(objectKey: ObjectKey, announced: Announced): Promise<Upload>;
  /** The PUT of one part, in the place of any that was sent before; `undefined` where the upload has no such part. */
  part(upload: Upload, part: AnnouncedPart): Promise<SignedRequest | undefined>;
  /** `undefined` where the upload does not come in parts. */
  cutOf(upload: Upload): Promise<Cut | undefined>;
}
