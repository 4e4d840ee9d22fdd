import type { Digest } from '../../functions/oci/digest.ts';
import type { Content } from './files.ts';

/** A blob as the registry gets it. */
export interface Blob {
  readonly digest: Digest;
  readonly content: Content;
  /** Removes what was only made to be sent. */
  dispose?(): Promise<void>;
}

/** A blob that may have to be made first. */
export interface PendingBlob {
  /** What people see: a digest, if not that of the blob then that of what it is made from. */
  readonly name: Digest;
  /** Bytes it is made from, or its own. */
  readonly size: number;
  prepare(preparing: Preparing): Promise<Blob>;
}

export interface Preparing {
  readonly signal: AbortSignal;
  /** Told how many bytes more of `size` have been read. */
  readonly onBytes: (count: number) => void;
}

/** What a manifest says about a blob, once that is known. */
export interface Sent {
  readonly digest: Digest;
  readonly size: number;
}

export interface ManifestFile {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** An image to push: its blobs first, then its manifests. */
export interface Image {
  /** Each once. */
  readonly blobs: readonly PendingBlob[];
  /** Given what has become of each blob: children before the indexes that list them, and last what is tagged. */
  manifests(sent: ReadonlyMap<Digest, Sent>): readonly ManifestFile[];
  /** What whoever pushes should know about what was chosen. */
  readonly remark?: string;
}
