import type { Digest } from '../oci/digest.ts';
import { manifestUnknown, nameUnknown } from '../oci/errors.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { type Attributes, type Condition, equals, type Operation } from '../storage/table.ts';
import { moveConditions, refuseImmutable } from './immutable-tags.ts';
import { afterTag, historyKey, policiesKey, tagIn, tagIndexKey, tagKey, tagsOf } from './keys.ts';
import { type Page, type PageRequest, pageOf } from './pages.ts';
import { rulesIn } from './policies.ts';
import { inTurn, LOST, tagTopic } from './races.ts';
import type { Registry } from './registry.ts';
import { findRepository, type PushTarget } from './repositories.ts';
import { readTagNames, renameOperations } from './tag-names.ts';

/** The operations that put a tag on a manifest, beside `renameOperations`; `before` is what the tag was on. The last of
 *  several writers wins, as with any registry, unless a policy holds the tag where it is: then DENIED. Each move is kept in
 *  its history. */
export function moveTag(
  registry: Registry,
  { name, rules }: PushTarget,
  { tag, before }: { readonly tag: Tag; readonly before: Attributes | undefined },
  manifest: Attributes & { readonly digest: Digest },
): Operation[] {
  const { digest } = manifest;
  const when = moveConditions({ name, rules }, tag, { before, digest });
  const attributes = { ...manifest, taggedAt: registry.now(), ...takenBy(registry) };
  const moved = before?.['digest'] !== digest;
  return [
    { put: tagKey(name, tag), attributes, ...(when.length > 0 && { when }) },
    { put: tagIndexKey(name, digest, tag), attributes: {} },
    ...(moved ? [history(registry, name, tag, { digest })] : []),
  ];
}

/** The operations that take tags off a manifest, on condition that they are still on it: four for each at most. */
export function removeTags(
  registry: Registry,
  name: RepositoryName,
  tags: readonly Tag[],
  digest: Digest,
): Operation[] {
  const removals = tags.flatMap((tag) => [
    { remove: tagKey(name, tag), when: [equals('digest', digest)] },
    { remove: tagIndexKey(name, digest, tag) },
    history(registry, name, tag, {}),
  ]);
  return [...removals, ...renameOperations(name, { removed: tags })];
}

/** As `removeTags`, where the manifest stays: its entry in the tag index does, too, and tells retention since when the
 *  manifest has had no tag. */
export function untag(
  registry: Registry,
  name: RepositoryName,
  tag: Tag,
  when: readonly Condition[],
): Operation[] {
  return [
    { remove: tagKey(name, tag), when },
    history(registry, name, tag, {}),
    ...renameOperations(name, { removed: [tag] }),
  ];
}

/** Deletes the tag and leaves its manifest (end-9). DENIED where a policy holds it. */
export async function deleteTag(registry: Registry, name: RepositoryName, tag: Tag): Promise<void> {
  await inTurn(registry, [tagTopic(name, tag)], async (registry) => {
    const [found, stored] = await registry.table.getMany([tagKey(name, tag), policiesKey]);
    if (!found) throw manifestUnknown(name, tag);
    const digest = found['digest'] as Digest;
    refuseImmutable({ name, rules: rulesIn(stored, name) }, tag, digest);
    const { committed } = await registry.table.write(untag(registry, name, tag, [equals('digest', digest)]));
    return committed ? undefined : LOST;
  });
}

/** Ours: a page of so few tags is read from the tags themselves, and every page where their keys alone can be read. The names
 *  of all tags, which are read at once, would be more than that in a large repository. */
const SHORT_PAGE = 100;

/** Tags in byte order (end-8); NAME_UNKNOWN where nothing was ever pushed under this name. */
export async function listTags(registry: Registry, name: RepositoryName, page: PageRequest): Promise<Page> {
  const { last = '' } = page;
  const isLong = page.limit > SHORT_PAGE && !registry.readsKeysAlone;
  const [repository, names] = await Promise.all([
    findRepository(registry, name),
    isLong ? readTagNames(registry, name, last) : undefined,
  ]);
  if (!repository?.listed) throw nameUnknown(name);
  const isListed = names !== undefined && repository.namesTags;
  return pageOf(page, async (limit) => {
    if (isListed) return names.slice(0, limit);
    const after = last === '' ? {} : { after: afterTag(last) };
    const items = await registry.table.query({ ...tagsOf(name), ...after, limit, keysOnly: true });
    return items.map(tagIn);
  });
}

/** A tag and what it is on. */
export interface TagDetails {
  readonly name: Tag;
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly taggedAt: number;
  readonly by?: string;
}

export async function findTag(
  { table }: Registry,
  name: RepositoryName,
  tag: Tag,
): Promise<TagDetails | undefined> {
  const found = await table.get(tagKey(name, tag));
  return found && detailsOf(tag, found);
}

/** What a tag's item says of it. */
export function detailsOf(name: Tag, found: Attributes): TagDetails {
  const by = found['taggedBy'];
  return {
    name,
    digest: found['digest'] as Digest,
    mediaType: found['mediaType'] as string,
    size: found['size'] as number,
    taggedAt: found['taggedAt'] as number,
    ...(by !== undefined && { by: by as string }),
  };
}

/** A history item without a digest says that the tag was deleted. */
function history(registry: Registry, name: RepositoryName, tag: Tag, attributes: Attributes): Operation {
  const by = registry.actor === undefined ? {} : { by: registry.actor };
  return {
    put: historyKey(name, tag, registry.now(), registry.newId()),
    attributes: { ...attributes, ...by },
  };
}

const takenBy = ({ actor }: Registry) => (actor === undefined ? {} : { taggedBy: actor });
