import { createHash } from 'node:crypto';
import { readText } from './body.ts';
import { type Call, header } from './call.ts';
import { writeConditions } from './conditions.ts';
import { PART_NUMBERS, requireUpload } from './multipart.ts';
import { type Context, queryNumber, quoted, type Reply, storedHeaders } from './operation.ts';
import { invalidArgument, noSuchKey, notImplemented, S3Error } from './s3-error.ts';
import { pieces, type StoredFile, type StoredObject } from './store.ts';
import { document } from './xml.ts';

/** Above this an object is copied in parts. */
const MAX_COPY_BYTES = 5 * 1024 ** 3;

// Copies share the files of their source: files never change. So a copy takes no longer than its request, as S3's
// may where nobody waits for the bytes themselves.

export async function copyObject(context: Context): Promise<Reply> {
  const { call, store, body, now } = context;
  const requireItsConditions = writeConditions(call, store);
  await readText(body);
  const source = requireSource(context);
  if (source.size > MAX_COPY_BYTES) {
    const message = 'The specified copy source is larger than the maximum allowable size for a copy source';
    throw new S3Error('InvalidRequest', message, { Size: source.size });
  }
  const isReplaced = header(call, 'x-amz-metadata-directive') === 'REPLACE';
  const headers = isReplaced ? storedHeaders(context) : source.headers;
  const object: StoredObject = { ...source, key: call.key, headers, modified: now().getTime() };
  requireItsConditions();
  store.put(object);
  context.created(object);
  return { status: 200, body: result('CopyObjectResult', object) };
}

export async function uploadPartCopy(context: Context): Promise<Reply> {
  const { call, store, body, now } = context;
  await readText(body);
  const number = queryNumber(call, 'partNumber', PART_NUMBERS);
  const { id, algorithm } = requireUpload(call, store);
  if (algorithm) throw notImplemented('a copied part of an upload with checksums');
  const source = requireSource(context);
  const { first, last } = requestedRange(call, source.size);
  const files = pieces(source.files, first, last);
  const part = { number, size: last - first + 1, files, eTag: eTagOf(files), modified: now().getTime() };
  store.addPart(id, part);
  return { status: 200, body: result('CopyPartResult', part) };
}

function requireSource({ call, store, bucket }: Context): StoredObject {
  const given = decodeURIComponent(header(call, 'x-amz-copy-source') ?? '').replace(/^\//, '');
  const key = given.slice(bucket.length + 1);
  if (!given.startsWith(`${bucket}/`)) throw notImplemented('a copy from another bucket');
  const source = store.get(key);
  if (!source) throw noSuchKey(key);
  return source;
}

function requestedRange(call: Call, size: number): { first: number; last: number } {
  const value = header(call, 'x-amz-copy-source-range');
  if (value === undefined) return { first: 0, last: size - 1 };
  const [, from = '', to = ''] = /^bytes=(\d+)-(\d+)$/.exec(value) ?? [];
  const [first, last] = [Number(from), Number(to)];
  if (from !== '' && first <= last && last < size) return { first, last };
  throw invalidArgument(
    'x-amz-copy-source-range',
    value,
    `Range specified is not valid for source object of size: ${size}`,
  );
}

/** No MD5, as that of a part that S3 has encrypted is none; the same bytes have the same one. */
function eTagOf(files: readonly StoredFile[]): string {
  const text = files.map(({ name, size, skip = 0 }) => `${name} ${skip} ${size}`).join();
  return createHash('md5').update(text).digest('hex');
}

const result = (name: string, { eTag, modified }: { eTag: string; modified: number }) =>
  document(name, { LastModified: new Date(modified).toISOString(), ETag: quoted(eTag) });
