import type { Digest } from '../oci/digest.ts';
import type { RepositoryName } from '../oci/reference.ts';
import {
  absent,
  type Condition,
  equals,
  type Item,
  MAX_OPERATIONS,
  type Operation,
  type Query,
} from '../storage/table.ts';
import { unlinkOperations } from './blobs.ts';
import {
  allReferrersOf,
  blobsOf,
  digestKey,
  edgesOf,
  lastPartOf,
  manifestKey,
  remaindersOf,
  repositoryKey,
  tagIndexesOf,
  tagNamesOf,
  tagsOf,
  targetOf,
} from './keys.ts';
import { endOldPushes } from './pushes-under-way.ts';
import { LOST } from './races.ts';
import type { Registry } from './registry.ts';
import { findRepository } from './repositories.ts';
import type { Step } from './repository-deletion.ts';

/** That what comes before is to be looked for once more. */
export const AGAIN = Symbol('again');

/** With a check of the manifest for each, in 100 operations a transaction. */
const WITH_CHECKS_AT_ONCE = MAX_OPERATIONS / 2;

/** Four operations a blob. */
const BLOBS_AT_ONCE = 25;

/** What a repository has beside tags, manifests and graves, once these are gone. A push may come at any time: so each step
 *  takes only what no manifest can use that is there or is about to be. */
export class Remains {
  readonly #registry: Registry;
  readonly #name: RepositoryName;
  /** What was touched until this epoch is of no use to any push that can still commit. */
  #horizon: number | undefined;

  constructor(registry: Registry, name: RepositoryName) {
    [this.#registry, this.#name] = [registry, name];
  }

  /** Entries of the tag index, and of referrers: on condition that there is no such manifest. */
  async ofManifests(): Promise<Step> {
    for (const range of [tagIndexesOf(this.#name), allReferrersOf(this.#name)]) {
      const items = await this.#query({ ...range, limit: WITH_CHECKS_AT_ONCE, keysOnly: true });
      if (items.length === 0) continue;
      const manifestIn = (item: Item) =>
        (item.key.sort.startsWith('I#') ? targetOf(item) : lastPartOf(item)) as Digest;
      const digests = new Set(items.map(manifestIn));
      return [
        ...[...digests].map((digest) => ({ check: manifestKey(this.#name, digest), when: [absent] })),
        ...items.map(({ key }) => ({ remove: key })),
      ];
    }
    return [];
  }

  /** Edges and blob links: those of old, as a sweep takes them that comes two epochs later. What is younger is of a push that
   *  has come since the deletion began; it is found, and then that is old, too. */
  async ofPushes(): Promise<Step | typeof AGAIN> {
    const edges = await this.#query({ ...edgesOf(this.#name), limit: MAX_OPERATIONS });
    const links = edges.length > 0 ? [] : await this.#query({ ...blobsOf(this.#name), limit: BLOBS_AT_ONCE });
    const found = [...edges, ...links];
    if (found.length === 0) return [];
    const isOld = ({ attributes }: Item) => (attributes['touched'] as number) <= (this.#horizon ?? -1);
    const old = found.filter(isOld);
    if (old.length === 0) return this.#passEpochs();
    return edges.length > 0
      ? old.map((edge) => ({ remove: edge.key, when: [asTouched(edge)] }))
      : this.#unlink(old);
  }

  /** Names of tags, where there are none, and all that harms nobody. */
  async ofTags(): Promise<Step> {
    const shards = await this.#query({ ...tagNamesOf(this.#name), limit: MAX_OPERATIONS });
    const [tag] =
      shards.length > 0 ? await this.#query({ ...tagsOf(this.#name), limit: 1, keysOnly: true }) : [];
    if (tag) return LOST;
    if (shards.length > 0) return shards.map(removeShard);
    for (const range of remaindersOf(this.#name)) {
      const items = await this.#query({ ...range, limit: MAX_OPERATIONS, keysOnly: true });
      if (items.length > 0) return items.map(({ key }) => ({ remove: key }));
    }
    return [];
  }

  /** As if two sweeps had come: no push that began before can commit, and what comes now touches what it uses. Manifests that
   *  were committed meanwhile are to be looked for once more. */
  async #passEpochs(): Promise<typeof AGAIN> {
    const { epoch = 0 } = (await findRepository(this.#registry, this.#name)) ?? {};
    const { committed } = await this.#registry.table.write([
      {
        update: repositoryKey(this.#name),
        set: { epoch: epoch + 2, epochAt: this.#registry.now() },
        when: [equals('epoch', epoch)],
      },
    ]);
    if (!committed) return AGAIN;
    await endOldPushes(this.#registry, this.#name, epoch);
    this.#horizon = epoch;
    return AGAIN;
  }

  async #unlink(links: readonly Item[]): Promise<Step> {
    const digests = links.map((link) => lastPartOf(link) as Digest);
    const stored = await this.#registry.table.getMany(digests.map(digestKey));
    const operations = links.flatMap((link, index): Operation[] => {
      const [digest, object] = [digests[index], stored[index]];
      if (!digest || !object) return []; // the link went since it was read
      return unlinkOperations(this.#registry, this.#name, digest, object, [asTouched(link)]);
    });
    return operations.length > 0 ? operations : LOST;
  }

  #query(query: Query): Promise<readonly Item[]> {
    return this.#registry.table.query(query);
  }
}

const asTouched = ({ attributes }: Item): Condition => equals('touched', attributes['touched'] as number);

/** On condition that no name has come or gone since it was read. */
function removeShard({ key, attributes: { changes } }: Item): Operation {
  // Of a time before these were counted.
  if (changes === undefined) return { update: key, add: { changes: 1 } };
  return { remove: key, when: [equals('changes', changes as number)] };
}
