import { OUTBOX_DELAY_SECONDS } from '../limits.ts';
import { algorithmOf, CANONICAL, type Digest, digestOf } from '../oci/digest.ts';
import { digestMismatch, manifestBlobsUnknown, manifestInvalid } from '../oci/errors.ts';
import { excessIn } from '../oci/json-size.ts';
import { type Manifest, type ManifestReference, parseManifest } from '../oci/manifest.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import type { ObjectKey } from '../storage/blob-store.ts';
import {
  type Attributes,
  absent,
  atMost,
  type Condition,
  equals,
  type Operation,
  present,
} from '../storage/table.ts';
import { Announcement } from './announcement.ts';
import { commitArrived } from './direct-uploads.ts';
import { factsToWrite, type ImageFacts } from './image-facts.ts';
import { directoryKey, graveKey, manifestKey, pushKey, repositoryKey, tagKey } from './keys.ts';
import { ManifestObject, type Placement } from './manifest-object.ts';
import { goingOf, markOf, UNMARKED } from './marks.ts';
import { countsBytes } from './meters.ts';
import { discardReplaced } from './outbox.ts';
import { charge } from './quotas.ts';
import { inTurn, LOST, tagTopic } from './races.ts';
import { type Holding, holdReferences } from './references.ts';
import { referrerOperation } from './referrers.ts';
import type { Registry } from './registry.ts';
import { leaveBehind, type Replaced } from './replacement.ts';
import { openForPush, type PushTarget, type Repository } from './repositories.ts';
import { isUnsound } from './soundness.ts';
import { renameOperations, writeNames } from './tag-names.ts';
import { moveTag } from './tags.ts';

export interface ManifestPush {
  readonly repository: RepositoryName;
  readonly bytes: Uint8Array;
  readonly contentType: string;
  /** The digest the client sent, if it did; the content must match. */
  readonly digest: Digest | undefined;
  readonly tags: readonly Tag[];
  /** What its tag must be on: a conflict where it is not. @default anything */
  readonly ifOn?: Digest | undefined;
  /** Of one that comes back out of its grave, whose bytes quotas count already. @default it is a client's */
  readonly restores?: Restoring;
}

/** What a restore puts back besides bytes. */
interface Restoring {
  /** The item that was in the grave, or of the manifest that is there. */
  readonly manifest: Attributes;
  /** When each tag was put there first, as far as that is known; milliseconds since 1970. */
  readonly datesFrom: ReadonlyMap<Tag, number | undefined>;
}

/** Stores a manifest and moves tags to it (end-7a, end-7b), all at once. MANIFEST_BLOB_UNKNOWN where the repository
 *  lacks what it refers to, DENIED where a policy holds a tag elsewhere or has no room for it; a missing subject is
 *  accepted. */
export async function putManifest(
  registry: Registry,
  push: ManifestPush,
): Promise<{ digest: Digest; subject?: Digest }> {
  await registry.giveWay?.();
  const digest = digestOf(push.digest ? algorithmOf(push.digest) : CANONICAL, push.bytes);
  if (push.digest && push.digest !== digest) throw digestMismatch(push.digest);
  await registry.giveWay?.();
  const excess = excessIn(push.bytes);
  if (excess !== undefined) throw manifestInvalid(`it has ${excess}`);
  await registry.giveWay?.();
  const manifest = parseManifest(push.bytes, push.contentType);
  const written = new ManifestObject(registry, push.bytes);
  const place: Commit['place'] = (repository, isCounted) =>
    written.place(repository, isCounted && push.restores !== undefined);
  const size = push.bytes.length;
  const announcement = new Announcement(push.repository, digest);
  const topics = push.tags.map((tag) => tagTopic(push.repository, tag)).sort();
  try {
    await inTurn(registry, [digest, ...topics], async (registry) => {
      const opened = await openForPush(registry, push.repository, [manifestKey(push.repository, digest)]);
      const {
        repository,
        found: [found],
      } = opened;
      const holding = { repository, manifest: digest, references: manifest.references };
      const underWay = await announcement.make(registry, holding, found === undefined);
      const held = await holdAll(registry, holding);
      const facts = await factsToWrite(registry, push.bytes, manifest, held);
      const { tags, restores, ifOn } = push;
      const what = { digest, manifest, size, facts, tags, ifOn, place, restores };
      return commit(registry, { repository, found, underWay, ...what });
    });
  } catch (error) {
    await announcement.takeBack(registry).catch(() => undefined); // else the sweep does, two epochs later
    throw error;
  } finally {
    await written.end();
  }
  return { digest, ...(manifest.subject && { subject: manifest.subject }) };
}

