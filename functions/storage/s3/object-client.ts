import { createHash } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { type Digest, parseDigest } from '../../oci/digest.ts';
import { tooBusy } from '../../oci/host-errors.ts';
import type { Body, ByteRange, ListedObject, ObjectKey } from '../blob-store.ts';
import type { Multipart, Part } from './upload-state.ts';

/** How often a write is repeated that S3 could not decide, because another one to the key was under way. */
const MAX_CONFLICTS = 5;

/** What an upload had received is not there any more. */
export class BytesGone extends Error {
  override readonly name = 'BytesGone';

  constructor(what: string) {
    super(`${what} is not there any more`);
  }
}

interface ObjectBody {
  readonly body: Body;
  /** Bytes of the whole object. */
  readonly size: number;
}

interface ObjectHead {
  /** Base64; of the parts' checksums where it came in parts. */
  readonly sha256: string;
  /** By the SHA-256 of all its bytes; absent where it came in parts. */
  readonly digest: Digest | undefined;
  readonly size: number;
  readonly lane: string | undefined;
  /** Whether whoever wrote it wants it to be served as something else than bytes: encoded, by a name, from elsewhere. */
  readonly isDressed: boolean;
}

/** A part that S3 has of a multipart upload. */
export interface ListedPart extends Part {
  /** From 1. */
  readonly number: number;
  readonly size: number;
}

/** The metadata that tells an object which a client wrote from one that the registry wrote. */
export const LANE = 'stowage-lane';
export const DIRECT_LANE = 'direct';

/** How the SDK is told when to give a call up. */
type Cut = { readonly abortSignal?: AbortSignal };

interface ObjectClientOptions {
  readonly s3: S3Client;
  readonly bucket: string;
  /** Waits before write number `attempt` (from 1) is repeated. */
  readonly pause: (attempt: number) => Promise<void>;
  /** @default none: nothing ends a call but its outcome */
  readonly signal?: AbortSignal | undefined;
}

/** The S3 calls the blob store makes, with S3's errors turned into outcomes. No write replaces an object, and all
 *  bytes carry their SHA-256, which S3 checks. Once `signal` has fired, what is under way is cut, and nothing begins or is
 *  repeated. */
export class ObjectClient {
  readonly #s3: S3Client;
  readonly #bucket: string;
  readonly #pause: ObjectClientOptions['pause'];
  readonly #signal: AbortSignal | undefined;

