import { may } from '../auth/access.ts';
import { isKnown } from '../http/conditional.ts';
import { parseRange } from '../http/range.ts';
import { type Blob, deleteBlob, readBlob, requireBlob, requireBlobForPush } from '../registry/blobs.ts';
import { requireArrivedBlob } from '../registry/direct-uploads.ts';
import { type Call, digestOf, repositoryOf } from './call.ts';

/** `GET /v2/<name>/blobs/<digest>` (end-2): the bytes or a part of them, or the way to where they are. */
export async function getBlob(call: Call): Promise<Response> {
  const { registry, request } = call;
  const blob = await blobFor(call, requireBlob);
  if (isKnown(request, entityTag(blob))) return unchanged(blob);
  const range = requestedRange(request, blob);
  if (range.is === 'unsatisfiable') return unsatisfiable(blob);
  const url = await registry.blobs.downloadUrl(blob, blob.digest, call.host);
  if (url) return new Response(null, { status: 307, headers: { ...identity(blob), Location: url } });
  const body = await readBlob(registry, repositoryOf(call), blob, range.is === 'part' ? range : undefined);
  if (range.is === 'whole') return new Response(body, { headers: wholeHeaders(blob) });
  const { first, last } = range;
  return new Response(body, {
    status: 206,
    headers: {
      ...wholeHeaders(blob),
      'Content-Length': `${last - first + 1}`,
      'Content-Range': `bytes ${first}-${last}/${blob.size}`,
    },
  });
}

/** `HEAD /v2/<name>/blobs/<digest>` (end-2): from metadata, never a redirect. Told to a caller who may push,
 *  "exists" is a promise, so it is kept by a touch. */
export async function headBlob(call: Call): Promise<Response> {
  const blob = await blobFor(call, requireBlobForPush);
  if (isKnown(call.request, entityTag(blob))) return unchanged(blob);
  return new Response(null, { headers: wholeHeaders(blob) });
}

/** Whoever may push finds it as `findForPush` does, and also where it has just arrived. */
async function blobFor(call: Call, findForPush: typeof requireBlob): Promise<Blob> {
  const repository = repositoryOf(call);
  const digest = digestOf(call);
  return may(call.caller, 'push', repository)
    ? requireArrivedBlob(call.registry, repository, digest, findForPush)
    : requireBlob(call.registry, repository, digest);
}

/** `DELETE /v2/<name>/blobs/<digest>` (end-10). */
export async function removeBlob(call: Call): Promise<Response> {
  await deleteBlob(call.registry, repositoryOf(call), digestOf(call));
  return new Response(null, { status: 202 });
}

const entityTag = ({ digest }: Blob) => `"${digest}"`;

const identity = (blob: Blob) => ({ 'Docker-Content-Digest': blob.digest, ETag: entityTag(blob) });

const wholeHeaders = (blob: Blob) => ({
  ...identity(blob),
  'Accept-Ranges': 'bytes',
  'Content-Length': `${blob.size}`,
  // Whatever a blob holds, a browser must not render it under the registry's name.
  'Content-Type': 'application/octet-stream',
});

const unchanged = (blob: Blob) => new Response(null, { status: 304, headers: identity(blob) });

const unsatisfiable = ({ size }: Blob) =>
  new Response(null, { status: 416, headers: { 'Content-Range': `bytes */${size}` } });

/** If-Range asks for a part only of what the client already knows; content under a digest never changes. */
function requestedRange({ headers }: Request, blob: Blob) {
  const known = headers.get('if-range');
  return parseRange(known === null || known === entityTag(blob) ? headers.get('range') : null, blob.size);
}
