import { UPLOAD_EXPIRY_SECONDS } from '../limits.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { ObjectKey, Upload } from '../storage/blob-store.ts';
import { openHold } from './holds.ts';
import { uploadKey } from './keys.ts';
import { OpenUploads } from './open-uploads.ts';
import { discard } from './outbox.ts';
import { charge, rulesFor } from './quotas.ts';
import { LOST } from './races.ts';
import type { Registry } from './registry.ts';
import { attributesOf, bytesDue, entryKey, type RuledSession, seconds } from './upload-sessions.ts';

/** A session that is not open yet, for an upload that `start` makes at a fresh key, which the session's id is part of.
 *  TOOMANYREQUESTS where the caller has too many open. */
export async function prepareSession(
  registry: Registry,
  repository: RepositoryName,
  start: (objectKey: ObjectKey) => Promise<Upload>,
): Promise<RuledSession> {
  const [{ rules }] = await Promise.all([
    rulesFor(registry, repository),
    (registry.openUploads ?? new OpenUploads()).require(registry),
  ]);
  const id = registry.newId();
  const due = registry.now() + UPLOAD_EXPIRY_SECONDS * 1000;
  const upload = await start(`blobs/${id}` as ObjectKey);
  const by = registry.actor;
  return { id, repository, upload, due, rules, ...(by !== undefined && { by }) };
}

/** Opens it, with its bytes held: what may come past the registry, or `bytes` of what is announced. DENIED where a quota has no
 *  room for them. */
export async function openSession(
  registry: Registry,
  prepared: RuledSession,
  bytes = 0,
): Promise<RuledSession | typeof LOST> {
  const { repository: name, rules, due, upload } = prepared;
  const direct = prepared.direct?.most ?? 0;
  const isHeld = bytes > 0 || prepared.direct !== undefined;
  const session = { ...prepared, ...(isHeld && { held: true }) };
  const hold = bytes + direct > 0 ? [openHold(registry, session, { bytes, direct })] : [];
  const { committed } = await registry.table.write([
    { put: uploadKey(session.id), attributes: attributesOf(session) },
    { put: entryKey(session), attributes: { expiresAt: seconds(due) } },
    discard(upload.objectKey, bytesDue(due)),
    ...hold,
    ...(await charge(registry, { name, rules }, { bytes: bytes + direct })),
  ]);
  return committed ? session : LOST;
}
