import { firstPullable } from '../auth/visibility.ts';
import { bodyOf } from '../http/body.ts';
import { single } from '../http/query.ts';
import { parseContentRange } from '../http/range.ts';
import { type Algorithm, algorithmOf, type Digest, isAlgorithm, parseDigest } from '../oci/digest.ts';
import { algorithmUnsupported, digestMissing, uploadInvalid } from '../oci/errors.ts';
import { parseRepositoryName, type RepositoryName } from '../oci/reference.ts';
import { mountBlob } from '../registry/blobs.ts';
import { type FinishOutcome, finishUpload } from '../registry/upload-closing.ts';
import { cancelUpload, requireBytes } from '../registry/upload-ending.ts';
import { requireUpload, type UploadSession } from '../registry/upload-sessions.ts';
import { appendChunk, startUpload } from '../registry/uploads.ts';
import { announcementIn, startAnnounced } from './announced-uploads.ts';
import { type Call, digestParameter, repositoryOf } from './call.ts';
import { idOf, sessionHeaders } from './upload-session.ts';

/** `POST /v2/<name>/blobs/uploads/` (end-4a, 4b, 4c, 11): mounts, takes a whole blob, or opens a session. */
export async function postUpload(call: Call): Promise<Response> {
  const { registry, request } = call;
  const repository = repositoryOf(call);
  const mount = parseDigest(single(call.query, 'mount') ?? '');
  if (mount && (await mounted(call, repository, mount))) return created(repository, mount);
  const announcement = announcementIn(call, mount);
  if (announcement) return startAnnounced(call, repository, announcement);
  const digest = digestParameter(call, 'digest');
  const algorithm = digest ? algorithmOf(digest) : algorithmParameter(call);
  const session = await startUpload(registry, repository, algorithm);
  if (!digest) return new Response(null, { status: 202, headers: await sessionHeaders(call, session) });
  const { id } = session;
  const outcome = await finishUpload(registry, {
    repository,
    id,
    body: bodyOf(request),
    length: lengthOf(request),
    start: undefined,
    digest,
  });
  return finished(call, outcome, repository, digest);
}

/** `PATCH <upload>` (end-5). */
export async function patchUpload(call: Call): Promise<Response> {
  const session = await requireUpload(call.registry, repositoryOf(call), idOf(call));
  const { body, start, length } = chunkOf(call);
  const outcome = await appendChunk(call.registry, session, body, start, length);
  if (outcome.is === 'outOfOrder') return outOfOrder(call, outcome.session);
  return new Response(null, { status: 202, headers: await sessionHeaders(call, outcome.session) });
}

/** `PUT <upload>?digest=` (end-6): the last chunk if there is one, then the digest decides. 202 to an upload in parts asks for the
 *  same once more. */
export async function putUpload(call: Call): Promise<Response> {
  const repository = repositoryOf(call);
  const digest = digestParameter({ ...call, query: sentQuery(call.request) }, 'digest');
  if (!digest) throw digestMissing();
  const chunk = chunkOf(call);
  const outcome = await finishUpload(call.registry, { repository, id: idOf(call), ...chunk, digest });
  return finished(call, outcome, repository, digest);
}

/** `GET <upload>` (end-13): how far it got. */
export async function getUpload(call: Call): Promise<Response> {
  const session = await requireUpload(call.registry, repositoryOf(call), idOf(call));
  await requireBytes(call.registry, session);
  return new Response(null, { status: 204, headers: await sessionHeaders(call, session) });
}

/** `DELETE <upload>` (end-14). */
export async function deleteUpload(call: Call): Promise<Response> {
  const session = await requireUpload(call.registry, repositoryOf(call), idOf(call));
  await cancelUpload(call.registry, session);
  return new Response(null, { status: 204 });
}

/** What cannot be mounted is an upload that begins, also where `from` names no repository of this registry, or nothing.
 *  https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#mounting-a-blob-from-another-repository */
async function mounted(call: Call, repository: RepositoryName, digest: Digest): Promise<boolean> {
  const text = single(call.query, 'from');
  const from = text === undefined ? undefined : parseRepositoryName(text);
  if (text !== undefined && !from) return false;
  const choose = (sources: readonly RepositoryName[]) => firstPullable(call.registry, call.caller, sources);
  return mountBlob(call.registry, { repository, digest, from, choose });
}

function algorithmParameter({ query }: Call): Algorithm | undefined {
  const text = single(query, 'digest-algorithm');
  if (text === undefined || isAlgorithm(text)) return text;
  throw algorithmUnsupported(text);
}

/** The chunk a request carries, and where it says the chunk begins: by Content-Range, or by the Location that it is sent to.
 *  A chunk that is sent again to the same Location is not added twice. */
function chunkOf({ request }: Call) {
  const header = request.headers.get('content-range');
  const length = lengthOf(request);
  if (header === null) {
    const offset = request.body && sentQuery(request).get('offset');
    return { body: bodyOf(request), start: offset ? offsetIn(offset) : undefined, length };
  }
  const range = parseContentRange(header);
  if (!range) throw uploadInvalid('Content-Range is not <first>-<last>');
  return { body: bodyOf(request, range.length), start: range.first, length };
}

/** Of a Location that is none of ours, no upload is so far. */
const offsetIn = (text: string) => (/^\d{1,15}$/.test(text) ? Number(text) : Number.NaN);

/** Some clients put `?digest=` behind a Location that has a query already. */
const sentQuery = ({ url }: Request) => new URLSearchParams(url.split('?').slice(1).join('&'));

/** What the client says that the body has; 0 where it does not. */
function lengthOf({ headers }: Request): number {
  const declared = headers.get('content-length') ?? '';
  return /^\d{1,15}$/.test(declared) ? Number(declared) : 0;
}

/** The specification has no code for this; the headers tell where to go on. */
async function outOfOrder(call: Call, session: UploadSession): Promise<Response> {
  const headers = await sessionHeaders(call, session);
  const message =
    `chunk out of order, sent before, or another request writes to this upload; it has ${session.upload.offset} bytes: ` +
    'go on from there, at the Location of this answer';
  return Response.json({ errors: [{ code: 'BLOB_UPLOAD_INVALID', message }] }, { status: 416, headers });
}

async function finished(
  call: Call,
  outcome: FinishOutcome,
  repository: RepositoryName,
  digest: Digest,
): Promise<Response> {
  if (outcome.is === 'stored') return created(repository, digest);
  if (outcome.is === 'outOfOrder') return outOfOrder(call, outcome.session);
  return new Response(null, { status: 202, headers: await sessionHeaders(call, outcome.session) });
}

function created(repository: RepositoryName, digest: Digest): Response {
  const Location = `/v2/${repository}/blobs/${digest}`;
  const headers = { Location, 'Docker-Content-Digest': digest };
  return new Response(null, { status: 201, headers });
}
