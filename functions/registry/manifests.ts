import type { Digest } from '../oci/digest.ts';
import { manifestUnknown } from '../oci/errors.ts';
import type { Reference, RepositoryName } from '../oci/reference.ts';
import type { Body, ObjectKey } from '../storage/blob-store.ts';
import type { Attributes } from '../storage/table.ts';
import { manifestKey, tagKey } from './keys.ts';
import type { Registry } from './registry.ts';
import { touchOne } from './touch.ts';

/** A manifest as it is served: exactly the bytes that were pushed. */
export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes. */
  readonly size: number;
  readonly content: Uint8Array | ObjectKey;
}

/** What a pull gets, in one read (end-3); `undefined` where there is none. A tag's item carries the manifest,
 *  and both go in one transaction, so a tag that can be read is never without it. */
export async function findManifest(
  { table }: Registry,
  repository: RepositoryName,
  reference: Reference,
): Promise<StoredManifest | undefined> {
  if (reference.kind === 'digest') {
    const found = await table.get(manifestKey(repository, reference.digest));
    return found && storedManifestOf(reference.digest, found);
  }
  const found = await table.get(tagKey(repository, reference.tag));
  return found && storedManifestOf(found['digest'] as Digest, found);
}

/** As `findManifest`; MANIFEST_UNKNOWN where there is none. */
export async function requireManifest(
  registry: Registry,
  repository: RepositoryName,
  reference: Reference,
): Promise<StoredManifest> {
  const found = await findManifest(registry, repository, reference);
  if (!found) throw manifestUnknown(reference.kind === 'tag' ? reference.tag : reference.digest);
  return found;
}

/** As `requireManifest`, for a caller who may push: being told that a manifest exists, it has one whole epoch to send the
 *  index that lists it. */
export async function requireManifestForPush(
  registry: Registry,
  repository: RepositoryName,
  digest: Digest,
): Promise<StoredManifest> {
  const found = await touchOne(registry, repository, manifestKey(repository, digest));
  if (!found) throw manifestUnknown(digest);
  return storedManifestOf(digest, found);
}

function storedManifestOf(digest: Digest, found: Attributes): StoredManifest {
  return {
    digest,
    mediaType: found['mediaType'] as string,
    size: found['size'] as number,
    content: (found['bytes'] as Uint8Array | undefined) ?? (found['objectKey'] as ObjectKey),
  };
}

/** The manifest's bytes; MANIFEST_UNKNOWN where it was deleted since it was looked up. */
export async function readManifest(
  { blobs }: Registry,
  { content, digest, size }: StoredManifest,
): Promise<Uint8Array | Body> {
  if (typeof content !== 'string') return content;
  const body = await blobs.read({ objectKey: content, size });
  if (!body) throw manifestUnknown(digest);
  return body;
}
