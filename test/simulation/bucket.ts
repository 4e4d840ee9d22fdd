import { createHash } from 'node:crypto';
import type { Random } from './random.ts';

/** What a request to S3 carries; only what the registry uses is there. */
export interface S3Input {
  readonly Key?: string;
  readonly Body?: Uint8Array;
  readonly ChecksumSHA256?: string;
  readonly IfNoneMatch?: string;
  readonly Metadata?: Readonly<Record<string, string>>;
  readonly UploadId?: string;
  readonly PartNumber?: number;
  readonly MultipartUpload?: { readonly Parts: readonly NamedPart[] };
  readonly Range?: string;
  readonly Prefix?: string;
  readonly StartAfter?: string;
  readonly MaxKeys?: number;
  readonly Delete?: { readonly Objects: readonly { readonly Key: string }[] };
}

interface NamedPart {
  readonly PartNumber: number;
  readonly ETag: string;
  readonly ChecksumSHA256: string;
}

interface S3Part {
  readonly bytes: Uint8Array;
  readonly etag: string;
  /** Base64. */
  readonly sha256: string;
}

interface S3Object extends S3Part {
  readonly metadata: Readonly<Record<string, string>>;
  readonly writtenAt: number;
}

interface MultipartUpload {
  readonly key: string;
  readonly startedAt: number;
  readonly parts: Map<number, S3Part>;
}

interface BucketOptions {
  readonly now: () => number;
  readonly random: Random;
  /** Bytes that every part but the last has at least. */
  readonly leastPart: number;
  /** Told of each object that is written or goes. */
  readonly onChange: (key: string) => void;
}

/** The bucket deletes what was begun and not finished, and tails of uploads, after so long. */
const LIFECYCLE_MS = 7 * 24 * 60 * 60 * 1000;

/** One S3 bucket: each method is a request that S3 carries out at once.
 *  https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html */
export class SimulatedBucket {
  readonly objects = new Map<string, S3Object>();
  readonly uploads = new Map<string, MultipartUpload>();
  readonly #options: BucketOptions;
  /** How often each key was written or deleted. */
  readonly #changes = new Map<string, number>();

  constructor(options: BucketOptions) {
    this.#options = options;
  }

  /** What a conditional write that begins now is measured by when it ends. */
  begin({ Key = '' }: S3Input): number {
    return this.#changes.get(Key) ?? 0;
  }

  put(input: S3Input, began = this.begin(input)): unknown {
    const { Key = '', Metadata = {} } = input;
    const part = partOf(input);
    this.#decide(input, began);
    this.#write(Key, { ...part, metadata: Metadata, writtenAt: this.#options.now() });
    return { ETag: part.etag };
  }

  create({ Key = '' }: S3Input): unknown {
    const { now, random } = this.#options;
    const UploadId = random.id();
    this.uploads.set(UploadId, { key: Key, startedAt: now(), parts: new Map() });
    return { UploadId };
  }

  uploadPart(input: S3Input): unknown {
    const part = partOf(input);
    this.#upload(input).parts.set(input.PartNumber ?? 0, part);
    return { ETag: part.etag };
  }

