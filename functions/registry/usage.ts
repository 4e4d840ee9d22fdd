import type { RepositoryName } from '../oci/reference.ts';
import type { Item } from '../storage/table.ts';
import { everyRepository } from './every-repository.ts';
import { heldIn } from './hold-items.ts';
import { blobsOf, gravesOf, holdsOf, manifestsOf, tagsOf } from './keys.ts';
import type { Registry } from './registry.ts';

/** What quotas count. */
export const KINDS = ['bytes', 'tags'] as const;
export type Kind = (typeof KINDS)[number];
export type Totals = Readonly<Record<Kind, number>>;

/** How many items are read at once, and of how many repositories. */
const READ_AT_ONCE = 1000;
const REPOSITORIES_AT_ONCE = 10;

/** Bytes of the blobs that the repositories link, each counted once in each of them, of their manifests, also of those that can
 *  be restored, and of uploads that are under way; and their tags. 1,000 of each are one read. */
export async function totalsOf(registry: Registry, names: readonly RepositoryName[]): Promise<Totals> {
  let [bytes, tags] = [0, 0];
  for (let start = 0; start < names.length; start += REPOSITORIES_AT_ONCE) {
    const batch = names.slice(start, start + REPOSITORIES_AT_ONCE);
    for (const totals of await Promise.all(batch.map((name) => totalsIn(registry, name)))) {
      bytes += totals.bytes;
      tags += totals.tags;
    }
  }
  return { bytes, tags };
}

async function totalsIn(registry: Registry, name: RepositoryName): Promise<Totals> {
  let [bytes, tags] = [0, 0];
  // What moves meanwhile is seen at least once: from a hold to a blob or a manifest, from there to its grave and back.
  for await (const { attributes } of itemsIn(registry, holdsOf(name))) bytes += heldIn(attributes);
  for await (const { attributes } of itemsIn(registry, blobsOf(name))) bytes += attributes['size'] as number;
  const manifests = new Map<string, number>();
  for (const range of [gravesOf(name), manifestsOf(name), gravesOf(name)])
    for await (const { key, attributes } of itemsIn(registry, range))
      manifests.set(key.sort.slice(2), attributes['size'] as number);
  for (const size of manifests.values()) bytes += size;
  for await (const _ of itemsIn(registry, { ...tagsOf(name), keysOnly: true })) tags += 1;
  return { bytes, tags };
}

/** All repositories with such names that exist, in the catalog or not. */
export async function repositoriesLike(
  registry: Registry,
  isWanted: (name: RepositoryName) => boolean,
): Promise<readonly RepositoryName[]> {
  const names: RepositoryName[] = [];
  for await (const name of everyRepository(registry.table)) if (isWanted(name)) names.push(name);
  return names;
}

interface Range {
  readonly partition: string;
  readonly prefix?: string;
  readonly keysOnly?: boolean;
}

async function* itemsIn({ table }: Registry, range: Range): AsyncGenerator<Item> {
  for (let after: string | undefined; ; ) {
    const page = { ...range, limit: READ_AT_ONCE, ...(after !== undefined && { after }) };
    const items = await table.query(page);
    yield* items;
    if (items.length < READ_AT_ONCE) return;
    after = items.at(-1)?.key.sort;
  }
}
