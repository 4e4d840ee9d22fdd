import { OUTBOX_DELAY_SECONDS } from '../limits.ts';
import { algorithmOf, CANONICAL, type Digest, digestOf } from '../oci/digest.ts';
import { digestMismatch, manifestBlobsUnknown, manifestInvalid } from '../oci/errors.ts';
import { excessIn } from '../oci/json-size.ts';
import { type Manifest, parseManifest } from '../oci/manifest.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import type { ObjectKey } from '../storage/blob-store.ts';
import { type Attributes, absent, atMost, equals, type Operation, present } from '../storage/table.ts';
import { commitArrived } from './direct-uploads.ts';
import { directoryKey, graveKey, manifestKey, repositoryKey, tagKey } from './keys.ts';
import { ManifestObject, type Placement } from './manifest-object.ts';
import { countsBytes } from './meters.ts';
import { discardReplaced } from './outbox.ts';
import { charge } from './quotas.ts';
import { inTurn, LOST } from './races.ts';
import { holdReferences } from './references.ts';
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
  const place: Commit['place'] = (repository, isCounted) => written.place(repository, isCounted);
  const size = push.bytes.length;
  try {
    await inTurn(registry, [push.repository], async (registry) => {
      const { repository } = await openForPush(registry, push.repository);
      await holdAll(registry, repository, digest, manifest);
      return commit(registry, { repository, digest, manifest, size, tags: push.tags, place });
    });
  } finally {
    await written.end();
  }
  return { digest, ...(manifest.subject && { subject: manifest.subject }) };
}

/** MANIFEST_BLOB_UNKNOWN names everything that the repository lacks. What the caller has sent to the store itself may
 *  not be linked yet: a client that has its 201 for the last layer pushes the manifest in the same moment. */
async function holdAll(
  registry: Registry,
  repository: Repository,
  digest: Digest,
  { references }: Manifest,
): Promise<void> {
  const hold = () => holdReferences(registry, repository, digest, references);
  let missing = await hold();
  if (missing.length > 0 && registry.direct) {
    await commitArrived(registry, repository.name, missing);
    missing = await hold();
  }
  if (missing.length > 0) throw manifestBlobsUnknown(missing);
}

interface Commit {
  readonly repository: PushTarget;
  readonly digest: Digest;
  readonly manifest: Manifest;
  readonly size: number;
  readonly tags: readonly Tag[];
  readonly place: (repository: PushTarget, isCounted: boolean) => Promise<Placement>;
}

/** The one transaction after which the manifest can be read; loses where a sweep or a delete came between. Where the bytes of
 *  one that is there are lost or damaged, these take their place. */
async function commit(registry: Registry, { repository, digest, manifest, size, tags, place }: Commit) {
  const { name, epoch, deletions, listed } = repository;
  const { found, isCounted, before } = await readPlaces(registry, repository, digest, tags);
  const replaced = found && (await replacedObject(registry, name, digest, found));
  const { content, operations, counted } =
    found && !replaced
      ? { content: contentOf(found), operations: [], counted: 0 }
      : await place(repository, isCounted);
  const item = { mediaType: manifest.mediaType, size, ...content };
  const moves = tags.flatMap((tag, index) =>
    moveTag(registry, repository, { tag, before: before[index] }, { digest, ...item }),
  );
  const charges = await charge(registry, repository, {
    tags: before.filter((tag) => !tag).length,
    bytes: (found || isCounted ? 0 : size) - counted,
  });
  const { committed } = await writeNames(registry, name, [
    {
      update: repositoryKey(name),
      add: { version: 1 },
      ...(!listed && { set: { listed: true } }),
      when: [atMost('epoch', epoch + 1), equals('deletions', deletions)],
    },
    found
      ? keepManifest(repository, digest, found, content)
      : addManifest(registry, repository, digest, manifest, item),
    ...(replaced ? [discardReplaced(replaced, registry.now() + OUTBOX_DELAY_SECONDS * 1000)] : []),
    ...operations,
    ...moves,
    ...renameOperations(name, { added: tags }),
    ...charges,
    ...checkCounted(name, digest, isCounted),
    ...referrerOperation(name, digest, manifest, size),
    ...(listed ? [] : [{ update: directoryKey(name), set: { listed: true } }]),
  ]);
  if (!committed) return LOST;
  // Tags that are not part of this push; the outbox sees to them, too.
  if (replaced) await leaveBehind(registry, replaced).catch(() => undefined);
  return true;
}

/** The manifest, where it is there, and the tags; and whether quotas count it already, since it can be restored. */
async function readPlaces(
  { table }: Registry,
  { name, rules }: PushTarget,
  digest: Digest,
  tags: readonly Tag[],
) {
  const graves = countsBytes(rules) ? [graveKey(name, digest)] : [];
  const keys = [manifestKey(name, digest), ...graves, ...tags.map((tag) => tagKey(name, tag))];
  const [found, ...rest] = await table.getMany(keys);
  const isCounted = !found && graves.length > 0 && rest[0] !== undefined;
  return { found, isCounted, before: rest.slice(graves.length) };
}

const checkCounted = (name: RepositoryName, digest: Digest, isCounted: boolean): Operation[] =>
  isCounted ? [{ check: graveKey(name, digest), when: [present] }] : [];

function addManifest(
  registry: Registry,
  { name, epoch }: Repository,
  digest: Digest,
  { subject }: Manifest,
  item: Attributes,
): Operation {
  const by = registry.actor === undefined ? {} : { pushedBy: registry.actor };
  const pushed = { pushedAt: registry.now(), ...by };
  const attributes = { ...item, ...(subject && { subject }), ...pushed, touched: epoch };
  return { put: manifestKey(name, digest), attributes, when: [absent] };
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

/** The tag that is put on it names its object: on condition that it is still that one, or becomes this one. */
function keepManifest(
  { name, epoch }: Repository,
  digest: Digest,
  found: Attributes,
  content: Attributes,
): Operation {
  const key = manifestKey(name, digest);
  const { objectKey, touched } = found;
  const same = objectKey === undefined ? [present] : [equals('objectKey', objectKey as string)];
  if (objectKey !== content['objectKey']) {
    const set = { ...content, touched: Math.max(touched as number, epoch) };
    return { update: key, set, when: [equals('touched', touched as number), ...same] };
  }
  return (touched as number) < epoch
    ? { update: key, set: { touched: epoch }, when: [atMost('touched', epoch), ...same] }
    : { check: key, when: same };
}

function contentOf(found: Attributes): Attributes {
  const { bytes, objectKey } = found;
  if (bytes !== undefined) return { bytes };
  return { objectKey: objectKey as string };
}