/** The items of what the manifest refers to; MANIFEST_BLOB_UNKNOWN names everything that the repository lacks. What the caller has sent to the store itself may
 *  not be linked yet: a client that has its 201 for the last layer pushes the manifest in the same moment. */
async function holdAll(registry: Registry, holding: Holding): Promise<ReadonlyMap<Digest, Attributes>> {
  let { missing, found } = await holdReferences(registry, holding);
  if (missing.length > 0 && registry.direct) {
    await commitArrived(registry, holding.repository.name, missing);
    ({ missing, found } = await holdReferences(registry, holding));
  }
  if (missing.length === 0) return found;
  throw manifestBlobsUnknown(holding.repository.name, missing, holding.references.some(isChild));
}

const isChild = ({ kind }: ManifestReference) => kind !== 'blob';

/** With five operations a tag that moves, of 100 in a transaction; of what more tags at once leave, their history tells. */
const TAGS_THAT_LEAVE = 15;

interface Commit {
  readonly repository: PushTarget;
  readonly digest: Digest;
  /** The manifest's item as it was before this push was announced. */
  readonly found: Attributes | undefined;
  /** What holds while this push is under way; absent where the manifest was there. */
  readonly underWay: readonly Condition[] | undefined;
  readonly manifest: Manifest;
  readonly size: number;
  readonly facts: ImageFacts;
  readonly tags: readonly Tag[];
  readonly ifOn: Digest | undefined;
  readonly restores: Restoring | undefined;
  readonly place: (repository: PushTarget, isCounted: boolean) => Promise<Placement>;
}

/** The one transaction after which the manifest can be read; loses where a sweep or a delete came between. It names no item
 *  that other pushes write, but for the first of a repository. Where the bytes of one that is there are lost or damaged,
 *  these take their place. */
async function commit(registry: Registry, pushed: Commit) {
  const { repository, digest, found, underWay, manifest, size, facts, tags, ifOn, restores, place } = pushed;
  const { name } = repository;
  const { now, isCounted, before } = await readPlaces(registry, pushed);
  // Sweeps of two epochs have passed, and may not have found this push.
  if (!now || (now['epoch'] as number) > repository.epoch + 1) return LOST;
  const replaced = found && (await replacedObject(registry, name, digest, found));
  const { content, operations, counted } =
    found && !replaced
      ? { content: contentOf(found), operations: [], counted: 0 }
      : await place(repository, isCounted);
  const item = { mediaType: manifest.mediaType, size, ...facts, ...content };
  const moves = tags.flatMap((tag, index) =>
    moveTag(
      registry,
      repository,
      {
        tag,
        before: before[index],
        datesFrom: restores?.datesFrom.get(tag),
        leaves: tags.length <= TAGS_THAT_LEAVE,
        ifOn,
      },
      { digest, ...item },
    ),
  );
  const charges = await charge(registry, repository, {
    tags: before.filter((tag) => !tag).length,
    bytes: (found || isCounted ? 0 : size) - counted,
  });
  const { committed } = await writeNames(registry, name, [
    found
      ? keepManifest(registry, repository, { digest, found, content })
      : addManifest(registry, repository, { digest, manifest, item, restores }),
    ...(underWay ? [{ remove: pushKey(name, digest), when: underWay }] : []),
    ...(replaced ? [discardReplaced(replaced, registry.now() + OUTBOX_DELAY_SECONDS * 1000)] : []),
    ...operations,
    ...moves,
    ...renameOperations(name, { added: tags }),
    ...charges,
    ...checkCounted(name, digest, isCounted),
    ...referrerOperation(name, digest, manifest, size),
    ...enterOperations(name, now),
  ]);
  if (!committed) return LOST;
  // Tags that are not part of this push; the outbox sees to them, too.
  if (replaced) await leaveBehind(registry, replaced).catch(() => undefined);
  return true;
}

