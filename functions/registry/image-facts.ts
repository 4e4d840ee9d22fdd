import { MAX_INLINE_MANIFEST_BYTES } from '../limits.ts';
import type { Digest } from '../oci/digest.ts';
import type { Manifest } from '../oci/manifest.ts';
import { isIndexType } from '../oci/media-types.ts';
import { isImageConfig, type Outline, outlineOf } from '../oci/outline.ts';
import type { Attributes } from '../storage/table.ts';
import { inTurns, type Steps } from './in-turns.ts';
import type { Registry } from './registry.ts';

// What lists tell of an image and its manifest does not say in one place. It is written with the manifest and with each tag that
// is put on it; of what was pushed before that was done, it is read from the manifest, as far as that lies in the item.

export interface ImageFacts {
  /** Of the config and the layers of an image; of an index, of all its images, each blob once as far as their manifests lie in
   *  the table. */
  readonly imageBytes?: number;
  /** What an index has images for, the first 64 of them. */
  readonly platforms?: readonly string[];
  /** Of what is no image and no index. */
  readonly artifactType?: string;
}

export type ManifestKind = 'image' | 'index' | 'artifact';

/** Ours: 64 of 100 characters take some kilobytes in each tag's item. */
const MAX_PLATFORMS = 64;

/** Ours: an index of more images has no size, and of a larger one no platforms are written: lists are not worth more. */
const MAX_CHILDREN = 100;
const MAX_OUTLINED_BYTES = 256 * 1024;

export function kindOfManifest(mediaType: string, { artifactType }: ImageFacts): ManifestKind {
  if (isIndexType(mediaType)) return 'index';
  return artifactType === undefined ? 'image' : 'artifact';
}

/** What is to be written with a manifest; `children` are the items of what an index lists. */
export async function factsToWrite(
  registry: Registry,
  bytes: Uint8Array,
  { mediaType, references, artifactType }: Manifest,
  children: ReadonlyMap<Digest, Attributes>,
): Promise<ImageFacts> {
  const isIndex = isIndexType(mediaType);
  const size = isIndex
    ? await bytesOfImages(
        registry,
        references.map(({ digest }) => children.get(digest)),
      )
    : sumOf(references.map(({ size }) => size));
  const platforms = isIndex && bytes.length <= MAX_OUTLINED_BYTES ? platformsOf(outlineOf(bytes)) : [];
  const isArtifact = !isIndex && artifactType !== undefined && !isImageConfig({ mediaType: artifactType });
  return {
    ...(size !== undefined && { imageBytes: size }),
    ...(platforms.length > 0 && { platforms }),
    ...(isArtifact && { artifactType }),
  };
}

/** What an item, of a manifest or a tag, tells. */
export function factsOf(found: Attributes): ImageFacts {
  const { imageBytes, platforms, artifactType, bytes, mediaType } = found;
  const isWritten = imageBytes !== undefined || platforms !== undefined;
  if (isWritten || bytes === undefined) return written({ imageBytes, platforms, artifactType } as ImageFacts);
  const outline = outlineOf(bytes as Uint8Array);
  const listed = platformsOf(outline);
  const { config } = outline;
  const isArtifact = !isIndexType(mediaType as string) && config !== undefined && !isImageConfig(config);
  return {
    ...(outline.blobs.size > 0 && { imageBytes: sumOf([...outline.blobs.values()]) }),
    ...(listed.length > 0 && { platforms: listed }),
    ...(isArtifact && { artifactType: outline.artifactType ?? config.mediaType }),
  };
}

const written = (facts: ImageFacts): ImageFacts =>
  Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));

const platformsOf = ({ images }: Outline): readonly string[] =>
  [...new Set(images.flatMap(({ platform }) => platform ?? []))].slice(0, MAX_PLATFORMS);

/** Sizes of layers that are not stored here are whatever the manifest says. */
const sumOf = (sizes: readonly number[]) =>
  Math.min(
    sizes.reduce((all, size) => all + size, 0),
    Number.MAX_SAFE_INTEGER,
  );

/** Of all that an index lists, by their items; `undefined` where one of them cannot be told. */
export async function bytesOfImages(
  registry: Registry,
  children: readonly (Attributes | undefined)[],
): Promise<number | undefined> {
  if (children.length === 0 || children.length > MAX_CHILDREN) return undefined;
  return inTurns(registry, unionOf(children));
}

function* unionOf(children: readonly (Attributes | undefined)[]): Steps<number | undefined> {
  const blobs = new Map<Digest, number>();
  let others = 0;
  for (const child of children) {
    const inline = blobsIn(child);
    const size = inline ? 0 : (child?.['imageBytes'] as number | undefined);
    if (size === undefined) return undefined;
    others += size;
    for (const [digest, size] of inline ?? []) blobs.set(digest, size);
    yield;
  }
  return sumOf([...blobs.values(), others]);
}

/** Of an image whose manifest lies in its item. */
function blobsIn(child: Attributes | undefined): ReadonlyMap<Digest, number> | undefined {
  const inline = child?.['bytes'] as Uint8Array | undefined;
  if (!inline || inline.length > MAX_INLINE_MANIFEST_BYTES) return undefined;
  const { images, blobs } = outlineOf(inline);
  return images.length === 0 ? blobs : undefined;
}
