import type { Digest } from '../oci/digest.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { type Attributes, type Item, MAX_OPERATIONS } from '../storage/table.ts';
import { factsOf, type ImageFacts, kindOfManifest, type ManifestKind } from './image-facts.ts';
import {
  afterManifest,
  afterTagIndexOf,
  beforeTagIndexOf,
  edgesTo,
  lastPartOf,
  manifestKey,
  manifestsOf,
  pullKey,
  tagIndexesOf,
  tagKey,
} from './keys.ts';
import type { PageRequest } from './pages.ts';
import type { Registry } from './registry.ts';

/** A manifest as a list of them shows it. */
export interface ManifestRow extends ImageFacts {
  readonly digest: Digest;
  readonly kind: ManifestKind;
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly pushedAt: number;
  readonly by?: string;
  /** Milliseconds since 1970, to the day, by its digest. */
  readonly lastPulledAt?: number;
  readonly subject?: Digest;
  /** Manifests that list it, the first five that were found. */
  readonly usedBy: readonly Digest[];
}

/** What the item of a manifest tells. */
export function manifestDetails(digest: Digest, found: Attributes): Omit<ManifestRow, 'usedBy'> {
  const facts = factsOf(found);
  const { pushedBy, subject } = found;
  const mediaType = found['mediaType'] as string;
  return {
    ...{ digest, mediaType, ...facts, kind: kindOfManifest(mediaType, facts) },
    ...{ size: found['size'] as number, pushedAt: found['pushedAt'] as number },
    ...(pushedBy !== undefined && { by: pushedBy as string }),
    ...(subject !== undefined && { subject: subject as Digest }),
  };
}

/** Ours: their items carry manifests, and each is asked who uses it. */
export const MAX_MANIFEST_ROWS = 100;

/** Ours: batches of manifests that one request looks at for those without a tag; where that is not enough, the page is short. */
const MAX_BATCHES = 5;

/** Manifests in the order of their digests, all or those without a tag; a page may be short and have a next one all the same. */
export async function listManifests(
  registry: Registry,
  name: RepositoryName,
  { limit, last, untagged }: PageRequest & { readonly untagged: boolean },
): Promise<{ readonly manifests: readonly ManifestRow[]; readonly next?: Digest }> {
  const found: Item[] = [];
  let after = last === undefined ? undefined : afterManifest(last as Digest);
  for (let batch = 0; batch < MAX_BATCHES; batch += 1) {
    const range = { ...manifestsOf(name), limit: MAX_MANIFEST_ROWS };
    const items = await registry.table.query({ ...range, ...(after !== undefined && { after }) });
    const tagged = untagged ? await taggedAmong(registry, name, items) : new Set<Digest>();
    found.push(...items.filter((item) => !tagged.has(digestIn(item))));
    after = items.at(-1)?.key.sort;
    const page = found.slice(0, limit);
    const isLast = items.length < MAX_MANIFEST_ROWS;
    if (found.length > limit) return { ...(await rowsOf(registry, name, page)), ...nextOf(page.at(-1)) };
    if (isLast) return rowsOf(registry, name, page);
    if (batch === MAX_BATCHES - 1)
      return { ...(await rowsOf(registry, name, page)), ...nextOf(items.at(-1)) };
  }
  return { manifests: [] };
}

const digestIn = (item: Item) => lastPartOf(item) as Digest;
const nextOf = (item: Item | undefined) => (item ? { next: digestIn(item) } : {});

/** Those that a tag is on. */
async function taggedAmong(
  registry: Registry,
  name: RepositoryName,
  items: readonly Item[],
): Promise<ReadonlySet<Digest>> {
  const tagged = new Set<Digest>();
  const [first, last] = [items[0], items.at(-1)];
  if (!first || !last) return tagged;
  for await (const tags of tagsBetween(registry, name, digestIn(first), digestIn(last))) {
    const found = await registry.table.getMany(tags.map((tag) => tagKey(name, tag)));
    for (const tag of found) if (tag) tagged.add(tag['digest'] as Digest);
  }
  return tagged;
}

/** Tags that were once put on manifests from the first to the last: their index is in the order of the digests, too. What has
 *  left says so. */
async function* tagsBetween({ table }: Registry, name: RepositoryName, first: Digest, last: Digest) {
  const end = afterTagIndexOf(last);
  for (let after = beforeTagIndexOf(first); ; ) {
    const entries = await table.query({ ...tagIndexesOf(name), after, limit: MAX_OPERATIONS });
    const there = entries.filter(({ key, attributes }) => key.sort < end && attributes['left'] === undefined);
    if (there.length > 0) yield [...new Set(there.map((entry) => lastPartOf(entry) as Tag))];
    after = entries.at(-1)?.key.sort ?? end;
    if (entries.length < MAX_OPERATIONS || after >= end) return;
  }
}

/** Ours: how many are asked at once who uses them. */
const AT_ONCE = 10;
const MAX_USERS = 5;

async function rowsOf(registry: Registry, name: RepositoryName, items: readonly Item[]) {
  const users: (readonly Digest[])[] = [];
  for (let start = 0; start < items.length; start += AT_ONCE) {
    const asked = items.slice(start, start + AT_ONCE).map((item) => usersOf(registry, name, digestIn(item)));
    users.push(...(await Promise.all(asked)));
  }
  const existing = await existingAmong(registry, name, [...new Set(users.flat())]);
  const pulls =
    items.length > 0 ? await registry.table.getMany(items.map((item) => pullKey(name, digestIn(item)))) : [];
  const manifests = items.map((item, index): ManifestRow => {
    const at = pulls[index]?.['at'] as number | undefined;
    return {
      ...manifestDetails(digestIn(item), item.attributes),
      ...(at !== undefined && { lastPulledAt: at }),
      usedBy: (users[index] ?? []).filter((digest) => existing.has(digest)),
    };
  });
  return { manifests };
}

async function usersOf(
  { table }: Registry,
  name: RepositoryName,
  digest: Digest,
): Promise<readonly Digest[]> {
  const edges = await table.query({ ...edgesTo(name, digest), limit: MAX_USERS, keysOnly: true });
  return edges.map((edge) => lastPartOf(edge) as Digest);
}

/** An edge may be of a manifest that is gone. */
async function existingAmong({ table }: Registry, name: RepositoryName, digests: readonly Digest[]) {
  const existing = new Set<Digest>();
  for (let start = 0; start < digests.length; start += MAX_OPERATIONS) {
    const batch = digests.slice(start, start + MAX_OPERATIONS);
    const found = await table.getMany(batch.map((digest) => manifestKey(name, digest)));
    for (const [index, digest] of batch.entries()) if (found[index]) existing.add(digest);
  }
  return existing;
}
