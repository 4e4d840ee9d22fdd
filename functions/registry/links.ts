import { OUTBOX_DELAY_SECONDS } from '../limits.ts';
import type { Digest } from '../oci/digest.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { ObjectKey, StoredObject } from '../storage/blob-store.ts';
import { type Attributes, absent, atMost, equals, type Operation, present } from '../storage/table.ts';
import { blobKey, digestKey, linkerKey } from './keys.ts';
import { discardReplaced } from './outbox.ts';
import { charge } from './quotas.ts';
import type { Registry } from './registry.ts';
import { leaveBehind } from './replacement.ts';
import { openForPush, type PushTarget } from './repositories.ts';
import { isUnsound, storedObjectOf } from './soundness.ts';

/** Where a blob is to be linked, and what is there. */
export interface Place {
  readonly repository: PushTarget;
  readonly digest: Digest;
  /** The link, where the repository has it. */
  readonly linked: Attributes | undefined;
  /** The digest's item, where any repository has it. */
  readonly stored: Attributes | undefined;
}

/** The repository is made where it does not exist. */
export async function findPlace(registry: Registry, name: RepositoryName, digest: Digest): Promise<Place> {
  const { repository, found } = await openForPush(registry, name, [blobKey(name, digest), digestKey(digest)]);
  const [linked, stored] = found;
  return { repository, digest, linked, stored };
}

/** How an object becomes a blob of a repository. */
export interface Linking {
  readonly operations: readonly Operation[];
  /** Whether the digest has that object then, and not the one that it had before. */
  readonly keeps: boolean;
  /** Whether the repository did not have the blob. */
  readonly isNew: boolean;
  /** What it had before, where that is lost or damaged: once the operations are committed, to `leaveBehind`. */
  readonly replaces?: ObjectKey;
}

/** The operations that link `object`, whose bytes have the digest, or the one that the digest has already, where that is as
 *  good. DENIED where a quota has no room for it. Each is conditional on what was just read: in a transaction that fails,
 *  read anew. */
export async function linkOperations(
  registry: Registry,
  name: RepositoryName,
  digest: Digest,
  object: StoredObject,
  counted: Counted = NOTHING_COUNTED,
): Promise<Linking> {
  const place = await findPlace(registry, name, digest);
  const { stored } = place;
  const isNew = place.linked === undefined;
  if (!stored)
    return { operations: await linkFirst(registry, place, object, counted.kept), keeps: true, isNew };
  if (await isUnsound(registry, digest, stored, 'facts'))
    return { ...(await replace(registry, place, stored, object, counted.kept)), isNew };
  return { operations: await linkStored(registry, place, stored, counted.spare), keeps: false, isNew };
}

/** Bytes that quotas have counted before: where the object is kept, and where the digest has another one. */
interface Counted {
  readonly kept: number;
  readonly spare: number;
}

const NOTHING_COUNTED: Counted = { kept: 0, spare: 0 };

/** Where a push died that healed the blob, its other links still name the old object. */
export async function followReplaced(
  registry: Registry,
  digest: Digest,
  linked: Attributes,
  stored: Attributes,
): Promise<void> {
  const { objectKey } = storedObjectOf(linked);
  if (objectKey !== stored['objectKey']) await leaveBehind(registry, { objectKey, digest });
}

async function linkFirst(
  registry: Registry,
  place: Place,
  { objectKey, size }: StoredObject,
  counted: number,
) {
  const attributes = { objectKey, size, links: 1 };
  return [
    ...(await addLink(registry, place, { objectKey, size }, counted)),
    { put: digestKey(place.digest), attributes, when: [absent] },
  ];
}

/** The operations that link the object which the digest has. */
export async function linkStored(
  registry: Registry,
  place: Place,
  stored: Attributes,
  counted = 0,
): Promise<Operation[]> {
  const { repository, digest, linked } = place;
  if (linked) {
    await followReplaced(registry, digest, linked, stored);
    return [keepLink(repository, digest, linked)];
  }
  const object = storedObjectOf(stored);
  return [
    ...(await addLink(registry, place, object, counted)),
    { update: digestKey(digest), add: { links: 1 }, when: [equals('objectKey', object.objectKey)] },
  ];
}

async function addLink(
  registry: Registry,
  { repository, digest }: Place,
  object: StoredObject,
  counted: number,
) {
  const { name, epoch } = repository;
  return [
    { put: blobKey(name, digest), attributes: { ...object, touched: epoch }, when: [absent] },
    { put: linkerKey(digest, name), attributes: {} },
    ...(await charge(registry, repository, { bytes: object.size - counted })),
  ];
}

function keepLink({ name, epoch }: PushTarget, digest: Digest, linked: Attributes): Operation {
  const key = blobKey(name, digest);
  return (linked['touched'] as number) < epoch
    ? { update: key, set: { touched: epoch }, when: [atMost('touched', epoch)] }
    : { check: key, when: [present] };
}

/** The digest and this repository's link change at once, those of the others follow: `leaveBehind`, by whoever commits
 *  this or, where that dies, before the outbox deletes the old object. */
async function replace(
  registry: Registry,
  place: Place,
  stored: Attributes,
  { objectKey, size }: StoredObject,
  counted: number,
): Promise<Omit<Linking, 'isNew'>> {
  const { repository, digest, linked } = place;
  const { objectKey: old } = storedObjectOf(stored);
  const link = linked
    ? [moveLink(repository, digest, linked, objectKey)]
    : await addLink(registry, place, { objectKey, size }, counted);
  const operations: Operation[] = [
    ...link,
    {
      update: digestKey(digest),
      set: { objectKey },
      ...(!linked && { add: { links: 1 } }),
      when: [equals('objectKey', old)],
    },
    discardReplaced({ objectKey: old, digest }, registry.now() + OUTBOX_DELAY_SECONDS * 1000),
  ];
  return { operations, keeps: true, replaces: old };
}

function moveLink(
  { name, epoch }: PushTarget,
  digest: Digest,
  { touched, objectKey: old }: Attributes,
  objectKey: ObjectKey,
): Operation {
  return {
    update: blobKey(name, digest),
    set: { objectKey, touched: Math.max(touched as number, epoch) },
    when: [equals('objectKey', old as string), equals('touched', touched as number)],
  };
}
