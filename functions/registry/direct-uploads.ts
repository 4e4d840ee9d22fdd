import { OUTBOX_DELAY_SECONDS, UPLOAD_TOKEN_SECONDS } from '../limits.ts';
import type { Digest } from '../oci/digest.ts';
import { isDenied, RegistryError } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { Blob, requireBlob } from './blobs.ts';
import type { Registry } from './registry.ts';
import { linkUpload, receivedBy } from './upload-linking.ts';
import { findUpload, uploadsSince } from './upload-sessions.ts';

/** Finishes the upload whose object a client has written to the store itself: its bytes are checked, only the link is
 *  missing. Answers whether it did; where a quota has no room, the client's own next request is told so. May be told of
 *  an object late, twice, or of one that is none of its business: an upload that is finished, cancelled, expired, or
 *  written by the registry stays as it is. */
export async function commitDirectUpload(registry: Registry, id: string): Promise<boolean> {
  const session = await findUpload(registry, id);
  if (!session) return false;
  const received = await receivedBy(registry, session);
  if (!received) return false;
  try {
    return await linkUpload(registry, session, received, received.digest);
  } catch (error) {
    if (isDenied(error)) return false;
    throw error;
  }
}

/** As `find`, for a caller who may push: a blob that they have sent to the store a moment ago is there, whether the
 *  store has told of it yet or not. A blob that is linked already costs nothing more. */
export async function requireArrivedBlob(
  registry: Registry,
  repository: RepositoryName,
  digest: Digest,
  find: typeof requireBlob,
): Promise<Blob> {
  try {
    return await find(registry, repository, digest);
  } catch (error) {
    if (!registry.direct || !(error instanceof RegistryError && error.code === 'BLOB_UNKNOWN')) throw error;
  }
  await commitArrived(registry, repository, [digest]);
  // Also where nothing was committed: whoever heard of the object meanwhile has closed its upload and made the link,
  // in this epoch.
  return find(registry, repository, digest);
}

/** Ours: as long as a token lets the store take the bytes, and then as long as that could ever take. */
const ARRIVAL_SECONDS = UPLOAD_TOKEN_SECONDS + OUTBOX_DELAY_SECONDS;

/** How many objects the store is asked for at once. */
const AT_ONCE = 10;

/** Finishes, of the caller's own uploads into the repository, those whose objects have one of the digests. Looks at the
 *  newest hundred only, of about a day; the store tells of the others. */
export async function commitArrived(
  registry: Registry,
  repository: RepositoryName,
  digests: readonly Digest[],
): Promise<void> {
  if (!registry.direct) return;
  const wanted = new Set(digests);
  const uploads = await uploadsSince(registry, repository, registry.now() - ARRIVAL_SECONDS * 1000);
  for (let start = 0; start < uploads.length && wanted.size > 0; start += AT_ONCE) {
    const batch = uploads.slice(start, start + AT_ONCE);
    const received = await Promise.all(batch.map((session) => receivedBy(registry, session)));
    for (const [index, session] of batch.entries()) {
      const object = received[index];
      if (!object || !wanted.delete(object.digest)) continue;
      await linkUpload(registry, session, object, object.digest);
    }
  }
}
