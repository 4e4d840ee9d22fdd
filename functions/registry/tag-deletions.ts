import type { Digest } from '../oci/digest.ts';
import { RegistryError, tagImmutable } from '../oci/errors.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import type { Registry } from './registry.ts';
import { type TagRow, tagRows } from './tag-rows.ts';
import { deleteTag } from './tags.ts';
import { tagsOn } from './tags-on.ts';

/** What becomes of one of many tags that are to be deleted. */
export interface TagDeletion {
  readonly name: Tag;
  readonly outcome: 'deleted' | 'refused' | 'missing';
  readonly digest?: Digest;
  readonly imageBytes?: number;
  /** Other tags on its manifest that stay, the first five. */
  readonly alsoOn?: readonly Tag[];
  /** The policy that refuses it. */
  readonly policy?: string;
  /** Why it is refused, for people. */
  readonly reason?: string;
}

/** Ours: tags that are deleted at once. */
const AT_ONCE = 5;

const MAX_OTHERS = 5;

/** Deletes up to 100 tags, each by itself: what is refused does not stop the others. A dry run tells what would be. */
export async function deleteTags(
  registry: Registry,
  name: RepositoryName,
  tags: readonly Tag[],
  { dryRun }: { readonly dryRun: boolean },
): Promise<readonly TagDeletion[]> {
  const { rows } = await tagRows(registry, name, tags);
  const byName = new Map(rows.map((row) => [row.name, row]));
  const leaving = new Set<Tag>(tags.filter((tag) => byName.get(tag)?.immutableBy === undefined));
  const others = await othersOn(registry, name, rows, leaving);
  return eachOf(tags, async (tag): Promise<TagDeletion> => {
    const row = byName.get(tag);
    if (!row) return { name: tag, outcome: 'missing' };
    const { digest, imageBytes } = row;
    const told = {
      ...{ name: tag, digest, alsoOn: others.get(digest) ?? [] },
      ...(imageBytes !== undefined && { imageBytes }),
    };
    const refused = await refusalOf(registry, name, row, dryRun);
    return { ...told, ...(refused ?? { outcome: 'deleted' }) };
  });
}

/** What is put elsewhere meanwhile is deleted there: it is the tag that was named. */
async function refusalOf(registry: Registry, name: RepositoryName, row: TagRow, dryRun: boolean) {
  const { name: tag, digest, immutableBy: policy } = row;
  if (policy !== undefined) {
    const reason = tagImmutable({ repository: name, tag, digest, policy }, 'deleted').message;
    return { outcome: 'refused', policy, reason } as const;
  }
  if (dryRun) return undefined;
  try {
    await deleteTag(registry, name, tag);
    return undefined;
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    if (error.code === 'MANIFEST_UNKNOWN') return { outcome: 'missing' } as const;
    return { outcome: 'refused', reason: error.message } as const;
  }
}

async function othersOn(
  registry: Registry,
  name: RepositoryName,
  rows: readonly TagRow[],
  leaving: ReadonlySet<Tag>,
): Promise<ReadonlyMap<Digest, readonly Tag[]>> {
  const digests = [...new Set(rows.map(({ digest }) => digest))];
  const found = await eachOf(digests, async (digest) => {
    const { tags } = await tagsOn(registry, name, digest, leaving.size + MAX_OTHERS);
    return [digest, tags.filter((tag) => !leaving.has(tag)).slice(0, MAX_OTHERS)] as const;
  });
  return new Map(found);
}

async function eachOf<T, R>(all: readonly T[], act: (one: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  for (let start = 0; start < all.length; start += AT_ONCE)
    results.push(...(await Promise.all(all.slice(start, start + AT_ONCE).map(act))));
  return results;
}
