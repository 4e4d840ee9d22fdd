import type { Digest } from '../oci/digest.ts';
import type { Tag } from '../oci/reference.ts';
import type { Steps } from '../registry/in-turns.ts';
import type { BlobEntry, Contents, TagEntry } from './contents.ts';

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
export function* amountOfAll({ tags, manifests, blobs, metadata }: Contents): Steps<Amount> {
  const sum = yield* sumOf(blobs.values());
  return { tags: tags.size, manifests: manifests.size, metadataBytes: metadata, ...sum };
}

/** What the tags lead to: their manifests, what an index lists, and referrers such as signatures. */
export function* amountOfTags(contents: Contents, isWanted: (tag: Tag) => boolean): Steps<TagsAmount> {
  const tags = yield* tagsThat(isWanted, contents);
  const others = yield* tagsThat((tag) => !isWanted(tag), contents);
  const graph = yield* graphOf(contents);
  const theirs = yield* graph.reach(tags.map(({ manifest }) => manifest));
  const untold = [...contents.manifests.keys()].filter((digest) => !theirs.has(digest));
  const rest = yield* graph.reach([...others.map(({ manifest }) => manifest), ...untold]);
  const found = yield* graph.blobsOf(theirs);
  const kept = yield* graph.blobsOf(rest);
  const manifests = [...theirs].flatMap((digest) => contents.manifests.get(digest) ?? []);
  return {
    tags: tags.length,
    manifests: theirs.size,
    ...(yield* sumOf(found.values())),
    metadataBytes: yield* metadataOf(tags, manifests, found.values()),
    ownBytes: yield* bytesBeside(kept, found),
    blobsPerImage: yield* graph.blobsPerImage(theirs),
  };
}

type Blobs = ReadonlyMap<Digest, BlobEntry>;

function* tagsThat(isWanted: (tag: Tag) => boolean, contents: Contents) {
  const found: TagEntry[] = [];
  for (const [tag, entry] of contents.tags) {
    if (isWanted(tag)) found.push(entry);
    yield;
  }
  return found;
}

function* metadataOf(...kinds: readonly Iterable<{ readonly metadata: number }>[]): Steps<number> {
  let sum = 0;
  for (const items of kinds) {
    for (const { metadata } of items) {
      sum += metadata;
      yield;
    }
  }
  return sum;
}

function* bytesBeside(kept: Blobs, found: Blobs): Steps<number> {
  let sum = 0;
  for (const [digest, { size }] of found) {
    if (!kept.has(digest)) sum += size;
    yield;
  }
  return sum;
}

function* sumOf(entries: Iterable<BlobEntry>) {
  const sum = { blobs: 0, bytes: 0, elsewhereBytes: 0, apportionedBytes: 0 };
  for (const { size, links } of entries) {
    sum.blobs += 1;
    sum.bytes += size;
    if (links > 1) sum.elsewhereBytes += size;
    sum.apportionedBytes += size / Math.max(1, links);
    yield;
  }
  return { ...sum, apportionedBytes: Math.round(sum.apportionedBytes) };
}

function* graphOf(contents: Contents): Steps<Graph> {
  const referrers = new Map<Digest, Digest[]>();
  for (const [digest, { subject }] of contents.manifests) {
    yield;
    if (subject === undefined) continue;
    const known = referrers.get(subject);
    if (known) known.push(digest);
    else referrers.set(subject, [digest]);
  }
  return new Graph(contents, referrers);
}

class Graph {
  readonly #contents: Contents;
  readonly #referrers: ReadonlyMap<Digest, readonly Digest[]>;

  constructor(contents: Contents, referrers: ReadonlyMap<Digest, readonly Digest[]>) {
    [this.#contents, this.#referrers] = [contents, referrers];
  }

  /** The manifests that these lead to, themselves included. */
  *reach(roots: readonly Digest[]): Steps<ReadonlySet<Digest>> {
    const found = new Set<Digest>();
    const open = [...roots];
    for (let digest = open.pop(); digest !== undefined; digest = open.pop()) {
      yield;
      const manifest = this.#contents.manifests.get(digest);
      if (!manifest || found.has(digest)) continue;
      found.add(digest);
      for (const next of manifest.targets) open.push(next);
      for (const next of this.#referrers.get(digest) ?? []) open.push(next);
    }
    return found;
  }

  *blobsOf(manifests: ReadonlySet<Digest>): Steps<Blobs> {
    const found = new Map<Digest, BlobEntry>();
    for (const digest of manifests) {
      for (const [target, blob] of this.#targetsOf(digest)) found.set(target, blob);
      yield;
    }
    return found;
  }

  *blobsPerImage(manifests: ReadonlySet<Digest>): Steps<number> {
    let [images, blobs] = [0, 0];
    for (const digest of manifests) {
      const count = new Map(this.#targetsOf(digest)).size;
      if (count > 0) images += 1;
      blobs += count;
      yield;
    }
    return images === 0 ? 0 : Math.round((blobs / images) * 10) / 10;
  }

  *#targetsOf(manifest: Digest): Generator<readonly [Digest, BlobEntry]> {
    for (const target of this.#contents.manifests.get(manifest)?.targets ?? []) {
      const blob = this.#contents.blobs.get(target);
      if (blob) yield [target, blob];
    }
  }
}
