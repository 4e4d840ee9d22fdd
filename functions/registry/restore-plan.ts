import type { Digest } from '../oci/digest.ts';
import { type ManifestReference, parseManifest } from '../oci/manifest.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { type Attributes, MAX_OPERATIONS } from '../storage/table.ts';
import { blobKey, graveKey, manifestKey, policiesKey } from './keys.ts';
import { allowsSparse, rulesIn } from './policies.ts';
import { readObject } from './reading.ts';
import type { Registry } from './registry.ts';
import { type Belonging, belongingsOf } from './restore-belongings.ts';
import { storedObjectOf } from './soundness.ts';

/** Ours: what belongs to a manifest and was deleted this long before it, or since, was deleted with it: retention deletes
 *  what belongs together in several transactions. */
const DELETED_WITH_MS = 60 * 60 * 1000;

/** A manifest and its grave are two reads. */
const MANIFESTS_AT_ONCE = MAX_OPERATIONS / 2;

/** A step of a restore: a manifest that is pushed again. */
export interface Piece {
  readonly digest: Digest;
  /** Whether it is deleted; else only `tags` are to be put on it. */
  readonly isBuried: boolean;
  /** Those that were deleted with what they belong to: cosign's; each with when it was put there, milliseconds since 1970. */
  readonly tags: ReadonlyMap<Tag, number>;
  /** For people: when and why it was deleted. */
  readonly reason: string;
}

export interface RestorePlan {
  /** In an order in which they can be pushed. */
  readonly pieces: readonly Piece[];
  /** Why it cannot be done, for people; empty where it can. */
  readonly missing: readonly string[];
  /** What belongs to it and cannot come back any more. */
  readonly left: readonly { readonly digest: Digest; readonly reason: string }[];
}

/** What has to be pushed again so that `root` is there with all it lists and all that belonged to it when it was deleted,
 *  or after `since` (milliseconds). Reads only. */
export async function planRestore(
  registry: Registry,
  name: RepositoryName,
  root: Digest,
  since?: number,
): Promise<RestorePlan> {
  return new Planner(registry, name, root).plan(since);
}

/** What is known of a manifest: whether it is there, and of its grave. */
interface State {
  readonly isThere: boolean;
  readonly deletedAt: number | undefined;
  readonly reason: string;
}

/** What one manifest needs, and itself at the end. */
interface Walk {
  readonly seen: Set<Digest>;
  readonly order: Digest[];
  readonly missing: string[];
}

class Planner {
  readonly #registry: Registry;
  readonly #name: RepositoryName;
  readonly #states = new Map<Digest, State>();
  readonly #order = new Set<Digest>();
  readonly #tags = new Map<Digest, Map<Tag, number>>();
  readonly #left: { digest: Digest; reason: string }[] = [];
  #isSparse = false;
  readonly #root: Digest;
  /** Those that cannot be pushed before it. */
  readonly #needRoot = new Set<Digest>();

