import { single } from '../http/query.ts';
import { MAX_DIRECT_BYTES, MAX_INLINE_BYTES } from '../limits.ts';
import { algorithmOf, CANONICAL, type Digest } from '../oci/digest.ts';
import { parameterInvalid } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import { partRequest, startParts, takesDirectWrites, wholeRequest } from '../registry/announced-uploads.ts';
import { requireUpload } from '../registry/upload-sessions.ts';
import { startUpload } from '../registry/uploads.ts';
import { type Call, repositoryOf } from './call.ts';
import { idOf, sessionHeaders } from './upload-session.ts';

// Ours, not the specification's: a client that says what it will send is told how the store takes it, past the registry.
// docs/decisions/0025-clients-write-to-s3.md

interface Announcement {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly inParts: boolean;
}

/** What `POST …/uploads/?mount=<digest>&size=<bytes>` says of a blob that is not there, with `&parts=true` where the client would
 *  send it in parts however large it is. `undefined` where its bytes have to come by way of the registry. */
export function announcementIn(call: Call, digest: Digest | undefined): Announcement | undefined {
  const text = single(call.query, 'size') ?? '';
  const size = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  const isDirect = digest && algorithmOf(digest) === CANONICAL && size > MAX_INLINE_BYTES;
  if (!isDirect || !takesDirectWrites(call.registry)) return undefined;
  const inParts = size > MAX_DIRECT_BYTES || single(call.query, 'parts') === 'true';
  return { digest, size, inParts };
}

/** 202 as for any upload; its body says how the store takes the blob, and is empty where a quota has no room for it. */
export async function startAnnounced(
  call: Call,
  repository: RepositoryName,
  { inParts, ...announced }: Announcement,
): Promise<Response> {
  if (inParts) {
    const { session, cut } = await startParts(call.registry, repository, announced);
    return opened(await sessionHeaders(call, session), { parts: cut });
  }
  const session = await startUpload(call.registry, repository, CANONICAL, announced.size);
  const whole = await wholeRequest(call.registry, session, announced);
  return opened(await sessionHeaders(call, session), whole && { whole });
}

function opened(headers: Record<string, string>, direct: object | undefined): Response {
  return direct
    ? Response.json({ direct }, { status: 202, headers })
    : new Response(null, { status: 202, headers });
}

/** `POST <upload>?part=<number>&sha256=<hex>`: the PUT by which the store takes a part of an upload. */
export async function postPart(call: Call): Promise<Response> {
  const [number, hex] = [single(call.query, 'part') ?? '', single(call.query, 'sha256') ?? ''];
  if (!/^[1-9]\d{0,4}$/.test(number)) throw parameterInvalid('part is not the number of a part');
  if (!/^[0-9a-f]{64}$/.test(hex)) throw parameterInvalid('sha256 is not 64 hexadecimal digits');
  const session = await requireUpload(call.registry, repositoryOf(call), idOf(call));
  const sha256 = Buffer.from(hex, 'hex').toString('base64');
  return Response.json(await partRequest(call.registry, session, { number: Number(number), sha256 }));
}
