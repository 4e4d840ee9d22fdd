import { UPLOAD_EXPIRY_SECONDS } from '../limits.ts';
import { type Algorithm, CANONICAL } from '../oci/digest.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { Body, ObjectKey, Upload } from '../storage/blob-store.ts';
import { uploadKey } from './keys.ts';
import { discard } from './outbox.ts';
import { requireRoom } from './quotas.ts';
import type { Registry } from './registry.ts';
import { giveUp } from './upload-ending.ts';
import {
  attributesOf,
  bytesDue,
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
