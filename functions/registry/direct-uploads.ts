import type { RepositoryName } from '../oci/reference.ts';
import { uploadKey } from './keys.ts';
import type { Registry } from './registry.ts';
import { linkUpload, requireUpload } from './uploads.ts';

/** Finishes the upload whose object a client has written to the store itself: its bytes are checked, only the link
 *  is missing. Answers whether it did. May be told of an object late, twice, or of one that is none of its business:
 *  an upload that is finished, cancelled, expired, or written by the registry stays as it is. */
export async function commitDirectUpload(registry: Registry, id: string): Promise<boolean> {
  const found = await registry.table.get(uploadKey(id));
  if (found?.['due'] === undefined || (found['due'] as number) <= registry.now()) return false;
  const session = await requireUpload(registry, found['repository'] as RepositoryName, id);
  const received = await registry.blobs.received(session.upload.objectKey);
  if (!received || session.upload.offset > 0) return false;
  return linkUpload(registry, session, received, received.digest);
}
