import { OUTBOX_DELAY_SECONDS } from '../limits.ts';
import type { Digest } from '../oci/digest.ts';
import { nameUnknown } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { ObjectKey } from '../storage/blob-store.ts';
import {
  type Attributes,
  equals,
  type Item,
  MAX_OPERATIONS,
  type Operation,
  present,
} from '../storage/table.ts';
import { unlinkOperations } from './blobs.ts';
import { endGrave } from './graves.ts';
import { refuseImmutableIn } from './immutable-tags.ts';
import {
  blobsOf,
  digestKey,
  directoryKey,
  gravesOf,
  lastPartOf,
  manifestKey,
  manifestsOf,
  referrerKey,
  remaindersOf,
  repositoryKey,
  tagIn,
  tagsOf,
} from './keys.ts';
import { countRemoval } from './manifest-deletion.ts';
import { discard } from './outbox.ts';
import { manifestsUsing } from './references.ts';
import type { Registry } from './registry.ts';
import { findRepository, type Repository } from './repositories.ts';
import { renameOperations } from './tag-names.ts';

/** Ours: what one call does at most, well inside Lambda's 29 s; whoever asks again goes on. */
const MAX_TRANSACTIONS = 200;
const MAX_MS = 10_000;

/** Two operations a tag, three a manifest and four a blob, in 100 operations a transaction. */
const TAGS_AT_ONCE = 49;
const MANIFESTS_AT_ONCE = 30;
const BLOBS_AT_ONCE = 20;
const ITEMS_AT_ONCE = MAX_OPERATIONS - 1;

/** Deletes what a repository holds, for good, and then its entry in the catalog; `remaining` where one call is not enough.
 *  NAME_UNKNOWN where there is nothing to delete, DENIED while a policy holds one of its tags. Uploads end by themselves,
 *  and so does a push that is under way: it is refused, or what it commits later is a new repository.
 *  docs/concurrency.md tells why. */
export async function deleteRepository(
  registry: Registry,
  name: RepositoryName,
  { transactions = MAX_TRANSACTIONS }: { readonly transactions?: number } = {},
): Promise<'done' | 'remaining'> {
  await refuseImmutableIn(registry, name);
  const until = registry.now() + MAX_MS;
  const deletion = new Deletion(registry);
  for (let written = 0; written < transactions && registry.now() < until; written += 1) {
    const repository = await findRepository(registry, name);
    if (!repository) throw nameUnknown(name);
    const { operations, isLast } = await deletion.next(repository);
    if (isLast && written === 0 && !repository.listed) throw nameUnknown(name);
    const { committed } = await registry.table.write(operations);
    if (committed && isLast) return 'done';
    if (!committed) await registry.pause(1);
  }
  return 'remaining';
}

type Stage = (repository: Repository) => Promise<readonly Operation[]>;

/** Finds what is to be removed next, always so that what can still be read is whole: tags before manifests, an index
 *  before its children, manifests before blobs. */
class Deletion {
  readonly #registry: Registry;
  /** Manifests that were in use by those looked at after them. */
  readonly #climbed: Digest[][] = [];
  readonly #stages: readonly Stage[];
  #stage = 0;
  #version: number | undefined;

