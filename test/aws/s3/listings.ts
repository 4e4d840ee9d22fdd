import { type Call, queryValue } from './call.ts';
import { compareKeys, type KeyIndex } from './key-index.ts';
import { type Context, queryNumber, quoted, type Reply } from './operation.ts';
import { invalidArgument, S3Error } from './s3-error.ts';
import type { OpenUpload, Store, StoredObject } from './store.ts';
import { document, type Fields } from './xml.ts';

const PAGE: [number, number, number] = [0, 1000, 2_147_483_647];
const MAX_PAGE = 1000;

const isoDate = (milliseconds: number) => new Date(milliseconds).toISOString();

export async function headBucket(): Promise<Reply> {
  return { status: 200 };
}

/** The first version of the operation: a page goes on behind a key, not behind a token. */
export async function listObjects({ call, store, bucket }: Context): Promise<Reply> {
  const marker = queryValue(call, 'marker') ?? '';
  const { page, fields } = listing(call, store, marker);
  // Without a delimiter clients go on behind the last key.
  const next = fields.Delimiter === undefined ? undefined : page.next;
  return {
    status: 200,
    body: document('ListBucketResult', { Name: bucket, Marker: marker, NextMarker: next, ...fields }),
  };
}

export async function listObjectsV2({ call, store, bucket }: Context): Promise<Reply> {
  if (queryValue(call, 'list-type') !== '2') {
    throw new S3Error('NotImplemented', 'This server lists objects with list-type=2 only');
  }
  const token = queryValue(call, 'continuation-token');
  const startAfter = queryValue(call, 'start-after');
  const after = token === undefined ? (startAfter ?? '') : keyOfToken(token);
  const { page, fields, encode } = listing(call, store, after);
  return {
    status: 200,
    body: document('ListBucketResult', {
      Name: bucket,
      StartAfter: startAfter === undefined ? undefined : encode(startAfter),
      ContinuationToken: token,
      NextContinuationToken: page.next === undefined ? undefined : tokenOfKey(page.next),
      KeyCount: page.keys.length + page.prefixes.length,
      ...fields,
    }),
  };
}

/** A page, and what both versions answer of it. */
function listing(call: Call, store: Store, after: string) {
  const prefix = queryValue(call, 'prefix') ?? '';
  const delimiter = queryValue(call, 'delimiter') || undefined;
  const size = Math.min(queryNumber(call, 'max-keys', PAGE), MAX_PAGE);
  const page = pageOf(store.keys, { prefix, delimiter, after, size });
  const encode = keyEncoder(queryValue(call, 'encoding-type'));
  const fields = {
    Prefix: encode(prefix),
    Delimiter: delimiter && encode(delimiter),
    EncodingType: queryValue(call, 'encoding-type'),
    MaxKeys: size,
    IsTruncated: page.next !== undefined,
    Contents: page.keys.map((key) => listed(store.get(key), encode)),
    CommonPrefixes: page.prefixes.map((common) => ({ Prefix: encode(common) })),
  };
  return { page, fields, encode };
}

interface PageRequest {
  readonly prefix: string;
  readonly delimiter: string | undefined;
  readonly after: string;
  readonly size: number;
}

interface Page {
  readonly keys: string[];
  /** What keys have in common up to the delimiter, in place of these keys. */
  readonly prefixes: string[];
  /** Where the next page starts; absent on the last. */
  readonly next?: string;
}

/** Behind every key that begins with `prefix`. */
const pastAll = (prefix: string) => `${prefix}\u{10ffff}`;

/** The part of the key up to and with the first delimiter behind the prefix. */
function commonOf(key: string, prefix: string, delimiter: string | undefined): string | undefined {
  const end = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
  return end < 0 ? undefined : key.slice(0, end + (delimiter?.length ?? 0));
}

function pageOf(index: KeyIndex, { prefix, delimiter, after, size }: PageRequest): Page {
  const page: Page = { keys: [], prefixes: [] };
  let last = after;
  for (;;) {
    const key = index.next(prefix, last);
    if (key === undefined || size === 0) return page;
    if (page.keys.length + page.prefixes.length === size) return { ...page, next: last };
    const common = commonOf(key, prefix, delimiter);
    if (common === undefined) page.keys.push(key);
    else page.prefixes.push(common);
    last = common === undefined ? key : pastAll(common);
  }
}

function listed(object: StoredObject | undefined, encode: (key: string) => string): Fields | undefined {
  return (
    object && {
      Key: encode(object.key),
      LastModified: isoDate(object.modified),
      ETag: quoted(object.eTag),
      ChecksumAlgorithm: object.checksum?.algorithm,
      ChecksumType: object.checksum?.type,
      Size: object.size,
      StorageClass: 'STANDARD',
    }
  );
}

function keyEncoder(type: string | undefined): (key: string) => string {
  if (type === undefined) return (key) => key;
  if (type === 'url') return (key) => key.split('/').map(encodeURIComponent).join('/');
  throw invalidArgument('encoding-type', type, 'Invalid Encoding Method specified in Request');
}

/** Opaque to clients, as S3's are. */
const tokenOfKey = (key: string) => `1${Buffer.from(key).toString('base64url')}`;

function keyOfToken(token: string): string {
  const key = Buffer.from(token.slice(1), 'base64url').toString();
  if (tokenOfKey(key) === token) return key;
  throw invalidArgument('continuation-token', token, 'The continuation token provided is incorrect');
}

export async function listMultipartUploads({ call, store, bucket }: Context): Promise<Reply> {
  const prefix = queryValue(call, 'prefix') ?? '';
  const keyMarker = queryValue(call, 'key-marker') ?? '';
  const idMarker = queryValue(call, 'upload-id-marker') ?? '';
  const size = Math.min(queryNumber(call, 'max-uploads', PAGE), MAX_PAGE);
  const uploads = store
    .uploads()
    .filter((upload) => upload.key.startsWith(prefix) && isAfter(upload, keyMarker, idMarker))
    .sort((a, b) => compareKeys(a.key, b.key) || a.started - b.started || compareKeys(a.id, b.id));
  const page = uploads.slice(0, size);
  const truncated = size > 0 && uploads.length > size;
  return {
    status: 200,
    body: document('ListMultipartUploadsResult', {
      Bucket: bucket,
      KeyMarker: keyMarker,
      UploadIdMarker: idMarker,
      NextKeyMarker: truncated ? page.at(-1)?.key : undefined,
      NextUploadIdMarker: truncated ? page.at(-1)?.id : undefined,
      MaxUploads: size,
      IsTruncated: truncated,
      Prefix: prefix,
      Upload: page.map(({ key, id, started, algorithm }) => ({
        Key: key,
        UploadId: id,
        StorageClass: 'STANDARD',
        Initiated: isoDate(started),
        ChecksumAlgorithm: algorithm,
      })),
    }),
  };
}

/** Upload ids grow with time, so their order is that of the listing. */
function isAfter(upload: OpenUpload, keyMarker: string, idMarker: string): boolean {
  const order = compareKeys(upload.key, keyMarker);
  return order > 0 || (order === 0 && idMarker !== '' && upload.id > idMarker);
}