  complete(input: S3Input, began = this.begin(input)): unknown {
    const { Key = '', UploadId = '', MultipartUpload = { Parts: [] } } = input;
    const upload = this.#upload(input);
    const parts = MultipartUpload.Parts.map((named) => partNamed(upload, named));
    const small = parts.slice(0, -1).find(({ bytes }) => bytes.length < this.#options.leastPart);
    if (small) throw s3Error('EntityTooSmall');
    this.#decide(input, began);
    this.uploads.delete(UploadId);
    const bytes = Buffer.concat(parts.map((part) => part.bytes));
    const sums = Buffer.concat(parts.map(({ sha256 }) => Buffer.from(sha256, 'base64')));
    const sha256 = `${hashOf(sums)}-${parts.length}`;
    const etag = `"${sha256}"`;
    this.#write(Key, { bytes, etag, sha256, metadata: {}, writtenAt: this.#options.now() });
    return { ETag: etag };
  }

  abort(input: S3Input): unknown {
    this.#upload(input);
    this.uploads.delete(input.UploadId ?? '');
    return {};
  }

  head({ Key = '' }: S3Input): unknown {
    const found = this.objects.get(Key);
    if (!found) throw s3Error('NotFound');
    const { bytes, etag, sha256, metadata } = found;
    return { ContentLength: bytes.length, ETag: etag, ChecksumSHA256: sha256, Metadata: metadata };
  }

  /** The bytes as they are now, whenever they are read; and of how many. */
  get({ Key = '', Range }: S3Input): { readonly bytes: Uint8Array; readonly size: number } {
    const found = this.objects.get(Key);
    if (!found) throw s3Error('NoSuchKey');
    const size = found.bytes.length;
    if (Range === undefined) return { bytes: found.bytes, size };
    const [first = 0, last = 0] = Range.slice('bytes='.length).split('-').map(Number);
    if (first >= size) throw s3Error('InvalidRange');
    return { bytes: found.bytes.subarray(first, last + 1), size };
  }

  delete({ Key = '' }: S3Input): unknown {
    this.#changes.set(Key, this.begin({ Key }) + 1);
    if (this.objects.delete(Key)) this.#options.onChange(Key);
    return {};
  }

  deleteAll({ Delete = { Objects: [] } }: S3Input): unknown {
    for (const object of Delete.Objects) this.delete(object);
    return {};
  }

  /** A page may be shorter than it could be. */
  list({ Prefix = '', StartAfter = '', MaxKeys = 1000 }: S3Input): unknown {
    const isAsked = (key: string) => key.startsWith(Prefix) && key > StartAfter;
    const keys = [...this.objects.keys()].filter(isAsked).sort((a, b) => (a < b ? -1 : 1));
    const length = this.#options.random.chance(0.2) ? Math.ceil(MaxKeys / 2) : MaxKeys;
    const Contents = keys.slice(0, length).map((Key) => {
      const { bytes, writtenAt } = this.objects.get(Key) as S3Object;
      return { Key, Size: bytes.length, LastModified: new Date(writtenAt) };
    });
    return { Contents, IsTruncated: keys.length > length };
  }

  /** What the lifecycle rules delete by now. */
  tidy(): void {
    const isOver = (since: number) => this.#options.now() - since > LIFECYCLE_MS;
    for (const [id, { startedAt }] of this.uploads) if (isOver(startedAt)) this.uploads.delete(id);
    for (const [key, { writtenAt }] of this.objects) {
      if (key.startsWith('uploads/') && isOver(writtenAt)) this.delete({ Key: key });
    }
  }

  #write(key: string, object: S3Object): void {
    this.#changes.set(key, this.begin({ Key: key }) + 1);
    this.objects.set(key, object);
    this.#options.onChange(key);
  }

  /** S3 decides when a write ends. Where another one to the key has come meanwhile, it may answer that it cannot tell. */
  #decide({ Key = '', IfNoneMatch }: S3Input, began: number): void {
    if (IfNoneMatch === undefined) return;
    const isCrossed = this.begin({ Key }) !== began;
    if (isCrossed && this.#options.random.chance(0.5)) throw s3Error('ConditionalRequestConflict');
    if (this.objects.has(Key)) throw s3Error('PreconditionFailed');
  }

  #upload({ Key, UploadId = '' }: S3Input): MultipartUpload {
    const upload = this.uploads.get(UploadId);
    if (!upload || upload.key !== Key) throw s3Error('NoSuchUpload');
    return upload;
  }
}

export function s3Error(name: string): Error {
  return Object.assign(new Error(name), { name });
}

function partOf({ Body = Buffer.of(), ChecksumSHA256 }: S3Input): S3Part {
  const sha256 = hashOf(Body);
  if (ChecksumSHA256 !== sha256) throw s3Error('BadDigest');
  return { bytes: Body, sha256, etag: `"${sha256.slice(0, 22)}"` };
}

function partNamed({ parts }: MultipartUpload, { PartNumber, ETag, ChecksumSHA256 }: NamedPart): S3Part {
  const part = parts.get(PartNumber);
  if (part?.etag !== ETag || part.sha256 !== ChecksumSHA256) throw s3Error('InvalidPart');
  return part;
}

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('base64');