  constructor(registry: Registry) {
    this.#registry = registry;
    this.#stages = [
      (repository) => this.#tags(repository),
      (repository) => this.#manifests(repository),
      (repository) => this.#graves(repository),
      (repository) => this.#remainders(repository),
      (repository) => this.#blobs(repository),
    ];
  }

  async next(repository: Repository): Promise<{ operations: readonly Operation[]; isLast: boolean }> {
    // Tags and manifests come with a new version only: while it is the same, what was empty is.
    if (repository.version !== this.#version) this.#stage = 0;
    this.#version = repository.version;
    for (; this.#stage < this.#stages.length; this.#stage += 1) {
      const operations = (await this.#stages[this.#stage]?.(repository)) ?? [];
      if (operations.length > 0) return { operations, isLast: false };
    }
    return { operations: removeEntry(repository), isLast: true };
  }

  /** A policy may hold one that was put there since the deletion began; one that comes later still raises `version`. */
  async #tags({ name, version }: Repository): Promise<readonly Operation[]> {
    const range = { ...tagsOf(name), limit: TAGS_AT_ONCE, keysOnly: true };
    const tags = await this.#registry.table.query(range);
    if (tags.length === 0) return [];
    await refuseImmutableIn(this.#registry, name);
    return [
      { check: repositoryKey(name), when: [equals('version', version)] },
      ...tags.map(({ key }) => ({ remove: key })),
      ...renameOperations(name, { removed: tags.map(tagIn) }),
    ];
  }

  /** Those that no existing index lists; where all are listed, the indexes first. */
  async #manifests(repository: Repository): Promise<readonly Operation[]> {
    const { name } = repository;
    for (;;) {
      const batch = this.#climbed.pop() ?? (await this.#digestsIn(manifestsOf(name), MANIFESTS_AT_ONCE));
      if (batch.length === 0) return [];
      const users = await Promise.all(batch.map((digest) => manifestsUsing(this.#registry, name, digest)));
      const unused = batch.filter((_, index) => users[index]?.length === 0);
      if (unused.length === 0) {
        this.#climbed.push(batch, [...new Set(users.flat())].slice(0, MANIFESTS_AT_ONCE));
        continue;
      }
      const found = await this.#registry.table.getMany(unused.map((digest) => manifestKey(name, digest)));
      const removals = unused.flatMap((digest, index) => {
        const manifest = found[index];
        return manifest ? eraseManifest(this.#registry, name, digest, manifest) : [];
      });
      if (removals.length > 0) return [countRemoval(repository), ...removals];
    }
  }

  async #graves(repository: Repository): Promise<readonly Operation[]> {
    const { name } = repository;
    const graves = await this.#registry.table.query({ ...gravesOf(name), limit: MANIFESTS_AT_ONCE });
    if (graves.length === 0) return [];
    const ends = graves.flatMap((item) =>
      endGrave(this.#registry, name, lastPartOf(item) as Digest, item.attributes),
    );
    return [countDeletion(repository), ...ends];
  }

  async #remainders(repository: Repository): Promise<readonly Operation[]> {
    for (const range of remaindersOf(repository.name)) {
      const items = await this.#registry.table.query({ ...range, limit: ITEMS_AT_ONCE, keysOnly: true });
      if (items.length > 0) return [countDeletion(repository), ...items.map(({ key }) => ({ remove: key }))];
    }
    return [];
  }

  async #blobs(repository: Repository): Promise<readonly Operation[]> {
    const { name } = repository;
    const digests = await this.#digestsIn(blobsOf(name), BLOBS_AT_ONCE);
    if (digests.length === 0) return [];
    const stored = await this.#registry.table.getMany(digests.map(digestKey));
    const removals = digests.flatMap((digest, index) => {
      const object = stored[index];
      // Without one, the link went since it was read.
      return object ? unlinkOperations(this.#registry, name, digest, object) : [];
    });
    return [countDeletion(repository), ...removals];
  }

  async #digestsIn(range: { partition: string; prefix: string }, limit: number): Promise<Digest[]> {
    const items = await this.#registry.table.query({ ...range, limit, keysOnly: true });
    return items.map((item: Item) => lastPartOf(item) as Digest);
  }
}

/** Three operations at most; nothing is left to restore. */
function eraseManifest(
  registry: Registry,
  name: RepositoryName,
  digest: Digest,
  { subject, objectKey }: Attributes,
): Operation[] {
  return [
    { remove: manifestKey(name, digest), when: [present] },
    ...(subject ? [{ remove: referrerKey(name, subject as Digest, digest) }] : []),
    ...(objectKey ? [discard(objectKey as ObjectKey, registry.now() + OUTBOX_DELAY_SECONDS * 1000)] : []),
  ];
}

/** A push that was committed since `version` was read may use what is removed, and one that commits later finds
 *  `deletions` changed. */
const countDeletion = ({ name, version }: Repository): Operation => ({
  update: repositoryKey(name),
  add: { deletions: 1 },
  when: [equals('version', version)],
});

/** The counters stay: a push that read them long ago must find them changed. */
const removeEntry = ({ name, version }: Repository): Operation[] => [
  {
    update: repositoryKey(name),
    set: { listed: false, public: false },
    add: { deletions: 1 },
    when: [equals('version', version)],
  },
  { remove: directoryKey(name) },
];
