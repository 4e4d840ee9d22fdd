import { readText } from './body.ts';
import { type Call, header } from './call.ts';
import { requireConditions, requireReadConditions, writeConditions } from './conditions.ts';
import {
  type Context,
  checksumHeaders,
  quoted,
  type Reply,
  requireHeaderValue,
  storedHeaders,
} from './operation.ts';
import { malformedXml, noSuchKey, S3Error } from './s3-error.ts';
import type { StoredObject } from './store.ts';
import { childText, document, type Element, parseXml } from './xml.ts';

const MAX_DELETIONS = 1000;

export async function putObject(context: Context): Promise<Reply> {
  const { call, store, body, now } = context;
  const headers = storedHeaders(context);
  const requireItsConditions = writeConditions(call, store);
  const file = await store.write(body);
  const { size, md5, checksum } = body.received;
  const object: StoredObject = {
    key: call.key,
    size,
    eTag: md5.toString('hex'),
    modified: now().getTime(),
    files: [{ name: file, size }],
    headers,
    checksum,
  };
  try {
    requireItsConditions();
  } catch (error) {
    store.discard(file);
    throw error;
  }
  store.put(object);
  context.created(object);
  return {
    status: 200,
    headers: { ETag: quoted(object.eTag), ...encryption(object), ...checksumHeaders(checksum) },
  };
}

const encryption = ({ headers }: StoredObject) => ({
  'x-amz-server-side-encryption': headers['x-amz-server-side-encryption'] ?? 'AES256',
});

export async function getObject(context: Context): Promise<Reply> {
  const object = requireObject(context);
  const range = requestedRange(context.call, object);
  const headers = objectHeaders(context.call, object, range);
  if (!range) return { status: 200, headers, body: context.store.read(object, 0, object.size - 1) };
  return { status: 206, headers, body: context.store.read(object, range.first, range.last) };
}

export async function headObject(context: Context): Promise<Reply> {
  const object = requireObject(context);
  const range = requestedRange(context.call, object);
  return { status: range ? 206 : 200, headers: objectHeaders(context.call, object, range) };
}

function requireObject({ call, store }: Context): StoredObject {
  const object = store.get(call.key);
  if (!object) throw noSuchKey(call.key);
  requireReadConditions(call, object);
  return object;
}

interface Range {
  readonly first: number;
  readonly last: number;
}

/** The one range of a request; several, or what is no range of bytes, are answered with the whole object. */
function requestedRange(call: Call, { size }: StoredObject): Range | undefined {
  const value = header(call, 'range') ?? '';
  const [match, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(value.trim()) ?? [];
  if (!match || (from === '' && to === '')) return;
  const first = from === '' ? Math.max(size - Number(to), 0) : Number(from);
  const last = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (from !== '' && to !== '' && Number(to) < first) return;
  if (first < size) return { first, last };
  throw new S3Error('InvalidRange', 'The requested range is not satisfiable', {
    RangeRequested: value,
    ActualObjectSize: size,
  });
}

function objectHeaders(call: Call, object: StoredObject, range: Range | undefined) {
  // A checksum is of the whole object, so S3 sends none with a range.
  const checked = !range && header(call, 'x-amz-checksum-mode')?.toUpperCase() === 'ENABLED';
  return {
    ...object.headers,
    ...overrides(call),
    'Accept-Ranges': 'bytes',
    'Content-Length': range ? range.last - range.first + 1 : object.size,
    ETag: quoted(object.eTag),
    'Last-Modified': new Date(object.modified).toUTCString(),
    ...(range && { 'Content-Range': `bytes ${range.first}-${range.last}/${object.size}` }),
    ...(checked && checksumHeaders(object.checksum)),
  };
}

const OVERRIDES =
  /^response-(?:cache-control|content-disposition|content-encoding|content-language|content-type|expires)$/;

function overrides(call: Call): Record<string, string> {
  const asked = call.query.filter(([name]) => OVERRIDES.test(name));
  return Object.fromEntries(
    asked.map(([name, value]) => [name.replace('response-', ''), requireHeaderValue(name, value)]),
  );
}

/** What is not there counts as deleted. */
export async function deleteObject({ call, store }: Context): Promise<Reply> {
  requireConditions(call, store.get(call.key));
  store.remove(call.key);
  return { status: 204 };
}

export async function deleteObjects({ store, body }: Context): Promise<Reply> {
  if (!body.hasDigest) {
    throw new S3Error('InvalidRequest', 'Missing required header for this request: Content-MD5');
  }
  const request = parseXml(await readText(body));
  const entries = request.children.filter((child) => child.name === 'Object');
  if (request.name !== 'Delete' || entries.length === 0 || entries.length > MAX_DELETIONS)
    throw malformedXml();
  const keys = entries.map(requireEntryKey);
  for (const key of keys) store.remove(key);
  const deleted = childText(request, 'Quiet') === 'true' ? [] : keys.map((key) => ({ Key: key }));
  return { status: 200, body: document('DeleteResult', { Deleted: deleted }) };
}

function requireEntryKey(entry: Element): string {
  const extra = entry.children.find((child) => child.name !== 'Key');
  if (extra)
    throw new S3Error('NotImplemented', `This server does not implement ${extra.name} of a deletion`);
  const key = entry.children[0]?.text;
  if (!key) throw malformedXml();
  return key;
}