  constructor({ s3, bucket, pause, signal }: ObjectClientOptions) {
    [this.#s3, this.#bucket, this.#pause, this.#signal] = [s3, bucket, pause, signal];
  }

  /** Without an end: for what nobody else knows of, and is to go. */
  get lasting(): ObjectClient {
    return new ObjectClient({ s3: this.#s3, bucket: this.#bucket, pause: this.#pause });
  }

  /** Writes where nothing is, or in the place of the version that is named, as nobody does with a blob. Answers whether the
   *  object has these bytes: by this call or, where its answer was lost, an earlier one. */
  async put(key: string, bytes: Uint8Array, version?: string): Promise<boolean> {
    const sha256 = sha256Of(bytes);
    const condition = version === undefined ? { IfNoneMatch: '*' } : { IfMatch: version };
    const input = { ...this.#at(key), Body: bytes, ChecksumSHA256: sha256, ...condition };
    try {
      await this.#decided((cut) => this.#s3.send(new PutObjectCommand(input), cut));
      return true;
    } catch (error) {
      if (!isNamed(error, 'PreconditionFailed')) throw error;
      return (await this.head(key))?.sha256 === sha256;
    }
  }

  async createMultipart(key: string): Promise<string> {
    const input = { ...this.#at(key), ChecksumAlgorithm: 'SHA256' as const };
    const { UploadId } = await this.#send((cut) =>
      this.#s3.send(new CreateMultipartUploadCommand(input), cut),
    );
    if (!UploadId) throw new Error('S3 answered CreateMultipartUpload without an id');
    return UploadId;
  }

  /** `number` counts from 1. Fails with `BytesGone` where the multipart upload was completed or aborted. */
  async uploadPart(key: string, id: string, number: number, bytes: Uint8Array): Promise<Part> {
    const sha256 = sha256Of(bytes);
    const input = { ...this.#at(key), UploadId: id, PartNumber: number, Body: bytes, ChecksumSHA256: sha256 };
    try {
      const { ETag = '' } = await this.#send((cut) => this.#s3.send(new UploadPartCommand(input), cut));
      return { etag: ETag, sha256 };
    } catch (error) {
      throw isNamed(error, 'NoSuchUpload') ? new BytesGone(`multipart upload ${id} of ${key}`) : error;
    }
  }

  /** In the order of their numbers; `undefined` where the multipart upload was completed or aborted. */
  async listParts(key: string, id: string): Promise<readonly ListedPart[] | undefined> {
    const parts: ListedPart[] = [];
    for (let marker: string | undefined; ; ) {
      const input = {
        ...this.#at(key),
        UploadId: id,
        ...(marker !== undefined && { PartNumberMarker: marker }),
      };
      try {
        const found = await this.#send((cut) => this.#s3.send(new ListPartsCommand(input), cut));
        for (const {
          PartNumber: number = 0,
          ETag: etag = '',
          Size: size = 0,
          ChecksumSHA256: sha256 = '',
        } of found.Parts ?? [])
          parts.push({ number, etag, size, sha256 });
        if (!found.IsTruncated) return parts;
        marker = found.NextPartNumberMarker;
      } catch (error) {
        if (isNamed(error, 'NoSuchUpload')) return undefined;
        throw error;
      }
    }
  }

  /** Makes an object of the parts, where nothing is. Answers whether the object consists of exactly these parts, by this
   *  call or an earlier one whose answer was lost. */
  async completeMultipart({ key, id, parts }: Multipart): Promise<boolean> {
    const Parts = parts.map(({ etag, sha256 }, index) => ({
      PartNumber: index + 1,
      ETag: etag,
      ChecksumSHA256: sha256,
    }));
    const input = { ...this.#at(key), UploadId: id, MultipartUpload: { Parts }, IfNoneMatch: '*' };
    try {
      await this.#send((cut) => this.#s3.send(new CompleteMultipartUploadCommand(input), cut));
      return true;
    } catch (error) {
      // After the last of these S3 wants the upload begun anew: nobody else writes at this key but to make the same object.
      const decided = ['NoSuchUpload', 'InvalidPart', 'PreconditionFailed', 'ConditionalRequestConflict'];
      if (!isNamed(error, ...decided)) throw error;
      return (await this.head(key))?.sha256 === compositeOf(parts);
    }
  }

  /** The object's bytes, or those of `range`, and the size of the whole; `undefined` where there is none. */
  async read(key: string, range?: ByteRange): Promise<ObjectBody | undefined> {
    const Range = range && `bytes=${range.first}-${range.last}`;
    try {
      const command = new GetObjectCommand({ ...this.#at(key), ...(Range && { Range }) });
      const { Body, ContentRange, ContentLength } = await this.#send((cut) => this.#s3.send(command, cut));
      const size = Number(ContentRange?.split('/')[1] ?? ContentLength);
      return Body && { body: Body.transformToWebStream() as Body, size };
    } catch (error) {
      if (isNamed(error, 'NoSuchKey')) return undefined;
      // Only of an object that ends before the range begins.
      if (isNamed(error, 'InvalidRange'))
        return { body: emptyBody(), size: (await this.head(key))?.size ?? 0 };
      throw error;
    }
  }

  /** All bytes of an object; fails with `BytesGone` where there is none. */
  async readWhole(key: string): Promise<Body> {
    const found = await this.read(key);
    if (!found) throw new BytesGone(`object ${key}`);
    return found.body;
  }

  async delete(key: string): Promise<void> {
    await this.#send((cut) => this.#s3.send(new DeleteObjectCommand(this.#at(key)), cut));
  }

  /** Up to 1,000 objects. Fails where S3 could not delete each of them. */
  async deleteAll(keys: readonly string[]): Promise<void> {
    const Delete = { Objects: keys.map((Key) => ({ Key })), Quiet: true };
    const command = new DeleteObjectsCommand({ Bucket: this.#bucket, Delete });
    const { Errors: [failed] = [] } = await this.#send((cut) => this.#s3.send(command, cut));
    if (failed) throw new Error(`S3 did not delete ${failed.Key}: ${failed.Code} ${failed.Message}`);
  }

  /** Up to `limit` objects whose keys begin with `prefix`, past `after`. S3 may answer with fewer than there are. */
  async list(prefix: string, after: string | undefined, limit: number): Promise<readonly ListedObject[]> {
    const objects: ListedObject[] = [];
    for (let past = after; ; ) {
      const command = new ListObjectsV2Command({
        Bucket: this.#bucket,
        Prefix: prefix,
        MaxKeys: limit - objects.length,
        ...(past !== undefined && { StartAfter: past }),
      });
      const { Contents = [], IsTruncated } = await this.#send((cut) => this.#s3.send(command, cut));
      for (const { Key = '', Size = 0, LastModified } of Contents) {
        objects.push({ objectKey: Key as ObjectKey, size: Size, writtenAt: LastModified?.getTime() ?? 0 });
      }
      past = objects.at(-1)?.objectKey ?? past;
      if (!IsTruncated || objects.length >= limit) return objects;
    }
  }

  async abortMultipart(key: string, id: string): Promise<void> {
    try {
      await this.#send((cut) =>
        this.#s3.send(new AbortMultipartUploadCommand({ ...this.#at(key), UploadId: id }), cut),
      );
    } catch (error) {
      if (!isNamed(error, 'NoSuchUpload')) throw error;
    }
  }

  /** What is known of an object without its bytes; `undefined` where there is none. */
  async head(key: string): Promise<ObjectHead | undefined> {
    try {
      const command = new HeadObjectCommand({ ...this.#at(key), ChecksumMode: 'ENABLED' });
      const answer = await this.#send((cut) => this.#s3.send(command, cut));
      const { ChecksumSHA256: sha256 = '', ContentLength: size = 0, Metadata = {} } = answer;
      return { sha256, digest: digestIn(sha256), size, lane: Metadata[LANE], isDressed: isDressed(answer) };
    } catch (error) {
      if (isNamed(error, 'NotFound', 'NoSuchKey')) return undefined;
      throw error;
    }
  }

  /** S3 answers 409 where it could not tell whether the condition holds: another write to the key, our own first attempt
   *  perhaps, was under way. It is to be repeated.
   *  https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html */
  async #decided<T>(call: (cut: Cut) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#send(call);
      } catch (error) {
        if (!isNamed(error, 'ConditionalRequestConflict')) throw error;
        if (attempt === MAX_CONFLICTS) throw Object.assign(tooBusy(), { cause: error });
        await this.#pause(attempt);
      }
    }
  }

  /** S3 asks to slow down when a prefix grows faster than it can follow; after the SDK's attempts, so do we. */
  async #send<T>(call: (cut: Cut) => Promise<T>): Promise<T> {
    const signal = this.#signal;
    signal?.throwIfAborted();
    try {
      return await call(signal ? { abortSignal: signal } : {});
    } catch (error) {
      signal?.throwIfAborted();
      throw isNamed(error, 'SlowDown', 'ServiceUnavailable')
        ? Object.assign(tooBusy(), { cause: error })
        : error;
    }
  }

  #at(key: string) {
    return { Bucket: this.#bucket, Key: key };
  }
}

const sha256Of = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('base64');

/** The checksum S3 gives an object of several parts: that of their checksums, and how many there are.
 *  https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html */
function compositeOf(parts: readonly Part[]): string {
  const hash = createHash('sha256');
  for (const { sha256 } of parts) hash.update(Buffer.from(sha256, 'base64'));
  return `${hash.digest('base64')}-${parts.length}`;
}

/** A checksum of parts has their number behind it. */
const digestIn = (sha256: string) =>
  sha256.includes('-') ? undefined : parseDigest(`sha256:${Buffer.from(sha256, 'base64').toString('hex')}`);

function isDressed(head: HeadObjectCommandOutput): boolean {
  const { ContentEncoding, ContentDisposition, ContentLanguage, CacheControl } = head;
  const { ExpiresString, WebsiteRedirectLocation } = head;
  const dress = [
    ContentEncoding,
    ContentDisposition,
    ContentLanguage,
    CacheControl,
    ExpiresString,
    WebsiteRedirectLocation,
  ];
  return dress.some((header) => header !== undefined);
}

const emptyBody = (): Body => ReadableStream.from([]);

function isNamed(error: unknown, ...names: string[]): boolean {
  return error instanceof Error && names.includes(error.name);
}
