import {
  MAX_DIRECT_BYTES,
  MAX_INLINE_BYTES,
  UPLOAD_EXPIRY_SECONDS,
  UPLOAD_TOKEN_SECONDS,
} from '../limits.ts';
import { type Algorithm, CANONICAL } from '../oci/digest.ts';
import { isDenied } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { Body, ObjectKey, Upload } from '../storage/blob-store.ts';
import { isWritten, openHold, withHold } from './holds.ts';
import { withRoom } from './idle-uploads.ts';
import { uploadKey } from './keys.ts';
import { countsBytes } from './meters.ts';
import { OpenUploads } from './open-uploads.ts';
import { discard } from './outbox.ts';
import { charge, requireRoom, rulesFor } from './quotas.ts';
import { LOST, untilWon } from './races.ts';
import type { Registry } from './registry.ts';
import { endUpload, giveUp } from './upload-ending.ts';
import {
  attributesOf,
  bytesDue,
  type DirectRoom,
  entryKey,
  isUnchanged,
  NO_ROOM,
  type RuledSession,
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
 *  TOOMANYREQUESTS where the caller has too many open. Where a quota has no room, what comes is refused: nothing need, of a
 *  blob that is there. */
export async function startUpload(
  registry: Registry,
  repository: RepositoryName,
  algorithm: Algorithm = CANONICAL,
): Promise<RuledSession> {
  const [ruled] = await Promise.all([
    rulesFor(registry, repository),
    (registry.openUploads ?? new OpenUploads()).require(registry),
  ]);
  const { rules } = ruled;
  const id = registry.newId();
  const due = registry.now() + UPLOAD_EXPIRY_SECONDS * 1000;
  const upload = await registry.blobs.start(`blobs/${id}` as ObjectKey, algorithm);
  const by = registry.actor;
  const opened = { id, repository, upload, due, rules, ...(by !== undefined && { by }) };
  const open = async (direct: DirectRoom | undefined) => {
    const session = { ...opened, ...(direct && { direct, held: true }) };
    const most = direct?.most ?? 0;
    const hold = most > 0 ? [openHold(registry, session, { direct: most })] : [];
    const { committed } = await registry.table.write([
      { put: uploadKey(id), attributes: attributesOf(session) },
      { put: entryKey(session), attributes: { expiresAt: seconds(due) } },
      discard(upload.objectKey, bytesDue(due)),
      ...hold,
      ...(await charge(registry, ruled, { bytes: most })),
    ]);
    return committed ? session : LOST;
  };
  const openWithRoom = async () => open(await directRoom(registry, opened));
  try {
    return await withRoom(registry, { repository, rules }, () => untilWon(registry, openWithRoom));
  } catch (error) {
    if (!isDenied(error)) throw error;
    return await untilWon(registry, () => open(NO_ROOM));
  }
}

/** Ours: of what a quota has left, one upload may take this part past the registry. Nobody says how large it will be. */
const DIRECT_SHARE = 4;

/** What a client may send to the store itself, where quotas count it; `undefined` where none does. */
async function directRoom(
  registry: Registry,
  { repository: name, rules }: Pick<RuledSession, 'repository' | 'rules'>,
): Promise<DirectRoom | undefined> {
  const room = await requireRoom(registry, { name, rules });
  if (!countsBytes(rules)) return undefined;
  const most = Math.min(Math.floor(room / DIRECT_SHARE), MAX_DIRECT_BYTES);
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
