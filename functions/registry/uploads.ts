import { FINISHED_UPLOAD_SECONDS, OUTBOX_DELAY_SECONDS, UPLOAD_EXPIRY_SECONDS } from '../limits.ts';
import { type Algorithm, CANONICAL, type Digest } from '../oci/digest.ts';
import { digestMismatch, isDenied, uploadUnknown } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { Body, ObjectKey, StoredObject, Upload } from '../storage/blob-store.ts';
import { type Attributes, equals, MAX_OPERATIONS, type Operation } from '../storage/table.ts';
import { linkOperations } from './blobs.ts';
import { lastPartOf, uploadDueIn, uploadEntryKey, uploadKey, uploadsOf } from './keys.ts';
import { discard, rescue } from './outbox.ts';
import { requireRoom } from './quotas.ts';
import { LOST, untilWon } from './races.ts';
import type { Registry } from './registry.ts';

/** An upload that is neither finished nor cancelled. */
export interface UploadSession {
  readonly id: string;
  readonly repository: RepositoryName;
  readonly upload: Upload;
  /** Who opened it; nobody else may write to it. */
  readonly by?: string;
  /** Milliseconds; from then on the session is unknown, and a day later the outbox deletes the object. */
  readonly due: number;
}

/** `outOfOrder`: the chunk does not start where the session stands, or another request is writing to it. */
export type ChunkOutcome = { readonly is: 'accepted' | 'outOfOrder'; readonly session: UploadSession };

export type FinishOutcome =
  | { readonly is: 'stored' }
  | { readonly is: 'outOfOrder'; readonly session: UploadSession };

export interface FinishRequest {
  readonly repository: RepositoryName;
  readonly id: string;
  readonly body: Body;
  readonly start: Start;
  readonly digest: Digest;
}

/** Where the caller says its chunk begins; `undefined` for "wherever the session stands". */
type Start = number | undefined;

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

/** The session as it stands; BLOB_UPLOAD_UNKNOWN where it is finished, cancelled, expired or another
 *  repository's. */
export async function requireUpload(
  registry: Registry,
  repository: RepositoryName,
  id: string,
): Promise<UploadSession> {
  return sessionOf(registry, repository, id, await registry.table.get(uploadKey(id)));
}

/** The session, whichever repository's it is; `undefined` where it is finished, cancelled, expired or not the caller's. */
export async function findUpload(registry: Registry, id: string): Promise<UploadSession | undefined> {
  const found = await registry.table.get(uploadKey(id));
  return openSession(registry, found?.['repository'] as RepositoryName, id, found);
}

/** The caller's uploads into the repository that were opened after `since` (milliseconds) and have not ended; the
 *  newest first, 100 at most. */
export async function uploadsSince(
  registry: Registry,
  repository: RepositoryName,
  since: number,
): Promise<UploadSession[]> {
  const range = { ...uploadsOf(repository, registry.actor), limit: MAX_OPERATIONS, keysOnly: true };
  const entries = await registry.table.query({ ...range, direction: 'descending' });
  const recent = entries.filter((entry) => uploadDueIn(entry) > since + UPLOAD_EXPIRY_SECONDS * 1000);
  if (recent.length === 0) return [];
  const ids = recent.map(lastPartOf);
  const found = await registry.table.getMany(ids.map(uploadKey));
  return ids.flatMap((id, index) => openSession(registry, repository, id, found[index]) ?? []);
}

/** Appends a chunk whole or not at all (end-5). Two clients may append to one session at once: only the one
 *  that finds the offset it read wins, the other learns so from `outOfOrder`. */
export async function appendChunk(
  registry: Registry,
  session: UploadSession,
  body: Body,
  start: Start,
): Promise<ChunkOutcome> {
  if (start !== undefined && start !== session.upload.offset) return { is: 'outOfOrder', session };
  const commit = async ({ offset, state }: Upload) => {
    const operation = { update: uploadKey(session.id), set: { offset, state }, when: unchanged(session) };
    return (await registry.table.write([operation])).committed;
  };
  const outcome = await registry.blobs.append(session.upload, body, { commit, last: false });
  if (outcome.is === 'appended') return { is: 'accepted', session: { ...session, upload: outcome.upload } };
  return { is: 'outOfOrder', session: await requireUpload(registry, session.repository, session.id) };
}

/** Appends the last chunk, which may be empty, checks the digest of the whole and links the blob (end-6). A client that
 *  lost the answer may repeat this for an hour. After DIGEST_INVALID, or DENIED by a quota, the session is gone. */
export async function finishUpload(
  registry: Registry,
  { repository, id, body, start, digest }: FinishRequest,
): Promise<FinishOutcome> {
  const found = await registry.table.get(uploadKey(id));
  if (isFinished(found, repository, digest)) return { is: 'stored' };
  const session = sessionOf(registry, repository, id, found);
  if (start !== undefined && start !== session.upload.offset) return { is: 'outOfOrder', session };
  const commit = (upload: Upload) => commitUpload(registry, session, upload, digest);
  const outcome = await registry.blobs.append(session.upload, body, { commit, last: true });
  if (outcome.is === 'appended') return { is: 'stored' };
  const now = await registry.table.get(uploadKey(id));
  if (isFinished(now, repository, digest)) return { is: 'stored' };
  return { is: 'outOfOrder', session: sessionOf(registry, repository, id, now) };
}

