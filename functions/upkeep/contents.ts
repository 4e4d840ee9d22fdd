import type { Digest } from '../oci/digest.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { heldIn } from '../registry/hold-items.ts';
import { digestKey, everythingIn, kindOf, lastPartOf, linkerKey, tagIn, targetOf } from '../registry/keys.ts';
import type { Registry } from '../registry/registry.ts';
import { itemBytes } from '../storage/item-size.ts';
import { type Item, MAX_OPERATIONS } from '../storage/table.ts';
import { sortedPages } from './sorted-pages.ts';

interface ManifestEntry {
  readonly subject?: Digest;
  /** What it refers to, be it there or not. */
  readonly targets: Digest[];
  /** Bytes of its items in the table. */
  metadata: number;
}

export interface TagEntry {
  readonly manifest: Digest;
  readonly metadata: number;
}

export interface BlobEntry {
  /** Bytes of the blob, and of its items in the table. */
  readonly size: number;
  readonly metadata: number;
  /** How many repositories link it; 1 where nobody asked. */
  links: number;
}

/** What a repository holds, by what refers to what; a few hundred bytes for each tag, manifest and blob. */
export interface Contents {
  readonly tags: Map<Tag, TagEntry>;
  readonly manifests: Map<Digest, ManifestEntry>;
  readonly blobs: Map<Digest, BlobEntry>;
  /** When a tag or a digest was last pulled, to the day; milliseconds. */
  readonly pulls: Map<string, number>;
  /** When a manifest was last pushed or a tag put on one; milliseconds, 0 where nothing was. */
  lastPush: number;
  /** Bytes of everything about the repository in the table. */
  metadata: number;
  /** Bytes of uploads under way, where quotas count them. */
  held: number;
}

export interface Reading {
  /** Milliseconds: when to stop. */
  readonly until: number;
  /** Whether to look up how many repositories link each blob, one item each. */
  readonly withLinks: boolean;
}

/** Items, some of which carry a manifest of up to 16 KiB: 16 MB at most. */
const AT_ONCE = 1000;

/** What DynamoDB bills for each item besides its bytes. */
const OVERHEAD = 100;

/** Reads a repository, each item once; `undefined` where there was no time for all of it. */
export async function readContents(
  registry: Registry,
  name: RepositoryName,
  { until, withLinks }: Reading,
): Promise<Contents | undefined> {
  const reader = new Reader(name);
  for await (const page of sortedPages(registry.table, everythingIn(name), AT_ONCE)) {
    if (registry.now() >= until) return undefined;
    for (const item of page) reader.take(item);
  }
  const contents = reader.contents();
  if (!withLinks) return contents;
  const blobs = [...contents.blobs];
  for (let start = 0; start < blobs.length; start += MAX_OPERATIONS) {
    if (registry.now() >= until) return undefined;
    const batch = blobs.slice(start, start + MAX_OPERATIONS);
    const found = await registry.table.getMany(batch.map(([digest]) => digestKey(digest)));
    for (const [index, [, blob]] of batch.entries()) blob.links = Number(found[index]?.['links'] ?? 1);
  }
  return contents;
}

class Reader {
  readonly #name: RepositoryName;
  readonly #contents: Contents = {
    tags: new Map(),
    manifests: new Map(),
    blobs: new Map(),
    pulls: new Map(),
    lastPush: 0,
    metadata: 0,
    held: 0,
  };
  /** What the edges say of each manifest, which come before it. */
  readonly #edges = new Map<Digest, { readonly targets: Digest[]; metadata: number }>();
  /** Each digest once, however many edges name it. */
  readonly #digests = new Map<string, Digest>();

  constructor(name: RepositoryName) {
    this.#name = name;
  }

  take(item: Item): void {
    const { attributes } = item;
    const bytes = itemBytes(item.key, attributes) + OVERHEAD;
    this.#contents.metadata += bytes;
    const { tags, pulls } = this.#contents;
    switch (kindOf(item)) {
      case 'B':
        this.#takeBlob(item, bytes);
        break;
      case 'E':
        this.#takeEdge(item, bytes);
        break;
      case 'M':
        this.#takeManifest(item, bytes);
        break;
      case 'P':
        pulls.set(lastPartOf(item), attributes['at'] as number);
        break;
      case 'W':
        this.#contents.held += heldIn(attributes);
        break;
      case 'T':
        this.#seePush(attributes['taggedAt']);
        tags.set(tagIn(item), { manifest: this.#once(attributes['digest'] as string), metadata: bytes });
    }
  }

  contents(): Contents {
    return this.#contents;
  }

  /** With its two items under the digest, which several repositories share. */
  #takeBlob(item: Item, bytes: number): void {
    const digest = this.#once(lastPartOf(item));
    const { touched: _, ...stored } = item.attributes;
    const entries = [
      itemBytes(digestKey(digest), { ...stored, links: 1 }) + OVERHEAD,
      itemBytes(linkerKey(digest, this.#name), {}) + OVERHEAD,
    ];
    const shared = entries.reduce((sum, one) => sum + one, 0);
    this.#contents.metadata += shared;
    const size = item.attributes['size'] as number;
    this.#contents.blobs.set(digest, { size, metadata: bytes + shared, links: 1 });
  }

  #takeEdge(item: Item, bytes: number): void {
    const manifest = this.#once(lastPartOf(item));
    const edges = this.#edges.get(manifest) ?? { targets: [], metadata: 0 };
    this.#edges.set(manifest, edges);
    edges.targets.push(this.#once(targetOf(item)));
    edges.metadata += bytes;
  }

  #takeManifest(item: Item, bytes: number): void {
    const digest = this.#once(lastPartOf(item));
    const { targets, metadata } = this.#edges.get(digest) ?? { targets: [], metadata: 0 };
    const subject = item.attributes['subject'] as string | undefined;
    this.#seePush(item.attributes['pushedAt']);
    this.#contents.manifests.set(digest, {
      targets,
      metadata: metadata + bytes,
      ...(subject !== undefined && { subject: this.#once(subject) }),
    });
  }

  #seePush(at: unknown): void {
    if (typeof at === 'number') this.#contents.lastPush = Math.max(this.#contents.lastPush, at);
  }

  #once(text: string): Digest {
    const known = this.#digests.get(text) ?? (text as Digest);
    this.#digests.set(text, known);
    return known;
  }
}
