import type { Digest } from '../oci/digest.ts';
import { conflict, manifestUnknown, nameUnknown } from '../oci/errors.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { type Attributes, type Condition, equals, type Operation, present } from '../storage/table.ts';
import { moveConditions, refuseImmutable } from './immutable-tags.ts';
import { afterTag, historyKey, policiesKey, tagIn, tagIndexKey, tagKey, tagsOf } from './keys.ts';
import { type Page, type PageRequest, pageOf } from './pages.ts';
import { rulesIn } from './policies.ts';
import { inTurn, LOST, tagTopic } from './races.ts';
import type { Registry } from './registry.ts';
import { findRepository, type PushTarget } from './repositories.ts';
import { disturb } from './rest.ts';
import { readTagNames, renameOperations } from './tag-names.ts';

/** A tag that is put on a manifest. */
export interface Move {
  readonly tag: Tag;
  /** What it was on, as its item says. */
  readonly before: Attributes | undefined;
  /** Milliseconds since 1970, of one that is restored: when it was put there first. @default now */
  readonly datesFrom?: number | undefined;
  /** Whether what it was on is to know since when. */
  readonly leaves: boolean;
  /** What it must be on: a conflict where it is not. @default anything */
  readonly ifOn?: Digest | undefined;
}

/** The operations that put a tag on a manifest, beside `renameOperations`: four at most. The last of several writers wins, as
 *  with any registry, unless a policy holds the tag where it is: then DENIED. Each move is kept in its history. */
export function moveTag(
  registry: Registry,
  { name, rules }: PushTarget,
  { tag, before, datesFrom, leaves, ifOn }: Move,
  manifest: Attributes & { readonly digest: Digest },
): Operation[] {
  const { digest } = manifest;
  const when = [...moveConditions({ name, rules }, tag, { before, digest }), ...whenOn(tag, before, ifOn)];
  const first = datesFrom === undefined ? {} : { datesFrom: Math.min(datesFrom, registry.now()) };
  const attributes = { ...manifest, taggedAt: registry.now(), ...first, ...takenBy(registry) };
  const moved = before?.['digest'] !== digest;
  return [
    { put: tagKey(name, tag), attributes, ...(when.length > 0 && { when }) },
    { put: tagIndexKey(name, digest, tag), attributes: {} },
    ...(moved ? [history(registry, name, tag, { digest, ...first, ...wasOf(before) })] : []),
    // Where that manifest goes meanwhile, its entry is not to come back.
    ...(moved && before && leaves ? [{ ...leave(name, tag, before, registry.now()), when: [present] }] : []),
  ];
}

/** Whoever moves it meanwhile wins, and this move reads again. */
function whenOn(tag: Tag, before: Attributes | undefined, ifOn: Digest | undefined): readonly Condition[] {
  if (ifOn === undefined) return [];
  if (before?.['digest'] === ifOn) return [equals('digest', ifOn)];
  const where = before ? `on ${before['digest']}` : 'not there any more';
  throw conflict(`the tag ${tag} is ${where}, not on ${ifOn}: look at it again`);
}

/** When a tag was put where it is, as its item says. A restored one keeps the time of its history, and is told apart from the one
 *  that was deleted by when it was restored. Milliseconds since 1970. */
export function tagTimesOf({ taggedAt, datesFrom }: Attributes): {
  readonly taggedAt: number;
  readonly restoredAt?: number;
} {
  if (datesFrom === undefined) return { taggedAt: taggedAt as number };
  return { taggedAt: datesFrom as number, restoredAt: taggedAt as number };
}

/** That the tag is the one that was read: one that was put there again, or restored, on the same manifest too, is a new one. */
export const isSameTag = ({ digest, taggedAt }: Attributes): Condition[] => [
  equals('digest', digest as string),
  equals('taggedAt', taggedAt as number),
];

/** Its entry in the index of what it was on says since when it is not. */
const leave = (name: RepositoryName, tag: Tag, { digest }: Attributes, left: number, retires = false) => ({
  update: tagIndexKey(name, digest as Digest, tag),
  set: { left, ...(retires && { retired: true }) },
});

/** What its history keeps of a tag that moves on: it may have been put there again since it came. */
const wasOf = (before: Attributes | undefined) => (before ? { was: tagTimesOf(before).taggedAt } : {});

/** A tag that is taken off what it is on. */
export interface Removed {
  readonly tag: Tag;
  /** What was read of it. */
  readonly found: Attributes;
  /** Milliseconds since 1970: since when its manifest is without it, which its entry in the tag index keeps. @default the manifest
   *  goes, and the entry */
  readonly left?: number | undefined;
  /** Whether the manifest is to go with its last tag. @default false */
  readonly retires?: boolean | undefined;
  /** Who takes it off. @default the registry's actor */
  readonly by?: string | undefined;
}

/** The operations that take tags off, four for each at most; on condition that they are on the manifest that they were on, if no other is named. */
export function removeTags(
  registry: Registry,
  name: RepositoryName,
  tags: readonly Removed[],
  whenOf: (found: Attributes) => readonly Condition[] = isOnSame,
): Operation[] {
  const removals = tags.flatMap(({ tag, found, left, retires, by = registry.actor }) => [
    { remove: tagKey(name, tag), when: whenOf(found) },
    left === undefined
      ? { remove: tagIndexKey(name, found['digest'] as Digest, tag) }
      : leave(name, tag, found, left, retires),
    history({ ...registry, ...(by !== undefined && { actor: by }) }, name, tag, wasOf(found)),
  ]);
  return [...removals, ...renameOperations(name, { removed: tags.map(({ tag }) => tag) })];
}

const isOnSame = ({ digest }: Attributes) => [equals('digest', digest as string)];

/** Deletes the tag and leaves its manifest (end-9). DENIED where a policy holds it. */
export async function deleteTag(registry: Registry, name: RepositoryName, tag: Tag): Promise<void> {
  await disturb(registry, name);
  await inTurn(registry, [tagTopic(name, tag)], async (registry) => {
    const [found, stored] = await registry.table.getMany([tagKey(name, tag), policiesKey]);
    if (!found) throw manifestUnknown(name, tag);
    const digest = found['digest'] as Digest;
    refuseImmutable({ name, rules: rulesIn(stored, name) }, tag, digest);
    const removal = removeTags(registry, name, [{ tag, found, left: registry.now() }]);
    const { committed } = await registry.table.write(removal);
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
  /** Milliseconds since 1970; of one that was restored, when it was put there first. */
  readonly taggedAt: number;
  /** Milliseconds since 1970. */
  readonly restoredAt?: number;
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
    ...tagTimesOf(found),
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
