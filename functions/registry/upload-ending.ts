import type { Digest } from '../oci/digest.ts';
import { isDenied, uploadLost, uploadUnknown } from '../oci/errors.ts';
import type { Condition } from '../storage/table.ts';
import { stepBack } from './hold-ending.ts';
import { uploadKey } from './keys.ts';
import { countsBytes } from './meters.ts';
import { rescue } from './outbox.ts';
import { LOST, untilWon } from './races.ts';
import type { Registry } from './registry.ts';
import { linkUpload, receivedBy } from './upload-linking.ts';
import {
  bytesDue,
  discardLater,
  entryKey,
  type RuledSession,
  requireUpload,
  type UploadSession,
  unchanged,
} from './upload-sessions.ts';

/** BLOB_UPLOAD_UNKNOWN where bytes that the session has received are lost, for instance with the power; it is over then. */
export async function requireBytes(registry: Registry, session: RuledSession): Promise<void> {
  if (!(await registry.blobs.holds(session.upload))) await giveUp(registry, session, {});
}

/** Ends a session whose bytes are lost, so that its client starts anew, and fails with why. Returns where another request
 *  has moved it meanwhile: then it is that one's. */
export async function giveUp(
  registry: Registry,
  session: RuledSession,
  { cause }: { readonly cause?: unknown },
): Promise<void> {
  // Where this fails, too, the next request finds the bytes missing.
  const isOver = await endUpload(registry, session, unchanged(session)).catch(() => true);
  if (isOver) throw cause ?? uploadLost();
}

/** What a client has sent to the store itself has its `201` already: before its upload is over it becomes the blob that it
 *  is. Answers its digest where it did. */
export async function keepReceived(registry: Registry, session: UploadSession): Promise<Digest | undefined> {
  const received = registry.direct ? await receivedBy(registry, session) : undefined;
  if (!received) return undefined;
  try {
    return (await linkUpload(registry, session, received, received.digest)) ? received.digest : undefined;
  } catch (error) {
    if (isDenied(error)) return undefined; // no blob at all, then
    throw error;
  }
}

/** Ends a session (end-14) and frees its bytes at once, and what a client may still send the store a day later;
 *  BLOB_UPLOAD_UNKNOWN where it ended in the meantime, or its bytes are a blob already. */
export async function cancelUpload(registry: Registry, session: RuledSession): Promise<void> {
  if (await keepReceived(registry, session)) throw uploadUnknown(session.repository);
  let current = session;
  await untilWon(registry, async () => {
    if (await endUpload(registry, current, unchanged(current))) return true;
    // It is over, or has moved meanwhile: what came then is to be freed, too.
    current = await requireUpload(registry, session.repository, session.id);
    return LOST;
  });
}

/** Ends a session where `when` holds for it; answers whether it did. */
export async function endUpload(
  registry: Registry,
  session: RuledSession,
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
  if (committed && (session.held || countsBytes(session.rules)))
    await stepBack(registry, session, { ends: 'cancelled' });
  return committed;
}
