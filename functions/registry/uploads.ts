import { UPLOAD_EXPIRY_SECONDS } from '../limits.ts';
import { type Algorithm, CANONICAL } from '../oci/digest.ts';
import { uploadLost, uploadUnknown } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { Body, ObjectKey, Upload } from '../storage/blob-store.ts';
import { type Condition, equals } from '../storage/table.ts';
import { uploadKey } from './keys.ts';
import { discard, rescue } from './outbox.ts';
import { requireRoom } from './quotas.ts';
import type { Registry } from './registry.ts';
import {
  attributesOf,
  bytesDue,
  discardLater,
  entryKey,
  isUnchanged,
  requireUpload,
  seconds,
  type UploadSession,
  unchanged,
} from './upload-sessions.ts';

/** `outOfOrder`: the chunk does not start where the session stands, or another request is writing to it. */
export type ChunkOutcome = { readonly is: 'accepted' | 'outOfOrder'; readonly session: UploadSession };

/** Where the caller says its chunk begins; `undefined` for "wherever the session stands". */
export type Start = number | undefined;

/** Opens a session with a fresh object key, which its id is part of (end-4a); nothing else of the repository is made yet.
 *  DENIED where a quota has no room for any blob. */
export async function startUpload(
  registry: Registry,
  repository: RepositoryName,
  algorithm: Algorithm = CANONICAL,
): Promise<UploadSession> {
  await requireRoom(registry, repository);
  const id = registry.newId();
  const due = registry.now() + UPLOAD_EXPIRY_SECONDS * 1000;
  const upload = await registry.blobs.start(`blobs/${id}` as ObjectKey, algorithm);
  const by = registry.actor;
  const session = { id, repository, upload, due, ...(by !== undefined && { by }) };
  await registry.table.write([
    { put: uploadKey(id), attributes: attributesOf(session) },
    { put: entryKey(session), attributes: { expiresAt: seconds(due) } },
    discard(upload.objectKey, bytesDue(due)),
  ]);
  return session;
}

/** Appends a chunk whole or not at all (end-5). Two clients may append to one session at once: only the one
 *  that finds the offset it read wins, the other learns so from `outOfOrder`. */
export async function appendChunk(
  registry: Registry,
  session: UploadSession,
  body: Body,
  start: Start,
): Promise<ChunkOutcome> {
  const { upload } = session;
  const isInOrder = upload.sealed === undefined && (start === undefined || start === upload.offset);
  if (!isInOrder) return { is: 'outOfOrder', session };
  const commit = async ({ offset, state }: Upload) => {
    const operation = { update: uploadKey(session.id), set: { offset, state }, when: unchanged(session) };
    return (await registry.table.write([operation])).committed;
  };
  const isCurrent = () => isUnchanged(registry, session);
  const outcome = await registry.blobs.append(upload, body, { commit, isCurrent });
  if (outcome.is === 'appended') return { is: 'accepted', session: { ...session, upload: outcome.upload } };
  if (outcome.is === 'gone') await giveUp(registry, session, outcome);
  return { is: 'outOfOrder', session: await requireUpload(registry, session.repository, session.id) };
}

/** BLOB_UPLOAD_UNKNOWN where bytes that the session has received are lost, for instance with the power; it is over then. */
export async function requireBytes(registry: Registry, session: UploadSession): Promise<void> {
  if (!(await registry.blobs.holds(session.upload))) await giveUp(registry, session, {});
}

/** Ends a session whose bytes are lost, so that its client starts anew, and fails with why. Returns where another request
 *  has moved it meanwhile: then it is that one's. */
export async function giveUp(
  registry: Registry,
  session: UploadSession,
  { cause }: { readonly cause?: unknown },
): Promise<void> {
  // Where this fails, too, the next request finds the bytes missing.
  const isOver = await endUpload(registry, session, unchanged(session)).catch(() => true);
  if (isOver) throw cause ?? uploadLost();
}

/** Ends a session (end-14) and frees its bytes at once, and what a client may still send the store a day later;
 *  BLOB_UPLOAD_UNKNOWN where it ended in the meantime. */
export async function cancelUpload(registry: Registry, session: UploadSession): Promise<void> {
  const when = [equals('objectKey', session.upload.objectKey)];
  if (!(await endUpload(registry, session, when))) throw uploadUnknown();
}

/** As `cancelUpload`, where `when` holds for the session; answers whether it did. */
export async function endUpload(
  registry: Registry,
  session: UploadSession,
  when: readonly Condition[],
): Promise<boolean> {
  const { id, upload, due } = session;
  const { committed } = await registry.table.write([
    { remove: uploadKey(id), when },
    { remove: entryKey(session) },
    rescue(upload.objectKey, bytesDue(due)),
    discardLater(registry, session, upload),
  ]);
  // Only now is it certain that no other request has finished the upload: its object is nobody's.
  if (committed) await registry.blobs.abort(upload);
  return committed;
}
