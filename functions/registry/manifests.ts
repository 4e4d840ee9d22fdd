import type { Digest } from '../oci/digest.ts';
import { isBytesLost, manifestUnknown } from '../oci/errors.ts';
import type { Reference, RepositoryName, Tag } from '../oci/reference.ts';
import type { Body, ObjectKey } from '../storage/blob-store.ts';
import type { Attributes } from '../storage/table.ts';
import { manifestKey, tagKey } from './keys.ts';
import { readObject } from './reading.ts';
import type { Registry } from './registry.ts';
import { isUnsound } from './soundness.ts';
import { touchOne } from './touch.ts';

/** A manifest as it is served: exactly the bytes that were pushed. */
export interface StoredManifest {
  readonly repository: RepositoryName;
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
    return found && storedManifestOf(repository, reference.digest, found);
  }
  const found = await table.get(tagKey(repository, reference.tag));
  return found && storedManifestOf(repository, found['digest'] as Digest, found);
}

/** As `findManifest`; MANIFEST_UNKNOWN where there is none. */
export async function requireManifest(
  registry: Registry,
  repository: RepositoryName,
  reference: Reference,
): Promise<StoredManifest> {
  const found = await findManifest(registry, repository, reference);
  if (!found) throw manifestUnknown(repository, reference.kind === 'tag' ? reference.tag : reference.digest);
  return found;
}

/** As `requireManifest`, for a caller who may push: being told that the manifest of a digest exists, it has one whole epoch
 *  to send the index that lists it. Of one whose bytes are known to be lost or damaged it is told that there is none. */
export async function requireManifestForPush(
  registry: Registry,
  repository: RepositoryName,
  digest: Digest,
): Promise<StoredManifest> {
  const [found] = await touchOne(registry, repository, manifestKey(repository, digest));
  return requireSound(registry, repository, digest, found);
}

/** As `requireManifestForPush`, of a tag: its manifest is asked for only where it has an object. */
export async function requireTaggedForPush(
  registry: Registry,
  repository: RepositoryName,
  tag: Tag,
): Promise<StoredManifest> {
  const tagged = await requireManifest(registry, repository, { kind: 'tag', tag });
  if (typeof tagged.content !== 'string') return tagged;
  const found = await registry.table.get(manifestKey(repository, tagged.digest));
  return requireSound(registry, repository, tagged.digest, found);
}

async function requireSound(
  registry: Registry,
  repository: RepositoryName,
  digest: Digest,
  found: Attributes | undefined,
): Promise<StoredManifest> {
  const isObject = found?.['objectKey'] !== undefined;
  if (!found || (isObject && (await isUnsound(registry, digest, found, 'glance'))))
    throw manifestUnknown(repository, digest);
  return storedManifestOf(repository, digest, found);
}

/** The manifest that an item, its own or that of a tag, is of. */
export function storedManifestOf(
  repository: RepositoryName,
  digest: Digest,
  found: Attributes,
): StoredManifest {
  return {
    repository,
    digest,
    mediaType: found['mediaType'] as string,
    size: found['size'] as number,
    content: (found['bytes'] as Uint8Array | undefined) ?? (found['objectKey'] as ObjectKey),
  };
}

/** The manifest's bytes; MANIFEST_UNKNOWN where it was deleted since it was looked up, UNKNOWN where they are lost or
 *  damaged. */
export async function readManifest(
  registry: Registry,
  { repository, content, digest, size }: StoredManifest,
): Promise<Uint8Array | Body> {
  if (typeof content !== 'string') return content;
  const held = { is: 'manifest', repository, digest, item: manifestKey(repository, digest) } as const;
  const body = await readObject(registry, held, { objectKey: content, size });
  if (!body) throw manifestUnknown(repository, digest);
  return body;
}

/** As `readManifest`, for a caller who may push: where the bytes are lost or damaged, too, it is told that there are none. */
export async function readManifestForPush(...args: Parameters<typeof readManifest>) {
  try {
    return await readManifest(...args);
  } catch (error) {
    throw isBytesLost(error) ? manifestUnknown(args[1].repository, args[1].digest) : error;
  }
}
