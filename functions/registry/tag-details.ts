import type { Digest } from '../oci/digest.ts';
import { RegistryError } from '../oci/errors.ts';
import { isIndexType } from '../oci/media-types.ts';
import { isImageConfig, type Outline, outlineOf, platformOfConfig } from '../oci/outline.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { type Attributes, type Item, MAX_OPERATIONS } from '../storage/table.ts';
import { readBlob, requireBlob } from './blobs.ts';
import { bytesOfImages, factsOf, type ImageFacts } from './image-facts.ts';
import { inTurns, type Steps } from './in-turns.ts';
import { afterTag, manifestKey, pullKey, tagIn, tagKey, tagsBeginning } from './keys.ts';
import { readManifest, storedManifestOf } from './manifests.ts';
import type { PageRequest } from './pages.ts';
import { listReferrers } from './referrers.ts';
import type { Registry } from './registry.ts';
import { detailsOf, type TagDetails } from './tags.ts';

/** A tag in a list, with what its own item and those of its pulls tell. */
export interface ListedTag extends TagDetails {
  /** Of the config and the layers of an image, or of all images of an index. Absent of what was pushed before it was written. */
  readonly imageBytes?: number;
  /** What an index has images for. */
  readonly platforms?: readonly string[];
  /** Milliseconds since 1970, to the day: by the tag, or by the digest that it is on. Absent where nobody did for long. */
  readonly lastPulledAt?: number;
}

/** As `ListedTag`, with what has to be looked up elsewhere. */
export interface ShownTag extends ListedTag {
  /** Manifests whose subject it is, as far as one page of them goes. */
  readonly referrers: readonly Referrer[];
  readonly moreReferrers: boolean;
}

interface Referrer {
  readonly digest: Digest;
  readonly artifactType?: string;
  readonly size: number;
}

/** Tags with details are read with the manifests that lie in their items: 100 of them are at most 2 MB. */
export const MAX_TAG_DETAILS = 100;

/** Tags in byte order, at most `MAX_TAG_DETAILS` at once: three reads a page, however many tags there are. */
export async function listTagDetails(
  registry: Registry,
  name: RepositoryName,
  page: PageRequest & { readonly prefix?: string },
): Promise<{ tags: readonly ListedTag[]; next?: Tag }> {
  const limit = Math.min(page.limit, MAX_TAG_DETAILS);
  const after = page.last === undefined ? {} : { after: afterTag(page.last) };
  const range = { ...tagsBeginning(name, page.prefix ?? ''), ...after };
  const found = await registry.table.query({ ...range, limit: limit + 1 });
  const items = found.slice(0, limit);
  const pulled = await lastPulls(registry, name, items.map(placeOf));
  const tags = await inTurns(registry, listed(items, pulled));
  const last = found.length > limit ? tags.at(-1) : undefined;
  return { tags, ...(last && { next: last.name }) };
}

const placeOf = (item: Item) => ({ tag: tagIn(item), digest: item.attributes['digest'] as Digest });

function* listed(items: readonly Item[], pulled: readonly (number | undefined)[]): Steps<ListedTag[]> {
  const tags: ListedTag[] = [];
  for (const [index, item] of items.entries()) {
    const { attributes } = item;
    const at = pulled[index];
    tags.push({
      ...detailsOf(tagIn(item), attributes),
      ...sizeAndPlatforms(factsOf(attributes)),
      ...(at !== undefined && { lastPulledAt: at }),
    });
    yield;
  }
  return tags;
}

