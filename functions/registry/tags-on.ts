import type { Digest } from '../oci/digest.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { MAX_OPERATIONS } from '../storage/table.ts';
import { lastPartOf, tagIndexOf, tagKey } from './keys.ts';
import type { Registry } from './registry.ts';

/** Ours: entries of the index that one request looks through. One that is left behind by a tag that moved on is one, too. */
const MAX_ENTRIES = 1000;

/** The tags that are on a manifest, in byte order, up to `limit`; the index of tags is a hint, so each is looked up. */
export async function tagsOn(
  { table }: Registry,
  name: RepositoryName,
  digest: Digest,
  limit: number,
): Promise<{ readonly tags: readonly Tag[]; readonly more: boolean }> {
  const tags: Tag[] = [];
  let after: string | undefined;
  for (let read = 0; read < MAX_ENTRIES; read += MAX_OPERATIONS) {
    const range = { ...tagIndexOf(name, digest), limit: MAX_OPERATIONS };
    const entries = await table.query({ ...range, ...(after !== undefined && { after }) });
    // What has left says so.
    const named = entries.filter(({ attributes }) => attributes['left'] === undefined);
    const names = named.map((entry) => lastPartOf(entry) as Tag);
    const found = names.length > 0 ? await table.getMany(names.map((tag) => tagKey(name, tag))) : [];
    tags.push(...names.filter((_, index) => found[index]?.['digest'] === digest));
    if (tags.length > limit) return { tags: tags.slice(0, limit), more: true };
    if (entries.length < MAX_OPERATIONS) return { tags, more: false };
    after = entries.at(-1)?.key.sort;
  }
  return { tags, more: true };
}
