import { UPLOAD_EXPIRY_SECONDS } from '../limits.ts';
import { uploadInvalid } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { Announced, AnnouncedPart, Cut, DirectWrites, SignedRequest } from '../storage/direct-writes.ts';
import { keepHold } from './holds.ts';
import { withRoom } from './idle-uploads.ts';
import { countsBytes } from './meters.ts';
import { untilWon } from './races.ts';
import type { Registry } from './registry.ts';
import { openSession, prepareSession } from './upload-opening.ts';
import { type UploadSession, uploadsSince } from './upload-sessions.ts';

// What a client says before it sends: the digest and the size. So the store can be told to take these bytes and no others.

/** Whether a client may write what it announces to the store itself; else all bytes come through the registry. */
export const takesDirectWrites = ({ direct, blobs }: Registry) =>
  direct === true && blobs.direct !== undefined;

function writesOf({ blobs }: Registry): DirectWrites {
  if (!blobs.direct) throw new Error('this store takes bytes from nobody but the registry');
  return blobs.direct;
}

/** The PUT by which the store takes what was announced for an upload; `undefined` where a quota has no room for it. */
export async function wholeRequest(
  registry: Registry,
  { upload, direct }: UploadSession,
  announced: Announced,
): Promise<SignedRequest | undefined> {
  if (direct && direct.most < announced.size) return undefined;
  return writesOf(registry).whole(upload, announced);
}

/** An upload in parts. */
export interface PartedUpload {
  readonly session: UploadSession;
  readonly cut: Cut;
}

/** Goes on with the caller's upload in parts of this blob, or opens one, sealed from the start: nothing comes through the
 *  registry, and the store keeps at most what was announced. DENIED where a quota has no room for it. */
export async function startParts(
  registry: Registry,
  repository: RepositoryName,
  announced: Announced,
): Promise<PartedUpload> {
  const writes = writesOf(registry);
  const begun = await findParts(registry, writes, repository, announced);
  if (begun) return begun;
  const prepared = await prepareSession(registry, repository, () =>
    writes.startParts(newKey(registry), announced),
  );
  const bytes = countsBytes(prepared.rules) ? announced.size : 0;
  const open = () => untilWon(registry, () => openSession(registry, prepared, bytes));
  try {
    const session = await withRoom(registry, prepared, open);
    return { session, cut: await requireCut(writes, session) };
  } catch (error) {
    await registry.blobs.abort(prepared.upload);
    throw error;
  }
}

/** Not the upload's first key, which the front door may let a client write to (docs/decisions/0011-written-once.md). */
const newKey = ({ newId }: Registry) => `blobs/${newId()}` as UploadSession['upload']['objectKey'];

async function findParts(
  registry: Registry,
  writes: DirectWrites,
  repository: RepositoryName,
  { digest, size }: Announced,
): Promise<PartedUpload | undefined> {
  const open = await uploadsSince(registry, repository, registry.now() - UPLOAD_EXPIRY_SECONDS * 1000);
  for (const session of open) {
    const { sealed, offset } = session.upload;
    const cut = sealed === digest && offset === size ? await writes.cutOf(session.upload) : undefined;
    if (cut) return { session, cut };
  }
  return undefined;
}

async function requireCut(writes: DirectWrites, { upload }: UploadSession): Promise<Cut> {
  const cut = await writes.cutOf(upload);
  if (!cut) throw new Error('an upload in parts has none');
  return cut;
}

/** The PUT of one part; BLOB_UPLOAD_INVALID where the upload has no such part. */
export async function partRequest(
  registry: Registry,
  session: UploadSession,
  part: AnnouncedPart,
): Promise<SignedRequest> {
  const request = takesDirectWrites(registry)
    ? await writesOf(registry).part(session.upload, part)
    : undefined;
  if (!request) throw uploadInvalid(`this upload has no part ${part.number}`);
  await keepHold(registry, session);
  return request;
}