/** The first manifest brings its repository into the catalog, and so does one that comes as that is deleted. Of many that are
 *  pushed at once one does, and the others find that it has. */
function enterOperations(name: RepositoryName, repository: Attributes): Operation[] {
  const { listed } = repository;
  const going = goingOf(repository);
  if (listed === true && going === undefined) return [];
  const unlisted = listed === undefined ? present : equals('listed', listed as boolean);
  const when = [going === undefined ? unlisted : markOf(going)];
  return [
    { update: repositoryKey(name), set: { listed: true, ...UNMARKED }, when },
    { update: directoryKey(name), set: { listed: true } },
  ];
}

/** The repository as it is by now, and the tags; and whether quotas count the manifest already, since it can be restored. */
async function readPlaces({ table }: Registry, { repository: { name, rules }, digest, found, tags }: Commit) {
  const graves = !found && countsBytes(rules) ? [graveKey(name, digest)] : [];
  const keys = [repositoryKey(name), ...graves, ...tags.map((tag) => tagKey(name, tag))];
  const [now, ...rest] = await table.getMany(keys);
  return { now, isCounted: graves.length > 0 && rest[0] !== undefined, before: rest.slice(graves.length) };
}

const checkCounted = (name: RepositoryName, digest: Digest, isCounted: boolean): Operation[] =>
  isCounted ? [{ check: graveKey(name, digest), when: [present] }] : [];

function addManifest(
  registry: Registry,
  { name, epoch }: Repository,
  {
    digest,
    manifest,
    item,
    restores,
  }: Pick<Commit, 'digest' | 'manifest' | 'restores'> & { readonly item: Attributes },
): Operation {
  const { subject } = manifest;
  const pushed = restores ? pushedBefore(registry, restores) : pushedNow(registry);
  const attributes = { ...item, ...(subject && { subject }), ...pushed, touched: epoch };
  return { put: manifestKey(name, digest), attributes, when: [absent] };
}

function pushedNow({ now, actor }: Registry): Attributes {
  return { pushedAt: now(), ...(actor !== undefined && { pushedBy: actor }) };
}

/** What is restored was pushed when it was, by whom it was. */
function pushedBefore({ now }: Registry, { manifest: { pushedAt, pushedBy } }: Restoring): Attributes {
  return {
    pushedAt: pushedAt as number,
    restoredAt: now(),
    ...(pushedBy !== undefined && { pushedBy }),
  };
}

/** The object of a manifest that is there, where it is lost or damaged. */
async function replacedObject(
  registry: Registry,
  repository: RepositoryName,
  digest: Digest,
  found: Attributes,
): Promise<Replaced | undefined> {
  const objectKey = found['objectKey'] as ObjectKey | undefined;
  if (objectKey === undefined || !(await isUnsound(registry, digest, found, 'facts'))) return undefined;
  return { objectKey, digest, repository };
}

/** The tag that is put on it names its object: on condition that it is still that one, or becomes this one. Whoever is about
 *  to delete it looks again, and finds the tag. */
function keepManifest(
  { now }: Registry,
  { name, epoch }: Repository,
  {
    digest,
    found,
    content,
  }: Pick<Commit, 'digest'> & { readonly found: Attributes; readonly content: Attributes },
): Operation {
  const { objectKey, touched } = found;
  const isOld = (touched as number) < epoch;
  const isReplaced = objectKey !== content['objectKey'];
  return {
    update: manifestKey(name, digest),
    set: { ...(isReplaced && content), ...(isOld && { touched: epoch }), pushedLastAt: now(), ...UNMARKED },
    when: [
      objectKey === undefined ? present : equals('objectKey', objectKey as string),
      ...(isOld ? [atMost('touched', epoch)] : []),
    ],
  };
}

function contentOf(found: Attributes): Attributes {
  const { bytes, objectKey } = found;
  if (bytes !== undefined) return { bytes };
  return { objectKey: objectKey as string };
}
