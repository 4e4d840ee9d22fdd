import type { Digest } from '../oci/digest.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { digestKey, lastPartOf, tagIndexOf, tagKey } from '../registry/keys.ts';
import { manifestsUsing } from '../registry/references.ts';
import type { Registry } from '../registry/registry.ts';
import { leaveBehind } from '../registry/replacement.ts';
import { markUnsound } from '../registry/soundness.ts';
import type { Fault, ObjectKey } from '../storage/blob-store.ts';
import { MAX_OPERATIONS } from '../storage/table.ts';
import type { Held, Reference } from './known-objects.ts';

/** Something that a repository holds, and whose object is not there or has other bytes: pulls of it fail. */
export interface Damage {
  readonly is: Fault;
  readonly objectKey: ObjectKey;
  readonly repository: RepositoryName;
  readonly kind: Held['kind'];
  readonly digest: Digest;
  /** The tags whose images need it, a hundred at most. */
  readonly tags: readonly Tag[];
}

/** How many manifests are followed up to their tags. */
const MAX_MANIFESTS = 100;

/** The tags of the repository from which the blob or manifest is reached, by way of indexes too. */
export async function tagsReaching(
  registry: Registry,
  { repository, digest, kind }: Pick<Damage, 'repository' | 'digest' | 'kind'>,
): Promise<Tag[]> {
  if (kind === 'grave') return [];
  const seen = new Set<Digest>(
    kind === 'manifest' ? [digest] : await manifestsUsing(registry, repository, digest),
  );
  const tags = new Set<Tag>();
  for (const manifest of seen) {
    for (const tag of await tagsOn(registry, repository, manifest)) tags.add(tag);
    if (seen.size >= MAX_MANIFESTS || tags.size >= MAX_OPERATIONS) break;
    // What is added meanwhile has its turn, too.
    for (const index of await manifestsUsing(registry, repository, manifest)) seen.add(index);
  }
  return [...tags].slice(0, MAX_OPERATIONS);
}

/** Entries of the index are hints. */
async function tagsOn({ table }: Registry, repository: RepositoryName, digest: Digest): Promise<Tag[]> {
  const range = { ...tagIndexOf(repository, digest), limit: MAX_OPERATIONS, keysOnly: true };
  const tags = (await table.query(range)).map((entry) => lastPartOf(entry) as Tag);
  if (tags.length === 0) return [];
  const found = await table.getMany(tags.map((tag) => tagKey(repository, tag)));
  return tags.filter((_, index) => found[index]?.['digest'] === digest);
}

/** Has the next push heal what is damaged. Without leave to write, a scan goes on and tells so. */
export class Marker {
  readonly #registry: Registry;
  #unmarked: { readonly count: number; readonly cause?: unknown } = { count: 0 };

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  get unmarked() {
    return this.#unmarked;
  }

  /** False where a push has healed it and died before this repository was told. */
  async mark(reference: Reference): Promise<boolean> {
    try {
      return await markOrMove(this.#registry, reference);
    } catch (error) {
      const { count, cause = error } = this.#unmarked;
      this.#unmarked = { count: count + 1, cause };
      return true;
    }
  }
}

/** A grave needs no mark: a push makes a manifest of its own. */
async function markOrMove(registry: Registry, { objectKey, item, held }: Reference): Promise<boolean> {
  if (!held || held.kind === 'grave') return true;
  const { digest } = held;
  const key = held.kind === 'blob' ? digestKey(digest) : item;
  const found = await registry.table.get(key);
  if (found?.['objectKey'] === objectKey) {
    await markUnsound(registry, key, found);
    return true;
  }
  if (found && held.kind === 'blob') await leaveBehind(registry, { objectKey, digest });
  return false;
}
