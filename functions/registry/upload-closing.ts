import type { Digest } from '../oci/digest.ts';
import { digestMismatch, isDenied, RegistryError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { Body, CloseOptions, CloseOutcome, Upload } from '../storage/blob-store.ts';
import type { Attributes } from '../storage/table.ts';
import { requireBlobForPush } from './blobs.ts';
import { keepHold, withHold } from './holds.ts';
import { uploadKey } from './keys.ts';
import { countsBytes } from './meters.ts';
import { discard } from './outbox.ts';
import type { Registry } from './registry.ts';
import { endUpload, giveUp, keepReceived } from './upload-ending.ts';
import { linkKnown, linkUpload } from './upload-linking.ts';
import {
  bytesDue,
  isUnchanged,
  type RuledSession,
  readSession,
  sessionOf,
  type UploadSession,
  unchanged,
} from './upload-sessions.ts';
import type { Start } from './uploads.ts';

export type FinishOutcome =
  | { readonly is: 'stored' }
  | { readonly is: 'outOfOrder' | 'unfinished'; readonly session: UploadSession };

export interface FinishRequest {
  readonly repository: RepositoryName;
  readonly id: string;
  readonly body: Body;
  /** What the client says that the body has. @default it does not say */
  readonly length?: number;
  readonly start: Start;
  readonly digest: Digest;
}

/** Appends the last chunk, which may be empty, checks the digest of the whole and links the blob (end-6). A client that
 *  lost the answer may repeat this for an hour; `unfinished` asks it to. After DIGEST_INVALID, or DENIED by a quota, the session is gone. */
export async function finishUpload(
  registry: Registry,
  { repository, id, body, length = 0, start, digest }: FinishRequest,
): Promise<FinishOutcome> {
  const { found, rules } = await readSession(registry, repository, id);
  if (await isFinished(registry, found, repository, digest)) return { is: 'stored' };
  const session = sessionOf(registry, repository, id, found, rules);
  const { sealed, offset } = session.upload;
  const isInOrder = sealed === undefined ? start === undefined || start === offset : sealed === digest;
  if (!isInOrder) return { is: 'outOfOrder', session };
  const outcome = await closeUpload(registry, session, { body, length }, digest);
  if (outcome.is === 'closed') return { is: 'stored' };
  if (outcome.is === 'unfinished') return { is: 'unfinished', session };
  const now = await registry.table.get(uploadKey(id));
  if (await isFinished(registry, now, repository, digest)) return { is: 'stored' };
  return { is: 'outOfOrder', session: sessionOf(registry, repository, id, now, rules) };
}

/** Whether a request like this one has been answered with success before, and its blob is still there: then it has one
 *  more epoch, as with any push. */
async function isFinished(
  registry: Registry,
  found: Attributes | undefined,
  repository: RepositoryName,
  digest: Digest,
): Promise<boolean> {
  if (found?.['repository'] !== repository || found['finished'] !== digest) return false;
  try {
    await requireBlobForPush(registry, repository, digest);
    return true;
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'BLOB_UNKNOWN') return false;
    throw error;
  }
}

/** Has the store make an object of the upload, and links it. Ends the session where it cannot become this blob. */
async function closeUpload(
  registry: Registry,
  session: RuledSession,
  sent: { readonly body: Body; readonly length: number },
  digest: Digest,
): Promise<CloseOutcome> {
  let current = session;
  const options: CloseOptions = {
    digest,
    isCurrent: () => isUnchanged(registry, current),
    async seal(upload) {
      if (!(await sealUpload(registry, current, upload))) return false;
      current = { ...current, upload };
      return true;
    },
    link: (object) => linkUpload(registry, current, object, digest),
    advance: (upload) => rememberState(registry, current, upload),
  };
  try {
    const known = countsBytes(session.rules) && (await linkKnown(registry, session, sent.body, digest));
    const outcome =
      known ||
      (await withHold(registry, session, sent, (held, body, onLeft) => {
        current = held;
        return registry.blobs.close(held.upload, body, { ...options, ...(onLeft && { onLeft }) });
      }));
    if (outcome.is === 'gone') await giveUp(registry, current, outcome);
    if (outcome.is !== 'mismatch') return outcome;
  } catch (error) {
    if (isDenied(error)) await endUpload(registry, current, unchanged(current)); // its bytes would lie there for a week
    throw error;
  }
  const kept = await keepReceived(registry, current);
  if (kept === digest) return { is: 'closed' };
  if (!kept) await endUpload(registry, current, unchanged(current));
  throw digestMismatch(digest);
}

/** How much of the object has been read, where one request may not read it all. */
async function rememberState(
  registry: Registry,
  session: UploadSession,
  { state }: Upload,
): Promise<boolean> {
  const { committed } = await registry.table.write([
    { update: uploadKey(session.id), set: { state }, when: unchanged(session) },
  ]);
  if (committed) await keepHold(registry, session);
  return committed;
}

/** The session's bytes will become the object at the upload's new key, and nothing else: no chunk is taken any more. */
async function sealUpload(registry: Registry, session: UploadSession, upload: Upload): Promise<boolean> {
  const { objectKey, offset, state, sealed } = upload;
  const { committed } = await registry.table.write([
    {
      update: uploadKey(session.id),
      set: { objectKey, offset, state, ...(sealed !== undefined && { sealed }) },
      when: unchanged(session),
    },
    discard(objectKey, bytesDue(session.due)),
  ]);
  return committed;
}
