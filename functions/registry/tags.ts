import type { Digest } from '../oci/digest.ts';
import { manifestUnknown, nameUnknown } from '../oci/errors.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { type Attributes, type Condition, equals, type Operation } from '../storage/table.ts';
import { moveConditions, refuseImmutable } from './immutable-tags.ts';
import { afterTag, historyKey, policiesKey, tagIn, tagIndexKey, tagKey, tagsOf } from './keys.ts';
import { type Page, type PageRequest, pageOf } from './pages.ts';
import { rulesIn } from './policies.ts';
import { LOST, untilWon } from './races.ts';
import type { Registry } from './registry.ts';
import { findRepository, type PushTarget } from './repositories.ts';

/** The operations that put a tag on a manifest, and whether there was none of that name. The last of several writers
 *  wins, as with any registry, unless a policy holds the tag where it is: then DENIED. Each move is kept in its history. */
export async function moveTag(
  registry: Registry,
  { name, rules }: PushTarget,
  tag: Tag,
  manifest: Attributes & { readonly digest: Digest },
): Promise<{ readonly operations: Operation[]; readonly isNew: boolean }> {
  const { digest } = manifest;
  const before = await registry.table.get(tagKey(name, tag));
  const when = moveConditions({ name, rules }, tag, { before, digest });
  const attributes = { ...manifest, taggedAt: registry.now(), ...takenBy(registry) };
  const moved = before?.['digest'] !== digest;
  const operations = [
    { put: tagKey(name, tag), attributes, ...(when.length > 0 && { when }) },
    { put: tagIndexKey(name, digest, tag), attributes: {} },
    ...(moved ? [history(registry, name, tag, { digest })] : []),
  ];
  return { operations, isNew: !before };
}

/** The operations that take a tag off a manifest, on condition that it is still on it. */
export function removeTag(registry: Registry, name: RepositoryName, tag: Tag, digest: Digest): Operation[] {
  return [
    ...untag(registry, name, tag, [equals('digest', digest)]),
    { remove: tagIndexKey(name, digest, tag) },
  ];
}

/** As `removeTag`, where the manifest stays: its entry in the tag index does, too, and tells retention since when the
 *  manifest has had no tag. */
export function untag(
  registry: Registry,
  name: RepositoryName,
  tag: Tag,
  when: readonly Condition[],
): Operation[] {
  return [{ remove: tagKey(name, tag), when }, history(registry, name, tag, {})];
}

/** Deletes the tag and leaves its manifest (end-9). DENIED where a policy holds it. */
export async function deleteTag(registry: Registry, name: RepositoryName, tag: Tag): Promise<void> {
  await untilWon(registry, async () => {
    const [found, stored] = await registry.table.getMany([tagKey(name, tag), policiesKey]);
    if (!found) throw manifestUnknown(tag);
    const digest = found['digest'] as Digest;
    refuseImmutable({ name, rules: rulesIn(stored, name) }, tag, digest);
    const { committed } = await registry.table.write(untag(registry, name, tag, [equals('digest', digest)]));
    return committed ? undefined : LOST;
  });
}

/** Tags in byte order (end-8); NAME_UNKNOWN where nothing was ever pushed under this name. */
export async function listTags(registry: Registry, name: RepositoryName, page: PageRequest): Promise<Page> {
  if (!(await findRepository(registry, name))?.listed) throw nameUnknown(name);
  return pageOf(page, async (limit) => {
    const after = page.last === undefined ? {} : { after: afterTag(page.last) };
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

/** Tags with details are read with the manifests that lie in their items: 100 of them are at most 2 MB. */
export const MAX_TAG_DETAILS = 100;

/** As `listTags`, with what each tag is on; at most `MAX_TAG_DETAILS` at once. */
export async function listTagDetails(
  { table }: Registry,
  name: RepositoryName,
  page: PageRequest,
): Promise<{ tags: readonly TagDetails[]; next?: Tag }> {
  const limit = Math.min(page.limit, MAX_TAG_DETAILS);
  const after = page.last === undefined ? {} : { after: afterTag(page.last) };
  const found = await table.query({ ...tagsOf(name), ...after, limit: limit + 1 });
  const tags = found.slice(0, limit).map((item) => detailsOf(tagIn(item), item.attributes));
  const last = found.length > limit ? tags.at(-1) : undefined;
  return { tags, ...(last && { next: last.name }) };
}

export async function findTag(
  { table }: Registry,
  name: RepositoryName,
  tag: Tag,
): Promise<TagDetails | undefined> {
  const found = await table.get(tagKey(name, tag));
  return found && detailsOf(tag, found);
}

function detailsOf(name: Tag, found: Attributes): TagDetails {
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
