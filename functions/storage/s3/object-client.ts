import { createHash } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { tooBusy } from '../../oci/errors.ts';
import type { Body, ByteRange, ListedObject, ObjectKey } from '../blob-store.ts';
import type { Multipart, Part } from './upload-state.ts';

/** What a conditional write to S3 came to: `conflict` where another object is there already. */
export type PutOutcome = { readonly is: 'stored'; readonly etag: string } | { readonly is: 'conflict' };

/** What an object must be for a write to replace it: not there, or this one. */
export type Expected = 'absent' | { readonly etag: string };

interface ObjectHead {
  readonly etag: string;
  /** Base64; of the parts' checksums where there are several. */
  readonly sha256: string;
  readonly size: number;
  readonly lane: string | undefined;
}

/** The metadata that tells an object which a client wrote from one that the registry wrote. */
const LANE = 'stowage-lane';
export const DIRECT_LANE = 'direct';

/** The S3 calls the blob store makes, with S3's errors turned into outcomes. All bytes that are written carry
 *  their SHA-256, which S3 checks. */
export class ObjectClient {
  readonly #s3: S3Client;
  readonly #bucket: string;

  constructor(s3: S3Client, bucket: string) {
    this.#s3 = s3;
    this.#bucket = bucket;
  }

  /** Writes on a condition. An answer may be lost after the write took place, and a repetition then finds its own
   *  object: the same bytes there count as stored. */
  async put(key: string, bytes: Uint8Array, expected: Expected): Promise<PutOutcome> {
    const sha256 = sha256Of(bytes);
    const condition = expected === 'absent' ? { IfNoneMatch: '*' } : { IfMatch: expected.etag };
    const input = { ...this.#at(key), Body: bytes, ChecksumSHA256: sha256, ...condition };
    try {
      const { ETag = '' } = await this.#send(() => this.#s3.send(new PutObjectCommand(input)));
      return { is: 'stored', etag: ETag };
    } catch (error) {
      if (!isConflict(error)) throw error;
      const found = await this.head(key);
      return found?.sha256 === sha256 ? { is: 'stored', etag: found.etag } : { is: 'conflict' };
    }
  }

  async createMultipart(key: string): Promise<string> {
    const input = { ...this.#at(key), ChecksumAlgorithm: 'SHA256' as const };
    const { UploadId } = await this.#send(() => this.#s3.send(new CreateMultipartUploadCommand(input)));
    if (!UploadId) throw new Error('S3 answered CreateMultipartUpload without an id');
    return UploadId;
  }

  /** `number` counts from 1. */
  async uploadPart(key: string, id: string, number: number, bytes: Uint8Array): Promise<Part> {
    const sha256 = sha256Of(bytes);
    const input = { ...this.#at(key), UploadId: id, PartNumber: number, Body: bytes, ChecksumSHA256: sha256 };
    const { ETag = '' } = await this.#send(() => this.#s3.send(new UploadPartCommand(input)));
    return { etag: ETag, sha256 };
  }

  /** Adds `rest` as the last part, unless it is empty, and makes the parts an object. Answers whether the object now
   *  consists of exactly these parts, by this call or an earlier one whose answer was lost. */
  async completeMultipart(key: string, { id, parts }: Multipart, rest: Uint8Array): Promise<boolean> {
    const all = rest.length > 0 ? [...parts, { etag: '', sha256: sha256Of(rest) }] : parts;
    try {
      const added = rest.length > 0 ? [await this.uploadPart(key, id, all.length, rest)] : [];
      await this.#complete(key, id, [...parts, ...added]);
      return true;
    } catch (error) {
      if (!isNamed(error, 'NoSuchUpload', 'InvalidPart')) throw error;
      return (await this.head(key))?.sha256 === compositeOf(all);
    }
  }

  async #complete(key: string, id: string, parts: readonly Part[]): Promise<void> {
    const Parts = parts.map(({ etag, sha256 }, index) => ({
      PartNumber: index + 1,
      ETag: etag,
      ChecksumSHA256: sha256,
    }));
    const input = { ...this.#at(key), UploadId: id, MultipartUpload: { Parts } };
    await this.#send(() => this.#s3.send(new CompleteMultipartUploadCommand(input)));
  }

  /** The object's bytes, or those of `range`; `undefined` where there is none. */
  async read(key: string, range?: ByteRange): Promise<Body | undefined> {
    const Range = range && `bytes=${range.first}-${range.last}`;
    try {
      const { Body } = await this.#s3.send(
        new GetObjectCommand({ ...this.#at(key), ...(Range && { Range }) }),
      );
      return Body?.transformToWebStream() as Body | undefined;
    } catch (error) {
      if (isNamed(error, 'NoSuchKey')) return undefined;
      throw error;
    }
  }

  async readAll(key: string): Promise<Uint8Array> {
    const body = await this.read(key);
    if (!body) throw new Error(`object ${key} is gone`);
    return new Response(body).bytes();
  }

  async delete(key: string): Promise<void> {
    await this.#send(() => this.#s3.send(new DeleteObjectCommand(this.#at(key))));
  }

  /** Up to 1,000 objects. Fails where S3 could not delete each of them. */
  async deleteAll(keys: readonly string[]): Promise<void> {
    const Delete = { Objects: keys.map((Key) => ({ Key })), Quiet: true };
    const command = new DeleteObjectsCommand({ Bucket: this.#bucket, Delete });
    const { Errors: [failed] = [] } = await this.#send(() => this.#s3.send(command));
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
      const { Contents = [], IsTruncated } = await this.#send(() => this.#s3.send(command));
      for (const { Key = '', Size = 0, LastModified } of Contents) {
        objects.push({ objectKey: Key as ObjectKey, size: Size, writtenAt: LastModified?.getTime() ?? 0 });
      }
      past = objects.at(-1)?.objectKey ?? past;
      if (!IsTruncated || objects.length >= limit) return objects;
    }
  }

  async abortMultipart(key: string, id: string): Promise<void> {
    try {
      await this.#send(() =>
        this.#s3.send(new AbortMultipartUploadCommand({ ...this.#at(key), UploadId: id })),
      );
    } catch (error) {
      if (!isNamed(error, 'NoSuchUpload')) throw error;
    }
  }

  /** What is known of an object without its bytes; `undefined` where there is none. */
  async head(key: string): Promise<ObjectHead | undefined> {
    try {
      const command = new HeadObjectCommand({ ...this.#at(key), ChecksumMode: 'ENABLED' });
      const {
        ETag = '',
        ChecksumSHA256 = '',
        ContentLength = 0,
        Metadata = {},
      } = await this.#send(() => this.#s3.send(command));
      return { etag: ETag, sha256: ChecksumSHA256, size: ContentLength, lane: Metadata[LANE] };
    } catch (error) {
      if (isNamed(error, 'NotFound', 'NoSuchKey')) return undefined;
      throw error;
    }
  }

  /** S3 asks to slow down when a prefix grows faster than it can follow; after the SDK's attempts, so do we. */
  async #send<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
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

const isConflict = (error: unknown) => isNamed(error, 'PreconditionFailed', 'ConditionalRequestConflict');

function isNamed(error: unknown, ...names: string[]): boolean {
  return error instanceof Error && names.includes(error.name);
}
