import { FINISHED_UPLOAD_SECONDS } from '../limits.ts';
import type { Digest } from '../oci/digest.ts';
import type { ReceivedObject, StoredObject } from '../storage/blob-store.ts';
import type { Operation } from '../storage/table.ts';
import { uploadKey } from './keys.ts';
import { linkOperations } from './links.ts';
import { rescue } from './outbox.ts';
import { inTurn, LOST } from './races.ts';
import type { Registry } from './registry.ts';
import { leaveBehind } from './replacement.ts';
import {
  bytesDue,
  discardLater,
  entryKey,
  seconds,
  type UploadSession,
  unchanged,
} from './upload-sessions.ts';

/** One transaction closes the session and makes the object a blob of its repository, or another one of the same digest,
 *  and the object is discarded; where that other one is lost or damaged, this one takes its place everywhere. False where
 *  the session has moved. DENIED where a quota has no room; then all is as it was. */
export async function linkUpload(
  registry: Registry,
  session: UploadSession,
  object: StoredObject,
  digest: Digest,
): Promise<boolean> {
  return inTurn(registry, [digest], async (registry) => {
    const { operations, keeps, replaces } = await linkOperations(
      registry,
      session.repository,
      digest,
      object,
    );
    const outcome = await registry.table.write([
      ...closeOperations(registry, session, digest, object),
      ...(keeps ? [] : [discardLater(registry, session, object)]),
      ...operations,
    ]);
    if (!outcome.committed) return outcome.failed.includes(SESSION_OPERATION) ? false : LOST;
    // It is stored whatever becomes of this: the outbox sees to it, too.
    if (replaces) await leaveBehind(registry, { objectKey: replaces, digest }).catch(() => undefined);
    return true;
  });
}

const SESSION_OPERATION = 0;

/** Only the object that is linked leaves the outbox: at the session's other keys somebody may still write. */
function closeOperations(
  registry: Registry,
  session: UploadSession,
  digest: Digest,
  { objectKey }: StoredObject,
): Operation[] {
  const { id, repository, due } = session;
  const expiresAt = seconds(registry.now()) + FINISHED_UPLOAD_SECONDS;
  return [
    { put: uploadKey(id), attributes: { repository, finished: digest, expiresAt }, when: unchanged(session) },
    { remove: entryKey(session) },
    rescue(objectKey, bytesDue(due)),
  ];
}

/** Nothing where chunks have come through the registry: the first one is an object, too. */
export async function receivedBy(
  { blobs }: Registry,
  { upload }: UploadSession,
): Promise<ReceivedObject | undefined> {
  return upload.offset > 0 ? undefined : blobs.received(upload.objectKey);
}