/** When each was pulled last, whichever way. */
export async function lastPulls(
  { table }: Registry,
  name: RepositoryName,
  places: readonly { readonly tag: Tag; readonly digest: Digest }[],
): Promise<(number | undefined)[]> {
  const digests = [...new Set(places.map(({ digest }) => digest))];
  const [byTag, byDigest] = await Promise.all(
    [places.map(({ tag }) => tag), digests].map((all) =>
      all.length === 0 ? [] : table.getMany(all.map((reference) => pullKey(name, reference))),
    ),
  );
  const ofDigest = new Map(digests.map((digest, index) => [digest, byDigest?.[index]?.['at']]));
  return places.map(({ digest }, index) => {
    const times = [byTag?.[index]?.['at'], ofDigest.get(digest)].filter((at) => typeof at === 'number');
    return times.length === 0 ? undefined : Math.max(...times);
  });
}

const sizeAndPlatforms = ({ artifactType: _, ...facts }: ImageFacts) => facts;

/** A tag with all that is told of it; `undefined` where there is none. It reads at most 100 images of an index, of which none is
 *  larger than an item holds; of what is more, no size is told. */
export async function findTagDetails(
  registry: Registry,
  name: RepositoryName,
  tag: Tag,
): Promise<ShownTag | undefined> {
  const found = await registry.table.get(tagKey(name, tag));
  if (!found) return undefined;
  const details = detailsOf(tag, found);
  const { digest } = details;
  const [[lastPulledAt], facts, { descriptors, next }] = await Promise.all([
    lastPulls(registry, name, [{ tag, digest }]),
    imageFacts(registry, name, digest, found),
    listReferrers(registry, { name, subject: digest }),
  ]);
  const referrers = descriptors.slice(0, MAX_REFERRERS_SHOWN);
  return {
    ...details,
    ...facts,
    ...(lastPulledAt !== undefined && { lastPulledAt }),
    referrers: referrers.map(({ digest, artifactType, size }) => ({
      digest,
      size,
      ...(artifactType !== undefined && { artifactType }),
    })),
    moreReferrers: next !== undefined || descriptors.length > referrers.length,
  };
}

const MAX_REFERRERS_SHOWN = 100;

/** Ours: a larger manifest or config is not read for this. */
const MAX_READ_BYTES = 256 * 1024;

async function imageFacts(
  registry: Registry,
  name: RepositoryName,
  digest: Digest,
  found: Attributes,
): Promise<Pick<ListedTag, 'imageBytes' | 'platforms'>> {
  const stored = storedManifestOf(name, digest, found);
  if (stored.size > MAX_READ_BYTES) return sizeAndPlatforms(factsOf(found));
  const read = readManifest(registry, stored).then((body) => new Response(body).bytes());
  const bytes = await orNothing(read);
  const facts = sizeAndPlatforms(factsOf({ bytes, ...found }));
  const outline = outlineOf(bytes);
  if (!isIndexType(stored.mediaType)) {
    const platform = await platformOf(registry, name, outline);
    return { ...facts, ...(platform !== undefined && { platforms: [platform] }) };
  }
  const size = facts.imageBytes ?? (await bytesOfListed(registry, name, outline));
  return { ...facts, ...(size !== undefined && { imageBytes: size }) };
}

/** As its config says. */
async function platformOf(registry: Registry, name: RepositoryName, { config }: Outline) {
  if (!config || !isImageConfig(config) || config.size > MAX_READ_BYTES) return undefined;
  const read = requireBlob(registry, name, config.digest)
    .then((blob) => readBlob(registry, name, blob))
    .then((body) => new Response(body).bytes());
  return platformOfConfig(await orNothing(read));
}

/** Of an index that was pushed before this was written with it. */
async function bytesOfListed(registry: Registry, name: RepositoryName, { images }: Outline) {
  const digests = [...new Set(images.map(({ digest }) => digest))];
  if (digests.length === 0 || digests.length > MAX_OPERATIONS) return undefined;
  return bytesOfImages(
    registry,
    await registry.table.getMany(digests.map((digest) => manifestKey(name, digest))),
  );
}

/** What was deleted, lost or damaged since it was looked up says nothing; that is for a pull to tell. */
async function orNothing(read: Promise<Uint8Array>): Promise<Uint8Array> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof RegistryError) return new Uint8Array();
    throw error;
  }
}
