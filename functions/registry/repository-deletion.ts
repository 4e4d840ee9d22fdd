import type { Digest } from '../oci/digest.ts';
import { nameUnknown } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { Operation } from '../storage/table.ts';
import { endGrave } from './graves.ts';
import { refuseImmutableIn } from './immutable-tags.ts';
import { directoryKey, gravesOf, lastPartOf, manifestsOf, repositoryKey, tagIn, tagsOf } from './keys.ts';
import { ManifestErasure } from './manifest-erasure.ts';
import { markAsGoing, UNMARKED } from './marks.ts';
import { endOldPushes } from './pushes-under-way.ts';
import { LOST } from './races.ts';
import type { Registry } from './registry.ts';
import { AGAIN, Remains } from './repository-remains.ts';
import { disturb } from './rest.ts';
import { renameOperations } from './tag-names.ts';

/** Ours: what one call does at most, well inside Lambda's 29 s; whoever asks again goes on. */
const MAX_TRANSACTIONS = 200;
const MAX_MS = 10_000;

/** Two operations a tag, three a grave, in 100 operations a transaction. */
const TAGS_AT_ONCE = 50;
const GRAVES_AT_ONCE = 30;

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
  await disturb(registry, name);
  const until = registry.now() + MAX_MS;
  const deletion = new Deletion(registry, name);
  for (let written = 0; written < transactions && registry.now() < until; written += 1) {
    const step = await deletion.next();
    if (!step && written === 0) await requireEntry(registry, name);
    if (!step && (await removeEntry(registry, name))) return 'done';
    const isWon = step && (await take(registry, step));
    if (!isWon) await registry.pause(1);
  }
  return 'remaining';
}

async function requireEntry({ table }: Registry, name: RepositoryName): Promise<void> {
  if (!(await table.get(directoryKey(name)))) throw nameUnknown(name);
}

const take = async ({ table }: Registry, step: Step) => step !== LOST && (await table.write(step)).committed;

/** What a stage would write, nothing where it finds nothing; `LOST` where others have come in between. */
export type Step = readonly Operation[] | typeof LOST;

/** Finds what is to be removed next, always so that what can still be read is whole: tags before manifests, an index
 *  before its children, manifests before blobs. */
class Deletion {
  readonly #registry: Registry;
  readonly #name: RepositoryName;
  readonly #stages: readonly (() => Promise<Step | typeof AGAIN>)[];

  constructor(registry: Registry, name: RepositoryName) {
    [this.#registry, this.#name] = [registry, name];
    const manifests = new ManifestErasure(registry, name);
    const remains = new Remains(registry, name);
    this.#stages = [
      () => this.#tags(),
      () => manifests.next(),
      () => this.#graves(),
      () => remains.ofManifests(),
      () => remains.ofTags(),
      () => remains.ofPushes(),
    ];
  }

  /** Looks anew each time: somebody may have pushed since. `undefined` where nothing is left. */
  async next(): Promise<Step | undefined> {
    for (;;) {
      const step = await this.#first();
      if (step !== AGAIN) return step;
    }
  }

  async #first(): Promise<Step | typeof AGAIN | undefined> {
    for (const stage of this.#stages) {
      const step = await stage();
      if (step === AGAIN || step === LOST || step.length > 0) return step;
    }
    return undefined;
  }

  /** A policy may hold one that was put there since the deletion began. */
  async #tags(): Promise<Step> {
    const range = { ...tagsOf(this.#name), limit: TAGS_AT_ONCE, keysOnly: true };
    const tags = await this.#registry.table.query(range);
    if (tags.length === 0) return [];
    await refuseImmutableIn(this.#registry, this.#name);
    return [
      ...tags.map(({ key }) => ({ remove: key })),
      ...renameOperations(this.#name, { removed: tags.map(tagIn) }),
    ];
  }

  async #graves(): Promise<Step> {
    const graves = await this.#registry.table.query({ ...gravesOf(this.#name), limit: GRAVES_AT_ONCE });
    return graves.flatMap((item) =>
      endGrave(this.#registry, this.#name, lastPartOf(item) as Digest, item.attributes),
    );
  }
}

/** As with all that goes, first a mark. A push that has not seen it starts again, or is found by what it has committed; one
 *  that sees it takes it off, and enters the repository anew. */
async function removeEntry(registry: Registry, name: RepositoryName): Promise<boolean> {
  const { table } = registry;
  const found = await table.get(repositoryKey(name));
  const mark = found && (await markAsGoing(registry, repositoryKey(name), found));
  if (!mark) return false;
  await endOldPushes(registry, name, Number.POSITIVE_INFINITY);
  const [manifest] = await table.query({ ...manifestsOf(name), limit: 1, keysOnly: true });
  if (manifest) return false;
  const set = { listed: false, public: false, ...UNMARKED };
  const { committed } = await table.write([
    { update: repositoryKey(name), set, when: [mark] },
    { remove: directoryKey(name) },
  ]);
  return committed;
}
