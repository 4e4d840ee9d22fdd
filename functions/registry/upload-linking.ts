import { createHash } from 'node:crypto';
import { FINISHED_UPLOAD_SECONDS, MIN_EPOCH_SECONDS } from '../limits.ts';
import { algorithmOf, type Digest, finishDigest } from '../oci/digest.ts';
import { uploadLost } from '../oci/errors.ts';
import type { Body, CloseOutcome, ObjectKey, ReceivedObject, StoredObject } from '../storage/blob-store.ts';
import type { Operation } from '../storage/table.ts';
import { stepBack } from './hold-ending.ts';
import { passHold } from './hold-passing.ts';
import { blobKey, digestKey, uploadKey } from './keys.ts';
import { findPlace, linkOperations, linkStored } from './links.ts';
import { rescue } from './outbox.ts';
import { inTurn, LOST } from './races.ts';
import type { Registry } from './registry.ts';
import { leaveBehind } from './replacement.ts';
import { isUnsound } from './soundness.ts';
import { touchOne } from './touch.ts';
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
  const linked = await inTurn(registry, [digest], (turn) => tryLink(turn, session, object, digest));
  if (!linked) return false;
  const { isSpare, isHeld, replaces } = linked;
  if (isHeld) await freeSpare(registry, session, isSpare ? object : undefined);
  // It is stored whatever becomes of this: the outbox sees to it, too.
  if (replaces) await leaveBehind(registry, { objectKey: replaces, digest }).catch(() => undefined);
  return true;
}

/** What is left to do once an upload is linked. */
interface Linked {
  /** Whether the digest has another object. */
  readonly isSpare: boolean;
  /** Whether a hold of the upload is to be ended. */
  readonly isHeld: boolean;
  readonly replaces: ObjectKey | undefined;
}

async function tryLink(
  registry: Registry,
  session: UploadSession,
  object: StoredObject,
  digest: Digest,
): Promise<Linked | false | typeof LOST> {
  const passing = await passHold(registry, session, object);
  const linking = await linkOperations(registry, session.repository, digest, object, passing);
  const { operations, keeps, replaces } = linking;
  const outcome = await registry.table.write([
    ...closeOperations(registry, session, digest, object),
    ...(keeps ? [] : [discardLater(registry, session, object, digest)]),
    ...operations,
    ...(passing ? [passing.operation(linking)] : []),
  ]);
  if (!outcome.committed) return outcome.failed.includes(SESSION_OPERATION) ? false : LOST;
  return { isSpare: !keeps, isHeld: passing?.lasts(keeps) ?? false, replaces };
}

const SESSION_OPERATION = 0;

/** Closes an upload whose blob the repository has: its body is read and hashed, and not stored. Where somebody deletes the blob
 *  meanwhile, that is as if they had done so just after. `undefined` where it cannot be, and the body was not touched: the upload
 *  has other bytes, or the blob is not there, or lost, or damaged. */
export async function linkKnown(
  registry: Registry,
  session: UploadSession,
  body: Body,
  digest: Digest,
): Promise<CloseOutcome | undefined> {
  const { repository, upload } = session;
  if (upload.offset > 0 || upload.sealed !== undefined) return undefined;
  const heldSince = registry.now();
  const [linked, stored] = await touchOne(registry, repository, blobKey(repository, digest), [
    digestKey(digest),
  ]);
  if (!linked || !stored || (await isUnsound(registry, digest, stored, 'facts'))) return undefined;
  const algorithm = algorithmOf(digest);
  const hash = createHash(algorithm);
  for await (const chunk of body) hash.update(chunk);
  if (finishDigest(algorithm, hash) !== digest) return { is: 'mismatch' };
  const closed = await inTurn(registry, [digest], async (registry) => {
    const now = await findPlace(registry, repository, digest);
    const isKept = now.linked && now.stored;
    // No sweep has taken it that soon: it was deleted on purpose.
    if (!isKept && registry.now() - heldSince >= MIN_EPOCH_SECONDS * 1000) throw uploadLost();
    const outcome = await registry.table.write([
      ...closeOperations(registry, session, digest),
      ...(isKept ? await linkStored(registry, now, now.stored) : []),
    ]);
    return outcome.committed || (outcome.failed.includes(SESSION_OPERATION) ? false : LOST);
  });
  // What requests that were cut have left, and what may come past the registry.
  if (closed && session.held) await stepBack(registry, session, { ends: 'cancelled' }).catch(() => undefined);
  return { is: closed ? 'closed' : 'lost' };
}

/** An object that the digest has no need of goes at once where quotas count it; the outbox sees to it, too. */
async function freeSpare(
  registry: Registry,
  session: UploadSession,
  object: StoredObject | undefined,
): Promise<void> {
  try {
    if (object) await registry.blobs.delete([object.objectKey]);
    if (!session.writes) await stepBack(registry, session, {});
  } catch {
    // Held until the hold expires.
  }
}

/** Only the object that is linked leaves the outbox: at the session's other keys somebody may still write. */
function closeOperations(
  registry: Registry,
  session: UploadSession,
  digest: Digest,
  object?: StoredObject,
): Operation[] {
  const { id, repository, due } = session;
  const expiresAt = seconds(registry.now()) + FINISHED_UPLOAD_SECONDS;
  return [
    { put: uploadKey(id), attributes: { repository, finished: digest, expiresAt }, when: unchanged(session) },
    { remove: entryKey(session) },
    ...(object ? [rescue(object.objectKey, bytesDue(due))] : []),
  ];
}

/** Nothing where chunks have come through the registry: the first one is an object, too. */
export async function receivedBy(
  { blobs }: Registry,
  { upload }: UploadSession,
): Promise<ReceivedObject | undefined> {
  return upload.offset > 0 ? undefined : blobs.received(upload.objectKey);
}