  constructor(registry: Registry, name: RepositoryName, root: Digest) {
    [this.#registry, this.#name, this.#root] = [registry, name, root];
  }

  async plan(since: number | undefined): Promise<RestorePlan> {
    const root = this.#root;
    this.#isSparse = allowsSparse(rulesIn(await this.#registry.table.get(policiesKey), this.#name));
    const missing = await this.#include(root);
    if (missing.length > 0) return { pieces: [], missing, left: [] };
    const deletedAt = this.#states.get(root)?.deletedAt;
    const justBefore = (deletedAt ?? Number.POSITIVE_INFINITY) - DELETED_WITH_MS;
    const from = since === undefined ? justBefore : since + 1;
    for (const digest of this.#order) {
      // What is added meanwhile has its turn, too: a signature of a signature.
      if (this.#states.get(digest)?.deletedAt === undefined) continue;
      const belongings = await belongingsOf(this.#registry, this.#name, digest, from);
      for (const belonging of belongings) await this.#includeBelonging(belonging);
    }
    return { pieces: this.#inOrder().flatMap((digest) => this.#pieceOf(digest)), missing, left: this.#left };
  }

  /** As late as can be comes `root`: whoever dies before is asked for it again. */
  #inOrder(): Digest[] {
    const early = [...this.#order].filter((digest) => digest !== this.#root && !this.#needRoot.has(digest));
    return [...early, this.#root, ...this.#needRoot];
  }

  async #includeBelonging({ digest, tag }: Belonging): Promise<void> {
    const missing = await this.#include(digest);
    if (missing.length > 0) this.#left.push({ digest, reason: missing.join('; ') });
    else if (tag)
      this.#tags.set(digest, new Map([...(this.#tags.get(digest) ?? []), [tag.name, tag.taggedAt]]));
  }

  #pieceOf(digest: Digest): Piece[] {
    const tags = this.#tags.get(digest) ?? new Map<Tag, number>();
    const { isThere, reason } = this.#states.get(digest) ?? { isThere: true, reason: '' };
    return isThere && tags.size === 0 ? [] : [{ digest, isBuried: !isThere, tags, reason }];
  }

  /** Adds the manifest and what it needs to the order, or answers what is missing for that. */
  async #include(digest: Digest): Promise<readonly string[]> {
    const walk: Walk = { seen: new Set(), order: [], missing: [] };
    await this.#climb([{ digest, kind: 'manifest' }], walk);
    if (walk.missing.length > 0) return walk.missing;
    const needsRoot = digest !== this.#root && walk.seen.has(this.#root);
    for (const needed of walk.order) {
      if (needsRoot && !this.#order.has(needed)) this.#needRoot.add(needed);
      this.#order.add(needed);
    }
    return [];
  }

  async #climb(references: readonly Pick<ManifestReference, 'digest' | 'kind'>[], walk: Walk): Promise<void> {
    const fresh = references.filter(({ digest }) => !walk.seen.has(digest));
    for (let start = 0; start < fresh.length; start += MANIFESTS_AT_ONCE) {
      const batch = fresh.slice(start, start + MANIFESTS_AT_ONCE);
      const keys = batch.flatMap(({ digest }) => [
        manifestKey(this.#name, digest),
        graveKey(this.#name, digest),
      ]);
      const found = await this.#registry.table.getMany(keys);
      for (const [index, reference] of batch.entries()) {
        await this.#visit(reference, { manifest: found[2 * index], grave: found[2 * index + 1], walk });
      }
    }
  }

  async #visit(
    { digest, kind }: Pick<ManifestReference, 'digest' | 'kind'>,
    {
      manifest,
      grave,
      walk,
    }: { manifest: Attributes | undefined; grave: Attributes | undefined; walk: Walk },
  ): Promise<void> {
    if (walk.seen.has(digest)) return;
    walk.seen.add(digest);
    if (!manifest && !grave) {
      const isListed = walk.seen.size > 1; // by what is restored
      if (isListed && this.#isSparse) return;
      if (kind === 'child' && (await this.#lacking([digest])).length === 0) return;
      walk.missing.push(
        `manifest ${digest} is not here any more: it never was, or it was deleted and its quarantine is over`,
      );
      return;
    }
    if (grave) await this.#descend(digest, { grave, isThere: manifest !== undefined, walk });
    const deletedAt = grave?.['deletedAt'] as number | undefined;
    this.#states.set(digest, { isThere: manifest !== undefined, deletedAt, reason: reasonOf(grave) });
    walk.order.push(digest);
  }

  /** To what a deleted manifest lists, and to its blobs, which somebody may have deleted. */
  async #descend(
    digest: Digest,
    { grave, isThere, walk }: { grave: Attributes; isThere: boolean; walk: Walk },
  ): Promise<void> {
    const bytes = await bytesOf(this.#registry, this.#name, digest, { grave });
    if (!bytes) {
      // Its quarantine ended since it was read.
      if (!isThere) walk.missing.push(`manifest ${digest} is not here any more: its quarantine is over`);
      return;
    }
    const { references } = parseManifest(bytes, grave['mediaType'] as string);
    await this.#climb(
      references.filter(({ kind }) => kind !== 'blob'),
      walk,
    );
    if (isThere) return;
    const blobs = references.filter(({ kind, optional }) => kind === 'blob' && !optional);
    const gone = await this.#lacking(blobs.map((blob) => blob.digest));
    walk.missing.push(
      ...gone.map((blob) => `blob ${blob} of manifest ${digest} was deleted; push the image again`),
    );
  }

  /** Those that the repository does not link. */
  async #lacking(digests: readonly Digest[]): Promise<Digest[]> {
    const lacking: Digest[] = [];
    for (let start = 0; start < digests.length; start += MAX_OPERATIONS) {
      const batch = digests.slice(start, start + MAX_OPERATIONS);
      const found = await this.#registry.table.getMany(batch.map((digest) => blobKey(this.#name, digest)));
      lacking.push(...batch.filter((_, index) => found[index] === undefined));
    }
    return lacking;
  }
}

/** The bytes of a manifest or, without one, of its grave; `undefined` where they went since its item was read, UNKNOWN where
 *  they are lost or damaged. */
export async function bytesOf(
  registry: Registry,
  repository: RepositoryName,
  digest: Digest,
  { manifest, grave }: { readonly manifest?: Attributes | undefined; readonly grave: Attributes | undefined },
): Promise<Uint8Array | undefined> {
  const found = manifest ?? grave;
  const bytes = found?.['bytes'] as Uint8Array | undefined;
  if (!found || bytes) return bytes;
  const item = manifest ? manifestKey(repository, digest) : graveKey(repository, digest);
  const held = { is: 'manifest', repository, digest, item } as const;
  const body = await readObject(registry, held, storedObjectOf(found));
  return body && new Response(body).bytes();
}

function reasonOf(grave: Attributes | undefined): string {
  if (!grave) return '';
  const { deletedAt, deletedBy, reason } = grave;
  const by = deletedBy === undefined ? '' : ` by ${deletedBy}`;
  const why = reason === undefined ? '' : `: ${reason}`;
  return `deleted on ${new Date(deletedAt as number).toISOString()}${by}${why}`;
}
