import { MAX_DIRECT_BYTES, MAX_INLINE_BYTES, UPLOAD_TOKEN_SECONDS } from '../limits.ts';
import { type Algorithm, CANONICAL } from '../oci/digest.ts';
import { isDenied } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { Body, Upload } from '../storage/blob-store.ts';
import { isWritten, withHold } from './holds.ts';
import { withRoom } from './idle-uploads.ts';
import { uploadKey } from './keys.ts';
import { countsBytes } from './meters.ts';
import { requireRoom } from './quotas.ts';
import { untilWon } from './races.ts';
import type { Registry } from './registry.ts';
import { endUpload, giveUp } from './upload-ending.ts';
import { openSession, prepareSession } from './upload-opening.ts';
import {
  type DirectRoom,
  isUnchanged,
  NO_ROOM,
  type RuledSession,
  requireUpload,
  type UploadSession,
  unchanged,
} from './upload-sessions.ts';

/** `outOfOrder`: the chunk does not start where the session stands, or another request is writing to it. */
export type ChunkOutcome = { readonly is: 'accepted' | 'outOfOrder'; readonly session: UploadSession };

/** Where the caller says its chunk begins; `undefined` for "wherever the session stands". */
export type Start = number | undefined;

/** Opens a session with a fresh object key, which its id is part of (end-4a); nothing else of the repository is made yet.
 *  TOOMANYREQUESTS where the caller has too many open. Where a quota has no room, what comes is refused: nothing need, of a
 *  blob that is there. `size`: the bytes that the client will send, where it says so. */
export async function startUpload(
  registry: Registry,
  repository: RepositoryName,
  algorithm: Algorithm = CANONICAL,
  size?: number,
): Promise<RuledSession> {
  const opening = await prepareSession(registry, repository, (objectKey) =>
    registry.blobs.start(objectKey, algorithm),
  );
  const open = (direct: DirectRoom | undefined) =>
    openSession(registry, { ...opening, ...(direct && { direct }) });
  const openWithRoom = async () => open(await directRoom(registry, opening, size));
  try {
    return await withRoom(registry, opening, () => untilWon(registry, openWithRoom));
  } catch (error) {
    if (!isDenied(error)) throw error;
    return await untilWon(registry, () => open(NO_ROOM));
  }
}

/** Ours: of what a quota has left, one upload may take this part past the registry where nobody says how large it will be. */
const DIRECT_SHARE = 4;

/** What a client may send to the store itself, where quotas count it; `undefined` where none does. */
async function directRoom(
  registry: Registry,
  { repository: name, rules }: Pick<RuledSession, 'repository' | 'rules'>,
  size: number | undefined,
): Promise<DirectRoom | undefined> {
  const room = await requireRoom(registry, { name, rules });
  if (!countsBytes(rules)) return undefined;
  const share = size === undefined || size > room ? Math.floor(room / DIRECT_SHARE) : size;
  const most = Math.min(share, MAX_DIRECT_BYTES);
  // Smaller bodies come through the registry in any case.
  if (!registry.direct || most <= MAX_INLINE_BYTES) return NO_ROOM;
  return { most, until: registry.now() + UPLOAD_TOKEN_SECONDS * 1000 };
}

/** Appends a chunk whole or not at all (end-5). Two clients may append to one session at once: only the one
 *  that finds the offset it read wins, the other learns so from `outOfOrder`. `length` is what the client says that the body
 *  has, 0 where it does not. After DENIED the session is gone. */
export async function appendChunk(
  registry: Registry,
  session: RuledSession,
  body: Body,
  start: Start,
  length = 0,
): Promise<ChunkOutcome> {
  const { upload } = session;
  const isInOrder = upload.sealed === undefined && (start === undefined || start === upload.offset);
  if (!isInOrder) return { is: 'outOfOrder', session };
  const commit = async ({ offset, state }: Upload) => {
    const operation = { update: uploadKey(session.id), set: { offset, state }, when: unchanged(session) };
    return (await registry.table.write([operation])).committed;
  };
  const isCurrent = () => isUnchanged(registry, session);
  try {
    const outcome = await withHold(registry, session, { body, length }, (_, held, onLeft) =>
      registry.blobs.append(upload, held, { commit, isCurrent, ...(onLeft && { onLeft }) }),
    );
    if (outcome.is === 'appended') return { is: 'accepted', session: { ...session, upload: outcome.upload } };
    if (outcome.is === 'gone') await giveUp(registry, session, outcome);
  } catch (error) {
    if (!isDenied(error)) throw error;
    // Sent twice, and the first is under way: what has no room is the second, and the upload goes on.
    if (!(await isWritten(registry, session))) {
      await endUpload(registry, session, unchanged(session)); // its bytes would lie there for a week
      throw error;
    }
  }
  return { is: 'outOfOrder', session: await requireUpload(registry, session.repository, session.id) };
}