function isFinished(found: Attributes | undefined, repository: RepositoryName, digest: Digest): boolean {
  return found?.['repository'] === repository && found['finished'] === digest;
}

/** Ends a session (end-14) and frees its bytes at once, and what a client may still send the store a day later;
 *  BLOB_UPLOAD_UNKNOWN where it ended in the meantime. */
export async function cancelUpload(registry: Registry, session: UploadSession): Promise<void> {
  const { committed } = await registry.table.write([
    { remove: uploadKey(session.id), when: [equals('objectKey', session.upload.objectKey)] },
    { remove: entryKey(session) },
    rescue(session.upload.objectKey, bytesDue(session.due)),
    discardLater(registry, session),
  ]);
  // Only now is it certain that no other request has finished the upload: its object is nobody's.
  if (!committed) throw uploadUnknown();
  await registry.blobs.abort(session.upload);
}

/** One transaction links the blob and closes the session; answers false where the session moved meanwhile. */
async function commitUpload(
  registry: Registry,
  session: UploadSession,
  upload: Upload,
  digest: Digest,
): Promise<boolean> {
  if ((await registry.blobs.finish(upload, digest)) === 'mismatch') {
    await cancelUpload(registry, session);
    throw digestMismatch(digest);
  }
  try {
    return await linkUpload(registry, session, { objectKey: upload.objectKey, size: upload.offset }, digest);
  } catch (error) {
    if (isDenied(error)) await cancelUpload(registry, session); // its bytes would lie there for a week
    throw error;
  }
}

/** The transaction itself: the object becomes a blob of the session's repository, or another one of the same digest
 *  does and the object is discarded. DENIED where a quota has no room; then all is as it was. */
export async function linkUpload(
  registry: Registry,
  session: UploadSession,
  object: StoredObject,
  digest: Digest,
): Promise<boolean> {
  return untilWon(registry, async () => {
    const { operations, keeps } = await linkOperations(registry, session.repository, digest, object);
    const outcome = await registry.table.write([
      ...closeOperations(registry, session, digest),
      ...(keeps ? [] : [discardLater(registry, session)]),
      ...operations,
    ]);
    if (outcome.committed) return true;
    return outcome.failed.includes(SESSION_OPERATION) ? false : LOST;
  });
}

const SESSION_OPERATION = 0;

function closeOperations(registry: Registry, session: UploadSession, digest: Digest): Operation[] {
  const { id, repository, upload, due } = session;
  const expiresAt = seconds(registry.now()) + FINISHED_UPLOAD_SECONDS;
  return [
    { put: uploadKey(id), attributes: { repository, finished: digest, expiresAt }, when: unchanged(session) },
    { remove: entryKey(session) },
    rescue(upload.objectKey, bytesDue(due)),
  ];
}

/** A day after the session has ended by its age: a request that has found it open before may still write, and bytes that
 *  come after the delete would stay for ever. */
const bytesDue = (due: number) => due + OUTBOX_DELAY_SECONDS * 1000;

/** A day later, when no token is alive by which the store takes bytes under this key: what is written there after the
 *  delete would stay for ever. */
function discardLater({ now }: Registry, { upload, due }: UploadSession): Operation {
  const later = now() + OUTBOX_DELAY_SECONDS * 1000;
  // The same write takes the session's own entry off the list: it must not be the same item.
  return discard(upload.objectKey, later === bytesDue(due) ? later + 1 : later);
}

const entryKey = ({ repository, by, due, id }: UploadSession) => uploadEntryKey(repository, by, due, id);

const unchanged = ({ upload }: UploadSession) => [
  equals('objectKey', upload.objectKey),
  equals('offset', upload.offset),
];

function attributesOf({ repository, upload, due, by }: UploadSession): Attributes {
  return { repository, ...upload, due, expiresAt: seconds(due), ...(by !== undefined && { by }) };
}

function sessionOf(...given: Parameters<typeof openSession>): UploadSession {
  const session = openSession(...given);
  if (!session) throw uploadUnknown();
  return session;
}

function openSession(
  { now, actor }: Registry,
  repository: RepositoryName,
  id: string,
  found: Attributes | undefined,
): UploadSession | undefined {
  const due = found?.['due'] as number | undefined; // a finished session has none
  if (found?.['repository'] !== repository || due === undefined || due <= now()) return undefined;
  const by = found['by'] as string | undefined;
  if (actor !== undefined && by !== actor) return undefined;
  const upload: Upload = {
    objectKey: found['objectKey'] as ObjectKey,
    offset: found['offset'] as number,
    state: found['state'] as Attributes,
  };
  return { id, repository, upload, due, ...(by !== undefined && { by }) };
}

const seconds = (milliseconds: number) => Math.floor(milliseconds / 1000);
