import { createHash } from 'node:crypto';
import { readText } from './body.ts';
import { type Call, header, queryValue } from './call.ts';
import { algorithmOf } from './checksums.ts';
import { assemble, requestedParts } from './completion.ts';
import { writeConditions } from './conditions.ts';
import {
  type Context,
  checksumHeaders,
  queryNumber,
  quoted,
  type Reply,
  storedHeaders,
} from './operation.ts';
import { notImplemented, S3Error } from './s3-error.ts';
import type { OpenUpload, Part, Store, StoredObject } from './store.ts';
import { document } from './xml.ts';

const MAX_PART_NUMBER = 10_000;
export const PART_NUMBERS: [number, number, number] = [1, 1, MAX_PART_NUMBER];

const noSuchUpload = (id: string) =>
  new S3Error(
    'NoSuchUpload',
    'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
    { UploadId: id },
  );

export function requireUpload(call: Call, store: Store): OpenUpload {
  const id = queryValue(call, 'uploadId') ?? '';
  const upload = store.upload(id);
  if (upload?.key !== call.key) throw noSuchUpload(id);
  return upload;
}

let lastUpload = 0;

/** Unguessable, and later ones sort after earlier ones. */
function newUploadId(): string {
  lastUpload = Math.max(lastUpload + 1, Date.now() * 1000);
  const random = createHash('sha256').update(`${lastUpload}${Math.random()}`).digest('base64url');
  return `${lastUpload.toString(36).padStart(12, '0')}${random}`;
}

export async function createMultipartUpload(context: Context): Promise<Reply> {
  const { call, store, body, bucket, now } = context;
  await readText(body);
  const headers = storedHeaders(context);
  const name = header(call, 'x-amz-checksum-algorithm');
  const algorithm = algorithmOf(name);
  if (name !== undefined && (!algorithm || algorithm === 'CRC64NVME')) {
    throw notImplemented('x-amz-checksum-algorithm');
  }
  if ((header(call, 'x-amz-checksum-type') ?? 'COMPOSITE') !== 'COMPOSITE') {
    throw notImplemented('x-amz-checksum-type');
  }
  const id = newUploadId();
  store.start({ id, key: call.key, started: now().getTime(), headers, algorithm });
  return {
    status: 200,
    headers: algorithm ? { 'x-amz-checksum-algorithm': algorithm, 'x-amz-checksum-type': 'COMPOSITE' } : {},
    body: document('InitiateMultipartUploadResult', { Bucket: bucket, Key: call.key, UploadId: id }),
  };
}

export async function uploadPart({ call, store, body, now }: Context): Promise<Reply> {
  const number = queryNumber(call, 'partNumber', PART_NUMBERS);
  const { id, algorithm } = requireUpload(call, store);
  if (algorithm && algorithm !== body.algorithm) {
    const [expected, actual] = [algorithm, body.algorithm ?? 'null'].map((each) => each.toLowerCase());
    throw new S3Error(
      'InvalidRequest',
      `Checksum Type mismatch occurred, expected checksum Type: ${expected}, actual checksum Type: ${actual}`,
    );
  }
  const name = await store.write(body);
  const { size, md5, checksum } = body.received;
  const part: Part = {
    number,
    size,
    files: [{ name, size }],
    eTag: md5.toString('hex'),
    modified: now().getTime(),
    // Without an algorithm of the upload, S3 checks a part and then forgets its checksum.
    checksum: algorithm && checksum,
  };
  if (!store.upload(id)) {
    store.discard(name);
    throw noSuchUpload(id);
  }
  store.addPart(id, part);
  const { 'x-amz-checksum-type': _, ...headers } = checksumHeaders(checksum);
  return { status: 200, headers: { ETag: quoted(part.eTag), ...headers } };
}

export async function completeMultipartUpload(context: Context): Promise<Reply> {
  const { call, store, body, now } = context;
  const requireItsConditions = writeConditions(call, store);
  const text = await readText(body);
  const before = context.repeatsCompletions && store.completed(queryValue(call, 'uploadId') ?? '');
  if (before && before === store.get(call.key)) return completed(context, before);
  // From here to the end nothing awaits: the upload, its parts and the conditions hold until the object is there.
  const upload = requireUpload(call, store);
  const object: StoredObject = {
    ...assemble(call, upload, requestedParts(text)),
    key: upload.key,
    headers: upload.headers,
    modified: now().getTime(),
  };
  requireItsConditions();
  store.end(upload, object);
  context.created(object);
  return completed(context, object);
}

function completed({ call, bucket }: Context, object: StoredObject): Reply {
  return {
    status: 200,
    headers: { 'x-amz-server-side-encryption': object.headers['x-amz-server-side-encryption'] ?? 'AES256' },
    body: document('CompleteMultipartUploadResult', {
      Location: `http://${call.headers.host}${new URL(`http://host${call.request.url}`).pathname}`,
      Bucket: bucket,
      Key: object.key,
      ETag: quoted(object.eTag),
      ...(object.checksum && {
        [`Checksum${object.checksum.algorithm}`]: object.checksum.value,
        ChecksumType: object.checksum.type,
      }),
    }),
  };
}

/** After a conflict, an upload cannot be completed any more: it must begin anew. */
export function giveUpMultipartUpload(call: Call, store: Store): void {
  const upload = store.upload(queryValue(call, 'uploadId') ?? '');
  if (upload?.key === call.key) store.end(upload);
}

export async function abortMultipartUpload({ call, store }: Context): Promise<Reply> {
  store.end(requireUpload(call, store));
  return { status: 204 };
}

export async function listParts({ call, store, bucket }: Context): Promise<Reply> {
  const upload = requireUpload(call, store);
  const marker = queryNumber(call, 'part-number-marker', [0, 0, MAX_PART_NUMBER]);
  const size = Math.min(queryNumber(call, 'max-parts', [0, 1000, 2_147_483_647]), 1000);
  const parts = Array.from(upload.parts.values())
    .filter((part) => part.number > marker)
    .sort((a, b) => a.number - b.number);
  const page = parts.slice(0, size);
  return {
    status: 200,
    body: document('ListPartsResult', {
      Bucket: bucket,
      Key: upload.key,
      UploadId: upload.id,
      StorageClass: 'STANDARD',
      PartNumberMarker: marker,
      NextPartNumberMarker: page.at(-1)?.number,
      MaxParts: size,
      IsTruncated: size > 0 && parts.length > size,
      ChecksumAlgorithm: upload.algorithm,
      ChecksumType: upload.algorithm && 'COMPOSITE',
      Part: page.map((part) => ({
        PartNumber: part.number,
        LastModified: new Date(part.modified).toISOString(),
        ETag: quoted(part.eTag),
        Size: part.size,
        ...(part.checksum && { [`Checksum${part.checksum.algorithm}`]: part.checksum.value }),
      })),
    }),
  };
}
