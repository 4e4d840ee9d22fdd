import { may } from '../auth/access.ts';
import { isKnown, requireMatch } from '../http/conditional.ts';
import { byteRanges } from '../http/multipart.ts';
import { type Part, parseRange, type RangeRequest } from '../http/range.ts';
import { ANONYMOUS, EVERYBODY } from '../identity/principal.ts';
import { severalRanges } from '../oci/errors.ts';
import { type Blob, deleteBlob, readBlob, requireBlob, requireBlobForPush } from '../registry/blobs.ts';
import { requireArrivedBlob } from '../registry/direct-uploads.ts';
import { type Call, digestOf, repositoryOf } from './call.ts';

/** `GET /v2/<name>/blobs/<digest>` (end-2): the bytes or a part of them, or the way to where they are. */
export async function getBlob(call: Call): Promise<Response> {
  const { registry, request } = call;
  const blob = await blobFor(call, requireBlob);
  requireMatch(request, entityTag(blob));
  if (isKnown(request, entityTag(blob))) return unchanged(blob);
  const range = requestedRange(request, blob);
  if (range.is === 'unsatisfiable') return unsatisfiable(blob);
  const url = await registry.blobs.downloadUrl(blob, blob.digest, call.host);
  // The store would send all of it: clients who hear this ask for one range at a time, or for one that covers them.
  if (url && range.is === 'parts') throw severalRanges();
  // Who has the way to a blob may take all of it.
  await countDownload(call, url || range.is === 'whole' ? blob.size : bytesOf(range));
  if (url) return new Response(null, { status: 307, headers: { ...identity(blob), Location: url } });
  const read = (part?: Part) => readBlob(registry, repositoryOf(call), blob, part);
  if (range.is === 'whole') return new Response(await read(), { headers: wholeHeaders(blob) });
  const parts = range.is === 'part' ? [range] : range.parts;
  return parts.length === 1
    ? answerPart(blob, parts[0] as Part, read)
    : answerParts(blob, parts, read, registry.newId());
}

async function countDownload(call: Call, bytes: number): Promise<void> {
  const { registry, caller } = call;
  const { principal } = caller;
  const isAnonymous = principal === ANONYMOUS || principal === EVERYBODY;
  const repository = repositoryOf(call);
  await registry.downloads?.count(registry, { repository, principal, isAnonymous, bytes });
}

const bytesOf = (range: Extract<RangeRequest, { readonly is: 'part' | 'parts' }>) =>
  (range.is === 'part' ? [range] : range.parts).reduce((sum, { first, last }) => sum + last - first + 1, 0);

type Read = (part: Part) => ReturnType<typeof readBlob>;

async function answerPart(blob: Blob, part: Part, read: Read): Promise<Response> {
  const { first, last } = part;
  const headers = {
    ...wholeHeaders(blob),
    'Content-Length': `${last - first + 1}`,
    'Content-Range': `bytes ${first}-${last}/${blob.size}`,
  };
  return new Response(await read(part), { status: 206, headers });
}

async function answerParts(blob: Blob, parts: readonly Part[], read: Read, boundary: string) {
  const { size } = blob;
  const { type, length, body } = await byteRanges({ parts, size, contentType: BYTES, boundary, read });
  const headers = { ...wholeHeaders(blob), 'Content-Type': type, 'Content-Length': `${length}` };
  return new Response(body, { status: 206, headers });
}

/** `HEAD /v2/<name>/blobs/<digest>` (end-2): from metadata, and a redirect only where a length would not arrive. Told to a
 *  caller who may push, "exists" is a promise, so it is kept by a touch. */
export async function headBlob(call: Call): Promise<Response> {
  const blob = await blobFor(call, requireBlobForPush);
  requireMatch(call.request, entityTag(blob));
  if (isKnown(call.request, entityTag(blob))) return unchanged(blob);
  return call.registry.countsHeads
    ? countedHead(call, blob)
    : new Response(null, { headers: wholeHeaders(blob) });
}

/** Has the store tell the length, or the gateway count it. */
async function countedHead(call: Call, blob: Blob): Promise<Response> {
  const { registry, host } = call;
  const url = await registry.blobs.downloadUrl(blob, blob.digest, host, 'HEAD');
  if (url) return new Response(null, { status: 307, headers: { ...identity(blob), Location: url } });
  const bytes = await readBlob(registry, repositoryOf(call), blob);
  return new Response(bytes, { headers: wholeHeaders(blob) });
}

/** Whoever may push finds it as `findForPush` does, and also where it has just arrived. */
async function blobFor(call: Call, findForPush: typeof requireBlob): Promise<Blob> {
  const repository = repositoryOf(call);
  const digest = digestOf(call);
  return (await may(call.caller, 'push', repository))
    ? requireArrivedBlob(call.registry, repository, digest, findForPush)
    : requireBlob(call.registry, repository, digest);
}

/** `DELETE /v2/<name>/blobs/<digest>` (end-10). */
export async function removeBlob(call: Call): Promise<Response> {
  await deleteBlob(call.registry, repositoryOf(call), digestOf(call));
  return new Response(null, { status: 202 });
}

/** Whatever a blob holds, a browser must not render it under the registry's name. */
const BYTES = 'application/octet-stream';

const entityTag = ({ digest }: Blob) => `"${digest}"`;

const identity = (blob: Blob) => ({ 'Docker-Content-Digest': blob.digest, ETag: entityTag(blob) });

const wholeHeaders = (blob: Blob) => ({
  ...identity(blob),
  'Accept-Ranges': 'bytes',
  'Content-Length': `${blob.size}`,
  'Content-Type': BYTES,
});

const unchanged = (blob: Blob) => new Response(null, { status: 304, headers: identity(blob) });

const unsatisfiable = ({ size }: Blob) =>
  new Response(null, { status: 416, headers: { 'Content-Range': `bytes */${size}` } });

/** If-Range asks for a part only of what the client already knows; content under a digest never changes. */
function requestedRange({ headers }: Request, blob: Blob) {
  const known = headers.get('if-range');
  return parseRange(known === null || known === entityTag(blob) ? headers.get('range') : null, blob.size);
}
