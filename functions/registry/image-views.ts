import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import {
  annotationsOf,
  entriesOf,
  type ImageContent,
  type IndexEntry,
  imageContentOf,
  type Layer,
  piecesOf,
} from '../oci/image-view.ts';
import { isIndexType, isManifestType } from '../oci/media-types.ts';
import { isImageConfig } from '../oci/outline.ts';
import type { Reference, RepositoryName, Tag } from '../oci/reference.ts';
import { type Attributes, MAX_OPERATIONS } from '../storage/table.ts';
import { readBlob, requireBlob } from './blobs.ts';
import { factsOf } from './image-facts.ts';
import { digestKey, manifestKey, tagKey } from './keys.ts';
import { type ManifestRow, manifestDetails } from './manifest-rows.ts';
import { readManifest, storedManifestOf } from './manifests.ts';
import type { Registry } from './registry.ts';
import { tagsOn } from './tags-on.ts';

// An image as people look at it. Looking is no pull: nothing is recorded.

interface ImageChild {
  readonly digest: Digest;
  readonly platform?: string;
  readonly kind: 'image' | 'attestation' | 'other';
  readonly of?: string;
  readonly imageBytes: number;
}

export interface ImageView extends Omit<ManifestRow, 'usedBy' | 'lastPulledAt'> {
  readonly tag?: Tag;
  readonly annotations: Readonly<Record<string, string>>;
  /** Of an index. */
  readonly children?: readonly ImageChild[];
  /** Of an image; of an index, of the image that was asked for. */
  readonly image?: ImageContent;
  /** Other tags on it. */
  readonly tags: readonly Tag[];
  readonly more: boolean;
}

interface ViewOptions {
  /** `linux/arm64`: which image of an index to look into. @default none of them */
  readonly platform?: string | undefined;
  /** Whether to tell how many repositories hold a layer. @default false */
  readonly withRepositories?: boolean;
}

const MAX_TAGS = 50;

/** Ours: a larger config is no image's, but somebody's data. */
const MAX_CONFIG_BYTES = 1024 * 1024;

/** Ours: children that an index is shown with. */
const MAX_CHILDREN = 1000;

/** `undefined` where there is no such tag or manifest; `platforms` says what an index has where it lacks the one asked for. */
export async function viewImage(
  registry: Registry,
  name: RepositoryName,
  reference: Reference,
  options: ViewOptions,
): Promise<ImageView | { readonly platforms: readonly string[] } | undefined> {
  const digest = await digestOf(registry, name, reference);
  const found = digest && (await registry.table.get(manifestKey(name, digest)));
  if (!found) return undefined;
  const bytes = await bytesOf(registry, name, digest, found);
  const details = manifestDetails(digest, found);
  const isIndex = isIndexType(details.mediaType);
  const tag = reference.kind === 'tag' ? reference.tag : undefined;
  const [children, { tags, more }] = await Promise.all([
    isIndex ? childrenOf(registry, name, entriesOf(bytes)) : undefined,
    tagsOn(registry, name, digest, MAX_TAGS + 1),
  ]);
  const others = tags.filter((one) => one !== tag);
  const view = {
    ...details,
    ...(tag !== undefined && { tag }),
    annotations: annotationsOf(bytes),
    tags: others.slice(0, MAX_TAGS),
    more: more || others.length > MAX_TAGS,
  };
  if (!children) return { ...view, image: await contentOf(registry, name, bytes, options) };
  const { platform } = options;
  if (platform === undefined) return { ...view, children };
  const chosen = children.find((child) => child.kind === 'image' && isPlatform(child.platform, platform));
  const image = chosen && (await registry.table.get(manifestKey(name, chosen.digest)));
  if (!image) return { platforms: [...new Set(children.flatMap((child) => child.platform ?? []))] };
  const inside = await bytesOf(registry, name, chosen.digest, image);
  return { ...view, children, image: await contentOf(registry, name, inside, options) };
}

/** `linux/arm64` is any variant of it. */
const isPlatform = (has: string | undefined, asked: string) => has === asked || has?.startsWith(`${asked}/`);

async function digestOf({ table }: Registry, name: RepositoryName, reference: Reference) {
  if (reference.kind === 'digest') return reference.digest;
  return (await table.get(tagKey(name, reference.tag)))?.['digest'] as Digest | undefined;
}

async function bytesOf(registry: Registry, name: RepositoryName, digest: Digest, found: Attributes) {
  return new Response(await readManifest(registry, storedManifestOf(name, digest, found))).bytes();
}

async function childrenOf(
  registry: Registry,
  name: RepositoryName,
  listed: readonly IndexEntry[],
): Promise<readonly ImageChild[]> {
  const entries = listed.slice(0, MAX_CHILDREN);
  const found = await itemsOf(
    registry,
    [...new Set(entries.map(({ digest }) => digest as Digest))],
    (digest) => manifestKey(name, digest),
  );
  return entries.map((entry) => {
    const { digest, platform, attests } = entry;
    const facts = factsOf(found.get(digest as Digest) ?? {});
    return {
      digest: digest as Digest,
      ...(platform !== undefined && { platform }),
      kind: childKind(entry),
      ...(attests && { of: attests }),
      imageBytes: facts.imageBytes ?? 0,
    };
  });
}

function childKind({ attests, mediaType }: IndexEntry): ImageChild['kind'] {
  if (attests !== undefined) return 'attestation';
  return isManifestType(mediaType) && !isIndexType(mediaType) ? 'image' : 'other';
}

async function contentOf(
  registry: Registry,
  name: RepositoryName,
  manifest: Uint8Array,
  { withRepositories = false }: ViewOptions,
): Promise<ImageContent> {
  const { config, layers } = piecesOf(manifest);
  const [bytes, counted] = await Promise.all([
    config && configBytes(registry, name, config),
    withRepositories ? withLinks(registry, layers) : layers,
  ]);
  return imageContentOf(counted, bytes);
}

/** What was deleted, lost or damaged has nothing to show; that is for a pull to tell. */
async function configBytes(registry: Registry, name: RepositoryName, config: Layer) {
  if (config.size > MAX_CONFIG_BYTES) return undefined;
  if (!isImageConfig(config)) return new Uint8Array();
  try {
    const blob = await requireBlob(registry, name, config.digest as Digest);
    return await new Response(await readBlob(registry, name, blob)).bytes();
  } catch (error) {
    if (error instanceof RegistryError) return new Uint8Array();
    throw error;
  }
}

async function withLinks(registry: Registry, layers: readonly Layer[]): Promise<readonly Layer[]> {
  const digests = [...new Set(layers.map(({ digest }) => digest as Digest))].slice(0, MAX_CHILDREN);
  const found = await itemsOf(registry, digests, digestKey);
  return layers.map((layer) => {
    const links = found.get(layer.digest as Digest)?.['links'] as number | undefined;
    return { ...layer, ...(links !== undefined && { repositories: links }) };
  });
}

async function itemsOf(
  { table }: Registry,
  digests: readonly Digest[],
  keyOf: (digest: Digest) => ReturnType<typeof digestKey>,
): Promise<ReadonlyMap<Digest, Attributes>> {
  const items = new Map<Digest, Attributes>();
  for (let start = 0; start < digests.length; start += MAX_OPERATIONS) {
    const batch = digests.slice(start, start + MAX_OPERATIONS);
    const found = await table.getMany(batch.map(keyOf));
    for (const [index, digest] of batch.entries()) {
      const attributes = found[index];
      if (attributes) items.set(digest, attributes);
    }
  }
  return items;
}
