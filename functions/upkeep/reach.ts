import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';
import type { BlobEntry, Contents } from './contents.ts';

/** How much there is of something. Bytes are those of blobs, each counted once. */
export interface Amount {
  readonly tags: number;
  readonly manifests: number;
  readonly blobs: number;
  readonly bytes: number;
  /** Of the items in the table, about. */
  readonly metadataBytes: number;
  /** Of the bytes, those that other repositories hold, too. */
  readonly elsewhereBytes: number;
  /** The bytes, where each blob counts as its part: a half where two repositories link it. */
  readonly apportionedBytes: number;
}

export interface TagsAmount extends Amount {
  /** Of the bytes, those that go with these tags and what they lead to: nothing else in the repository uses them. */
  readonly ownBytes: number;
  /** Blobs that an image has, config included, on average. */
  readonly blobsPerImage: number;
}

/** All of the repository. */
export function amountOfAll({ tags, manifests, blobs, metadata }: Contents): Amount {
  return {
    tags: tags.size,
    manifests: manifests.size,
    metadataBytes: metadata,
    ...sumOf([...blobs.values()]),
  };
}

/** What the tags lead to: their manifests, what an index lists, and referrers such as signatures. */
export function amountOfTags(contents: Contents, isWanted: (tag: Tag) => boolean): TagsAmount {
  const tags = [...contents.tags].filter(([tag]) => isWanted(tag)).map(([, entry]) => entry);
  const others = [...contents.tags].filter(([tag]) => !isWanted(tag)).map(([, entry]) => entry);
  const graph = new Graph(contents);
  const theirs = graph.reach(tags.map(({ manifest }) => manifest));
  const untold = [...contents.manifests.keys()].filter((digest) => !theirs.has(digest));
  const rest = graph.reach([...others.map(({ manifest }) => manifest), ...untold]);
  const found = graph.blobsOf(theirs);
  const kept = graph.blobsOf(rest);
  const blobs = [...found].map((digest) => contents.blobs.get(digest)).filter((blob) => blob !== undefined);
  const own = [...found].filter((digest) => !kept.has(digest));
  const manifests = [...theirs].flatMap((digest) => contents.manifests.get(digest) ?? []);
  const items = [...tags, ...manifests, ...blobs];
  return {
    tags: tags.length,
    manifests: theirs.size,
    metadataBytes: items.reduce((sum, { metadata }) => sum + metadata, 0),
    ...sumOf(blobs),
    ownBytes: own.reduce((sum, digest) => sum + (contents.blobs.get(digest)?.size ?? 0), 0),
    blobsPerImage: graph.blobsPerImage(theirs),
  };
}

function sumOf(blobs: readonly BlobEntry[]) {
  const sum = { blobs: blobs.length, bytes: 0, elsewhereBytes: 0, apportionedBytes: 0 };
  for (const { size, links } of blobs) {
    sum.bytes += size;
    if (links > 1) sum.elsewhereBytes += size;
    sum.apportionedBytes += size / Math.max(1, links);
  }
  return { ...sum, apportionedBytes: Math.round(sum.apportionedBytes) };
}

class Graph {
  readonly #contents: Contents;
  readonly #referrers = new Map<Digest, Digest[]>();

  constructor(contents: Contents) {
    this.#contents = contents;
    for (const [digest, { subject }] of contents.manifests) {
      if (subject === undefined) continue;
      const known = this.#referrers.get(subject);
      if (known) known.push(digest);
      else this.#referrers.set(subject, [digest]);
    }
  }

  /** The manifests that these lead to, themselves included. */
  reach(roots: readonly Digest[]): ReadonlySet<Digest> {
    const found = new Set<Digest>();
    const open = [...roots];
    for (let digest = open.pop(); digest !== undefined; digest = open.pop()) {
      const manifest = this.#contents.manifests.get(digest);
      if (!manifest || found.has(digest)) continue;
      found.add(digest);
      for (const next of manifest.targets) open.push(next);
      for (const next of this.#referrers.get(digest) ?? []) open.push(next);
    }
    return found;
  }

  blobsOf(manifests: ReadonlySet<Digest>): ReadonlySet<Digest> {
    const found = new Set<Digest>();
    for (const digest of manifests) {
      for (const target of this.#contents.manifests.get(digest)?.targets ?? []) {
        if (this.#contents.blobs.has(target)) found.add(target);
      }
    }
    return found;
  }

  blobsPerImage(manifests: ReadonlySet<Digest>): number {
    const counts = [...manifests].map((digest) => this.blobsOf(new Set([digest])).size).filter((n) => n > 0);
    if (counts.length === 0) return 0;
    const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
    return Math.round(mean * 10) / 10;
  }
}
