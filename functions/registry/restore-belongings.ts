import type { Digest } from '../oci/digest.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { MAX_OPERATIONS } from '../storage/table.ts';
import { companionTagsOf } from './companions.ts';
import { buriedReferrersOf, graveKey, lastPartOf, tagKey } from './keys.ts';
import type { Registry } from './registry.ts';
import { lastPlaceOf } from './tag-history.ts';

/** Something that came and went with a manifest. */
export interface Belonging {
  readonly digest: Digest;
  /** Where it hung on a tag, as cosign's signatures do; and when that was put there, milliseconds since 1970. */
  readonly tag?: { readonly name: Tag; readonly taggedAt: number };
}

/** What belonged to a manifest and was deleted at `since` (milliseconds) or later: its referrers, and the tags that clients
 *  name after its digest. */
export async function belongingsOf(
  registry: Registry,
  name: RepositoryName,
  digest: Digest,
  since: number,
): Promise<Belonging[]> {
  return [
    ...(await referrersOf(registry, name, digest, since)),
    ...(await tagsNamedAfter(registry, name, digest, since)),
  ];
}

async function referrersOf(
  { table }: Registry,
  name: RepositoryName,
  subject: Digest,
  since: number,
): Promise<Belonging[]> {
  const belongings: Belonging[] = [];
  let after: string | undefined;
  for (;;) {
    const range = { ...buriedReferrersOf(name, subject), limit: MAX_OPERATIONS, keysOnly: true };
    const items = await table.query({ ...range, ...(after !== undefined && { after }) });
    if (items.length === 0) return belongings;
    const digests = items.map((item) => lastPartOf(item) as Digest);
    const graves = await table.getMany(digests.map((digest) => graveKey(name, digest)));
    const isMeant = (index: number) => ((graves[index]?.['deletedAt'] as number | undefined) ?? 0) >= since;
    belongings.push(...digests.filter((_, index) => isMeant(index)).map((digest) => ({ digest })));
    if (items.length < MAX_OPERATIONS) return belongings;
    after = items.at(-1)?.key.sort;
  }
}

async function tagsNamedAfter(
  registry: Registry,
  name: RepositoryName,
  digest: Digest,
  since: number,
): Promise<Belonging[]> {
  const tags = companionTagsOf(digest);
  if (tags.length === 0) return [];
  const found = await registry.table.getMany(tags.map((tag) => tagKey(name, tag)));
  const belongings: Belonging[] = [];
  for (const tag of tags.filter((_, index) => !found[index])) {
    const last = await lastPlaceOf(registry, name, tag);
    if (!last || (last.leftAt ?? 0) < since) continue;
    belongings.push({ digest: last.digest, tag: { name: tag, taggedAt: last.taggedAt } });
  }
  return belongings;
}
