/** Manifests that name a config and layers.
 *  https://github.com/opencontainers/image-spec/blob/v1.1.1/media-types.md */
const IMAGE_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
] as const;

export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';

/** Manifests that name other manifests. */
const INDEX_TYPES = [OCI_INDEX, 'application/vnd.docker.distribution.manifest.list.v2+json'] as const;

export type ManifestMediaType = (typeof IMAGE_TYPES)[number] | (typeof INDEX_TYPES)[number];

export function isIndexType(mediaType: string): boolean {
  return (INDEX_TYPES as readonly string[]).includes(mediaType);
}

export function isManifestType(mediaType: string): mediaType is ManifestMediaType {
  return isIndexType(mediaType) || (IMAGE_TYPES as readonly string[]).includes(mediaType);
}

/** Layers whose licence forbids a registry to hold them: they need not be present.
 *  https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md#non-distributable-layers */
export function isNonDistributable(mediaType: string): boolean {
  return (
    mediaType.startsWith('application/vnd.oci.image.layer.nondistributable.v1.') ||
    mediaType.startsWith('application/vnd.docker.image.rootfs.foreign.diff.')
  );
}
