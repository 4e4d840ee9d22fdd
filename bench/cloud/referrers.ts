import { type Blob, digestOfBytes, MANIFEST_TYPE, manifestOf } from '../content.ts';
import { withConnection } from '../http/connection.ts';
import { fill, putManifestByDigest } from './requests.ts';
import type { Site } from './sites.ts';

const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
const SIGNATURE_TYPE = 'application/vnd.example.signature.v1';

interface Manifest {
  readonly digest: string;
  readonly bytes: Buffer;
}

/** A manifest, and those that refer to it. */
export interface Subject extends Manifest {
  readonly referrers: readonly Manifest[];
}

/** The tag under which clients keep an index of the referrers where a registry does not: the specification's referrers tag
 *  schema. */
export const fallbackTag = (digest: string) => digest.replace(':', '-');

export function subjectOf(config: Blob, number: number, count: number): Subject {
  const bytes = manifestOf(config, [], `subject ${number}`);
  const subject = { mediaType: MANIFEST_TYPE, digest: digestOfBytes(bytes), size: bytes.length };
  const referrers = Array.from({ length: count }, (_, n) => {
    const image = JSON.parse(manifestOf(config, [], `referrer ${n} of ${number}`).toString()) as object;
    return manifest(Buffer.from(JSON.stringify({ ...image, artifactType: SIGNATURE_TYPE, subject })));
  });
  return { digest: subject.digest, bytes, referrers };
}

/** Pushes all of it, and for a registry without referrers the index that clients would have made. */
export async function pushSubject(site: Site, repository: string, subject: Subject): Promise<void> {
  const { target } = site;
  await fill(site, [subject, ...subject.referrers], (connection, { digest, bytes }) =>
    putManifestByDigest({ target, connection, repository }, digest, bytes),
  );
  if (site.family === 'stowage') return;
  const manifests = subject.referrers.map(({ digest, bytes }) => ({
    mediaType: MANIFEST_TYPE,
    digest,
    size: bytes.length,
    artifactType: SIGNATURE_TYPE,
  }));
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests }));
  await withConnection(target, (connection) =>
    putManifestByDigest({ target, connection, repository }, fallbackTag(subject.digest), index, INDEX_TYPE),
  );
}

const manifest = (bytes: Buffer): Manifest => ({ digest: digestOfBytes(bytes), bytes });
