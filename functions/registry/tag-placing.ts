import type { Digest } from '../oci/digest.ts';
import { manifestUnknown } from '../oci/errors.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { manifestKey, tagKey } from './keys.ts';
import { putManifest } from './manifest-push.ts';
import { readManifest, storedManifestOf } from './manifests.ts';
import type { Registry } from './registry.ts';

/** Puts a tag on a manifest of the repository, as a push of it would; answers what it was on. MANIFEST_UNKNOWN where there is no
 *  such manifest; a conflict where the tag is not on `ifDigest`; DENIED where a policy holds it. */
export async function placeTag(
  registry: Registry,
  name: RepositoryName,
  tag: Tag,
  { digest, ifDigest }: { readonly digest: Digest; readonly ifDigest?: Digest | undefined },
): Promise<Digest | undefined> {
  const [found, before] = await registry.table.getMany([manifestKey(name, digest), tagKey(name, tag)]);
  if (!found) throw manifestUnknown(name, digest);
  const stored = storedManifestOf(name, digest, found);
  const bytes = await new Response(await readManifest(registry, stored)).bytes();
  const push = { repository: name, bytes, contentType: stored.mediaType, digest, tags: [tag] };
  await putManifest(registry, { ...push, ifOn: ifDigest });
  return before?.['digest'] as Digest | undefined;
}
