import type { Digest } from '../oci/digest.ts';
import { manifestInvalid } from '../oci/errors.ts';
import type { ManifestReference } from '../oci/manifest.ts';
import type { RepositoryName } from '../oci/reference.ts';
import { type Attributes, type Key, MAX_OPERATIONS, type Operation } from '../storage/table.ts';
import { blobKey, edgesTo, graveKey, lastPartOf, manifestKey, pushKey } from './keys.ts';
import { allowsSparse } from './policies.ts';
import { endPush } from './pushes-under-way.ts';
import type { Registry } from './registry.ts';
import type { PushTarget } from './repositories.ts';
import { touchAll } from './touch.ts';

/** A push that is about to make a manifest. */
export interface Holding {
  readonly repository: PushTarget;
  readonly manifest: Digest;
  readonly references: readonly ManifestReference[];
}

/** What a manifest refers to, as the repository has it. */
interface Held {
  readonly missing: readonly Digest[];
  /** The items of the others. */
  readonly found: ReadonlyMap<Digest, Attributes>;
}

/** Touches all that the manifest refers to, once it is announced. What an index may lack by a
 *  policy has an edge all the same: where it comes later, it is the index's. */
export async function holdReferences(
  registry: Registry,
  { repository: { name, epoch, rules }, references }: Holding,
): Promise<Held> {
  const wanted = references.flatMap((reference) =>
    candidates(name, reference).map((key) => ({ key, reference })),
  );
  const found = await touchAll(registry, wanted, epoch);
  const held = new Map<ManifestReference, Attributes>();
  for (const [index, { reference }] of wanted.entries()) {
    const attributes = found[index];
    if (attributes) held.set(reference, attributes);
  }
  const mayLack = ({ kind, optional }: ManifestReference) =>
    optional || (kind !== 'blob' && allowsSparse(rules));
  const missing = references.filter((reference) => !held.has(reference) && !mayLack(reference));
  if (missing.length === 0) checkSizes(held);
  return {
    missing: missing.map(({ digest }) => digest),
    found: new Map([...held].map(([{ digest }, attributes]) => [digest, attributes])),
  };
}

/** Where a reference may be found; the child of an index is looked up both ways. */
function candidates(name: RepositoryName, { kind, digest }: ManifestReference): Key[] {
  if (kind === 'blob') return [blobKey(name, digest)];
  return kind === 'manifest'
    ? [manifestKey(name, digest)]
    : [manifestKey(name, digest), blobKey(name, digest)];
}

function checkSizes(held: ReadonlyMap<ManifestReference, Attributes>): void {
  for (const [{ digest, size }, attributes] of held) {
    // Clients check sizes when they pull: an image with a wrong one could never be used.
    if (attributes['size'] !== size) {
      throw manifestInvalid(`the descriptor of ${digest} says ${size} bytes, it has ${attributes['size']}`);
    }
  }
}

/** Existing manifests whose edges point at `target`, up to a hundred; empty where nothing uses it. Edges
 *  whose manifest does not exist (a push under way, or a deleted manifest) do not count. */
export async function manifestsUsing(
  registry: Registry,
  name: RepositoryName,
  target: Digest,
): Promise<Digest[]> {
  for await (const users of pagesOfUsers(registry, name, target)) {
    const found = await registry.table.getMany(users.map((digest) => manifestKey(name, digest)));
    const existing = users.filter((_, index) => found[index] !== undefined);
    if (existing.length > 0) return existing;
  }
  return [];
}

/** Manifests that use `target`, those that are deleted and can be brought back as well. */
export async function* holdersOf(
  registry: Registry,
  name: RepositoryName,
  target: Digest,
): AsyncGenerator<Digest> {
  for await (const users of pagesOfUsers(registry, name, target)) {
    // In this order: one that is deleted meanwhile is among the graves.
    const there = await registry.table.getMany(users.map((digest) => manifestKey(name, digest)));
    const buried = await registry.table.getMany(users.map((digest) => graveKey(name, digest)));
    yield* users.filter((_, index) => there[index] ?? buried[index]);
  }
}

/** Who uses what is marked as going: manifests, of which there are none where it may go; and pushes under way, each by
 *  the operation that ends it, which belong into the transaction that removes it. */
export interface Users {
  readonly manifests: readonly Digest[];
  readonly pushes: readonly Operation[];
}

/** As `manifestsUsing`, once `target` is marked. Pushes are read before manifests: one that commits in between is seen. */
export async function usersOf(registry: Registry, name: RepositoryName, target: Digest): Promise<Users> {
  const pushes: Operation[] = [];
  for await (const users of pagesOfUsers(registry, name, target)) {
    const underWay = await registry.table.getMany(users.map((digest) => pushKey(name, digest)));
    const found = await registry.table.getMany(users.map((digest) => manifestKey(name, digest)));
    const manifests = users.filter((_, index) => found[index] !== undefined);
    if (manifests.length > 0) return { manifests, pushes: [] };
    pushes.push(...users.flatMap((digest, index) => endPush(pushKey(name, digest), underWay[index])));
  }
  return { manifests: [], pushes };
}

/** What is asked of a manifest that is to go. */
interface Beside {
  readonly name: RepositoryName;
  readonly target: Digest;
  /** What goes with it. */
  readonly goes: (user: Digest) => boolean;
  /** Pushes that were touched up to this epoch are as good as ended. @default none is */
  readonly ended?: number | undefined;
}

/** Whether anything uses `target`, once it is marked, besides what goes with it: another manifest, or a push under way. */
export async function isUsedBeside(
  registry: Registry,
  { name, target, goes, ended = -1 }: Beside,
): Promise<boolean> {
  for await (const users of pagesOfUsers(registry, name, target)) {
    const pushes = await registry.table.getMany(users.map((digest) => pushKey(name, digest)));
    const others = users.filter((digest) => !goes(digest)).map((digest) => manifestKey(name, digest));
    const found = others.length > 0 ? await registry.table.getMany(others) : [];
    const isUnderWay = pushes.some((push) => push && (push['touched'] as number) > ended);
    if (isUnderWay || found.some((each) => each !== undefined)) return true;
  }
  return false;
}

async function* pagesOfUsers({ table }: Registry, name: RepositoryName, target: Digest) {
  const range = { ...edgesTo(name, target), limit: MAX_OPERATIONS, keysOnly: true };
  for (let after: string | undefined; ; ) {
    const edges = await table.query({ ...range, ...(after !== undefined && { after }) });
    if (edges.length > 0) yield edges.map((edge) => lastPartOf(edge) as Digest);
    if (edges.length < MAX_OPERATIONS) return;
    after = edges.at(-1)?.key.sort;
  }
}
