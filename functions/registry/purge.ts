import type { Digest } from '../oci/digest.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { ObjectKey } from '../storage/blob-store.ts';
import { MAX_OPERATIONS } from '../storage/table.ts';
import { blobKey, graveKey, linkerIn, linkersOf, manifestKey, repositories, repositoryIn } from './keys.ts';
import { deleteWaiting } from './outbox.ts';
import { type Purged, PurgeRun } from './purge-run.ts';
import type { Registry } from './registry.ts';

export type { Purged } from './purge-run.ts';

export interface PurgeOptions {
  /** Milliseconds since 1970, after which it begins nothing further; whoever asks again goes on. */
  readonly until: number;
  /** Only tells what would go. @default false */
  readonly dryRun?: boolean;
  /** Throws where a manifest may not go. @default each may */
  readonly permit?: (name: RepositoryName, digest: Digest) => Promise<void>;
}

export interface PurgeResult {
  readonly entries: readonly Purged[];
  /** Objects that were deleted from the blob store. */
  readonly objects: readonly ObjectKey[];
  /** Whether its time was not enough: the same request goes on. */
  readonly remaining: boolean;
}

/** Takes a blob or a manifest from one repository for good, without a quarantine, and its bytes from the store where no other
 *  repository has them: with a blob all manifests that use it, with a manifest its blobs and children that nothing else uses, and
 *  the indexes that list it. What is shared stays, and is told. A push that is under way begins again; one that comes later is a new one. It may die at any
 *  step and be run again. */
export async function purgeIn(
  registry: Registry,
  name: RepositoryName,
  digest: Digest,
  options: PurgeOptions,
): Promise<PurgeResult> {
  return purgeEach(registry, [name], digest, options);
}

/** As `purgeIn`, from every repository, past `last` or from the first; `next` is the `last` of the request that goes on. */
export async function purgeEverywhere(
  registry: Registry,
  digest: Digest,
  { last, ...options }: PurgeOptions & { readonly last?: RepositoryName | undefined },
): Promise<PurgeResult & { readonly next?: RepositoryName }> {
  const entries: Purged[] = [];
  const objects: ObjectKey[] = [];
  const answer = (next: RepositoryName | undefined) => ({
    entries,
    objects,
    remaining: true,
    ...(next !== undefined && { next }),
  });
  for (let after = last; ; ) {
    const { names, having, isLast } = await nextWith(registry, digest, after);
    const result = having.size > 0 || isLast ? await purgeEach(registry, having, digest, options) : undefined;
    entries.push(...(result?.entries ?? []));
    objects.push(...(result?.objects ?? []));
    if (result?.remaining) return answer(after);
    if (isLast) return { entries, objects, remaining: false };
    after = names.at(-1);
    if (registry.now() >= options.until) return answer(after);
  }
}

/** The repositories past `after` in the catalog, and which of them have it; at the beginning also those that are not in the
 *  catalog, for lack of a manifest. */
async function nextWith(registry: Registry, digest: Digest, after: RepositoryName | undefined) {
  const { table } = registry;
  const from = after === undefined ? {} : { after };
  const page = await table.query({ ...repositories, ...from, limit: NAMES_AT_ONCE, keysOnly: true });
  const names = page.map(repositoryIn);
  const others = after === undefined ? await linkersWith(registry, digest) : [];
  const having = new Set([...(await havingIt(registry, names, digest)), ...others]);
  return { names, having, isLast: page.length < NAMES_AT_ONCE };
}

/** Three items of each, in 100 that are read at once. */
const NAMES_AT_ONCE = Math.floor(MAX_OPERATIONS / 3);

async function linkersWith({ table }: Registry, digest: Digest): Promise<RepositoryName[]> {
  const linkers = await table.query({ ...linkersOf(digest), limit: MAX_OPERATIONS, keysOnly: true });
  return linkers.map(linkerIn);
}

async function havingIt({ table }: Registry, names: readonly RepositoryName[], digest: Digest) {
  if (names.length === 0) return [];
  const kinds = [blobKey, manifestKey, graveKey];
  const found = await table.getMany(names.flatMap((name) => kinds.map((keyOf) => keyOf(name, digest))));
  return names.filter((_, index) => kinds.some((_, kind) => found[kinds.length * index + kind]));
}

/** What is left in the end is what the manifests are known by: whoever dies before is followed by one that finds them. */
async function purgeEach(
  registry: Registry,
  names: Iterable<RepositoryName>,
  digest: Digest,
  options: PurgeOptions,
): Promise<PurgeResult> {
  const entries: Purged[] = [];
  const runs: PurgeRun[] = [];
  let remaining = false;
  for (const name of names) {
    const run = new PurgeRun(registry, name, { ...options, report: (entry) => entries.push(entry) });
    runs.push(run);
    remaining = !(await run.take(digest));
    if (remaining) break;
  }
  if (options.dryRun) return { entries, objects: [], remaining };
  const gone = new Set([digest, ...runs.flatMap((run) => [...run.unlinked])]);
  const objects = [...(await deleteWaiting(registry, gone))];
  const manifests = new Set<Digest>();
  for (const run of runs) for (const each of await run.end()) manifests.add(each);
  if (manifests.size > 0) objects.push(...(await deleteWaiting(registry, manifests)));
  return { entries, objects, remaining };
}
