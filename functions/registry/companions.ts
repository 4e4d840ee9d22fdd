import { type Digest, parseDigest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';

// Tags that belong to a manifest by their name: cosign's signatures, attestations and SBOMs, and the list of referrers of
// clients without a referrers API.

const SUFFIXES = ['', '.sig', '.att', '.sbom'];

/** Of a tag. */
const MAX_LENGTH = 128;

/** The tags that belong to the manifest, whether they are there or not; none where its digest is too long for a tag. */
export function companionTagsOf(digest: Digest): readonly Tag[] {
  const stem = digest.replace(':', '-');
  return SUFFIXES.map((suffix) => `${stem}${suffix}`).filter((tag) => tag.length <= MAX_LENGTH) as Tag[];
}

/** The manifest that a tag on `digest` belongs to by its name, be it there or not; a tag that names the manifest it is on is as any other. */
export function ownerByName(tag: Tag, digest: Digest): Digest | undefined {
  const [, algorithm, hex] = /^(sha256|sha512)-([0-9a-f]+)(?:\.(?:sig|att|sbom))?$/.exec(tag) ?? [];
  const owner = algorithm === undefined ? undefined : parseDigest(`${algorithm}:${hex}`);
  return owner === digest ? undefined : owner;
}
