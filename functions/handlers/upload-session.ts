import { uploadUnknown } from '../oci/errors.ts';
import type { UploadSession } from '../registry/upload-sessions.ts';
import type { Call } from './call.ts';

/** As sessions are named; nothing else is asked for in the table. */
const SESSION_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function idOf({ params }: Call): string {
  const id = params['session'] ?? '';
  if (!SESSION_ID.test(id)) throw uploadUnknown(params['name'] ?? '');
  return id;
}

/** Always relative: the only form that every client follows on the registry's own host. */
export async function sessionHeaders(
  { uploads, caller: { principal } }: Call,
  { id, repository, upload, direct }: UploadSession,
): Promise<Record<string, string>> {
  const { objectKey, sealed } = upload;
  // Nobody but the registry writes at the key of a sealed upload.
  const token =
    sealed === undefined
      ? await uploads?.issue({ repository, session: id, objectKey, principal, direct })
      : undefined;
  const place = `/v2/${repository}/blobs/uploads/${id}?offset=${upload.offset}`;
  return {
    Location: `${place}${token ? `&token=${token}` : ''}`,
    'Docker-Upload-UUID': id,
    // Docker computes layer sizes from this. Nothing received reads 0-0, as in the CNCF registry.
    Range: `0-${Math.max(upload.offset - 1, 0)}`,
  };
}
