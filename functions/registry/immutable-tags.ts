import type { Digest } from '../oci/digest.ts';
import { tagImmutable } from '../oci/errors.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import {
  type Attributes,
  absent,
  type Condition,
  equals,
  type Item,
  MAX_OPERATIONS,
  present,
} from '../storage/table.ts';
import { lastPartOf, policiesKey, tagIn, tagIndexOf, tagKey, tagsOf } from './keys.ts';
import { countsTags, immutableBy, type Rules, rulesIn } from './policies.ts';
import type { Registry } from './registry.ts';

/** A repository and what holds for it. */
interface Ruled {
  readonly name: RepositoryName;
  readonly rules: Rules;
}

/** What must hold of a tag that is put on `digest`; nothing where any writer may move it. DENIED where a policy holds it on
 *  another manifest. Of two first pushes one finds the tag there, reads again and is refused. Where tags are counted, a
 *  tag that was there must still be: a new one is counted by its own push. */
export function moveConditions(
  { name, rules }: Ruled,
  tag: Tag,
  { before, digest }: { readonly before: Attributes | undefined; readonly digest: Digest },
): readonly Condition[] {
  const policy = immutableBy(rules.policies, tag);
  if (!policy && !countsTags(rules.policies)) return [];
  if (!before) return [absent];
  if (!policy) return [present];
  if (before['digest'] === digest) return [equals('digest', digest)];
  const stays = { repository: name, tag, digest: before['digest'] as Digest, policy: policy.name };
  throw tagImmutable(stays, 'moved');
}

/** DENIED where a policy holds the tag, which is on `digest`. */
export function refuseImmutable({ name, rules }: Ruled, tag: Tag, digest: Digest): void {
  const policy = immutableBy(rules.policies, tag);
  if (policy) throw tagImmutable({ repository: name, tag, digest, policy: policy.name }, 'deleted');
}

/** DENIED where a policy holds a tag of the manifest. One that is put on it later raises the repository's `version`. */
export async function refuseImmutableOn(
  registry: Registry,
  name: RepositoryName,
  digest: Digest,
): Promise<void> {
  await eachImmutable(registry, { name, range: tagIndexOf(name, digest) }, lastPartOf, (ruled, tag, on) => {
    if (on === digest) refuseImmutable(ruled, tag, digest); // entries are hints: it may have moved on
  });
}

/** DENIED where a policy holds any tag of the repository. */
export async function refuseImmutableIn(registry: Registry, name: RepositoryName): Promise<void> {
  await eachImmutable(registry, { name, range: tagsOf(name) }, tagIn, (ruled, tag, on) => {
    if (on) refuseImmutable(ruled, tag, on);
  });
}

/** Costs one read where no policy has immutable tags. */
async function eachImmutable(
  { table }: Registry,
  { name, range }: { readonly name: RepositoryName; readonly range: { partition: string; prefix: string } },
  tagOf: (item: Item) => string,
  visit: (ruled: Ruled, tag: Tag, on: Digest | undefined) => void,
): Promise<void> {
  const rules = rulesIn(await table.get(policiesKey), name);
  if (!rules.policies.some(({ immutable }) => immutable)) return;
  for (let after: string | undefined; ; ) {
    const page = { ...range, limit: MAX_OPERATIONS, keysOnly: true, ...(after !== undefined && { after }) };
    const items = await table.query(page);
    const tags = items.map((item) => tagOf(item) as Tag).filter((tag) => immutableBy(rules.policies, tag));
    const found = tags.length > 0 ? await table.getMany(tags.map((tag) => tagKey(name, tag))) : [];
    for (const [index, tag] of tags.entries()) {
      visit({ name, rules }, tag, found[index]?.['digest'] as Digest | undefined);
    }
    if (items.length < MAX_OPERATIONS) return;
    after = items.at(-1)?.key.sort;
  }
}
