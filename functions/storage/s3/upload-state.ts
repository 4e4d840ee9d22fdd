import { type Algorithm, isAlgorithm } from '../../oci/digest.ts';
import type { ObjectKey, Upload } from '../blob-store.ts';
import type { Attributes } from '../table.ts';

/** A part of a multipart upload, with what S3 answered for it. */
export interface Part {
  readonly etag: string;
  /** Base64, of the part alone. */
  readonly sha256: string;
}

export interface Multipart {
  /** Of the object that it becomes, which nobody else writes. */
  readonly key: ObjectKey;
  readonly id: string;
  readonly parts: readonly Part[];
}

/** Bytes that are too few for a part: an object of their own until more come. */
export interface Tail {
  readonly key: string;
  readonly size: number;
  /** The same bytes as the last part, where they were sent as one too; void once more bytes come. */
  readonly part?: Part;
}

/** What an upload consists of so far. */
export interface UploadState {
  readonly algorithm: Algorithm;
  /** The hash of all bytes so far (`resumable-hash.ts`); absent before the first. */
  readonly hash?: Uint8Array;
  /** An object that holds the first bytes. `all` while there are no further ones, so that a blob in one chunk is finished
   *  as it lies. */
  readonly whole?: { readonly key: ObjectKey; readonly all: boolean };
  readonly multipart?: Multipart;
  readonly tail?: Tail;
  /** Of an upload whose parts its client sends to S3 itself. `read`: the first bytes of the object, which `hash` is of. */
  readonly announced?: { readonly partBytes: number; readonly read: number };
}

/** The state as attributes of the session's item, which may hold 400 KB: about 90 bytes a part. */
export function encodeState({ algorithm, hash, whole, multipart, tail, announced }: UploadState): Attributes {
  return {
    algorithm,
    ...(hash && { hash }),
    ...(whole && { whole: { ...whole } }),
    ...(multipart && {
      multipart: { ...multipart, parts: multipart.parts.map(textOf) },
    }),
    ...(tail && {
      tail: { key: tail.key, size: tail.size, ...(tail.part && { part: textOf(tail.part) }) },
    }),
    ...(announced && { announced: { ...announced } }),
  };
}

/** What `encodeState` wrote; before objects had keys of their own, both lay at the upload's. */
export function decodeState({ objectKey: key, state }: Upload): UploadState {
  const { algorithm, hash, whole, multipart, tail, announced } = state as unknown as Encoded;
  if (!isAlgorithm(algorithm)) throw new Error(`not the state of an upload: ${JSON.stringify(state)}`);
  return {
    algorithm,
    ...(hash && { hash }),
    ...(whole && { whole: { key, ...whole } }),
    ...(multipart && { multipart: { key, ...multipart, parts: multipart.parts.map(partOf) } }),
    ...(tail && { tail: tailOf(tail) }),
    ...(announced && { announced }),
  };
}

interface Encoded {
  readonly algorithm: string;
  readonly hash?: Uint8Array;
  readonly whole?: { readonly key?: ObjectKey; readonly all: boolean };
  readonly multipart?: { readonly key?: ObjectKey; readonly id: string; readonly parts: readonly string[] };
  readonly tail?: Omit<Tail, 'part'> & { readonly part?: string };
  readonly announced?: NonNullable<UploadState['announced']>;
}

const tailOf = ({ key, size, part }: NonNullable<Encoded['tail']>): Tail => ({
  key,
  size,
  ...(part !== undefined && { part: partOf(part) }),
});

const textOf = ({ etag, sha256 }: Part) => `${etag} ${sha256}`;

function partOf(text: string): Part {
  const [etag = '', sha256 = ''] = text.split(' ');
  return { etag, sha256 };
}
