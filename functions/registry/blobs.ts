import { OUTBOX_DELAY_SECONDS } from '../limits.ts';
import type { Digest } from '../oci/digest.ts';
import { blobInUse, blobUnknown } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { Body, ByteRange, StoredObject } from '../storage/blob-store.ts';
import {
  type Attributes,
  atLeast,
  atMost,
  type Condition,
  equals,
  type Operation,
  present,
} from '../storage/table.ts';
import { blobKey, digestKey, linkerIn, linkerKey, linkersOf } from './keys.ts';
import { findPlace, followReplaced, linkStored } from './links.ts';
import { markAsGoing } from './marks.ts';
import { discard } from './outbox.ts';
import { endBeside } from './pushes-under-way.ts';
import { inTurn, LOST } from './races.ts';
import { readObject } from './reading.ts';
import { manifestsUsing, usersOf } from './references.ts';
import type { Registry } from './registry.ts';
import { isUnsound, storedObjectOf } from './soundness.ts';
import { touchOne } from './touch.ts';

/** A blob that may be read through the repository it was asked of. */
export interface Blob extends StoredObject {
  readonly digest: Digest;
}

/** The blob, where this repository links it; BLOB_UNKNOWN otherwise, wherever else the bytes may be. */
export async function requireBlob(
  { table }: Registry,
  repository: RepositoryName,
  digest: Digest,
): Promise<Blob> {
  return blobOf(repository, digest, await table.get(blobKey(repository, digest)));
}

/** As `requireBlob`, for a caller who may push: being told that a blob exists, it has one whole epoch to send the manifest
 *  that uses it. Of one whose bytes are known to be lost or damaged it is told that there is none, and sends it again. */
export async function requireBlobForPush(
  registry: Registry,
  repository: RepositoryName,
  digest: Digest,
): Promise<Blob> {
  const keys = [blobKey(repository, digest), digestKey(digest)] as const;
  const [linked, stored] = await touchOne(registry, repository, keys[0], [keys[1]]);
  if (!linked || !stored) return blobOf(repository, digest, linked);
  if (await isUnsound(registry, digest, stored, 'glance')) throw blobUnknown(repository, digest);
  await followReplaced(registry, digest, linked, stored);
  return blobOf(repository, digest, stored);
}

/** The bytes of a blob that was looked up for this, or a range of them; BLOB_UNKNOWN where it was deleted since, UNKNOWN where
 *  they are lost or damaged. */
export async function readBlob(
  registry: Registry,
  repository: RepositoryName,
  { digest, ...object }: Blob,
  range?: ByteRange,
): Promise<Body> {
  const [item, holder] = [blobKey(repository, digest), digestKey(digest)];
  const body = await readObject(registry, { is: 'blob', repository, digest, item, holder }, object, range);
  if (!body) throw blobUnknown(repository, digest);
  return body;
}

/** Links a blob of another repository into this one (end-11) and tells whether that was possible; not where its bytes are
 *  lost or damaged. Without `from`, any repository serves that links the blob and that `choose` takes, which knows what the
 *  caller may pull. */
export async function mountBlob(
  registry: Registry,
  mount: {
    repository: RepositoryName;
    digest: Digest;
    from?: RepositoryName | undefined;
    choose: (sources: readonly RepositoryName[]) => Promise<RepositoryName | undefined>;
  },
): Promise<boolean> {
  const sources = mount.from === undefined ? await linkersFor(registry, mount.digest) : [mount.from];
  const source = await mount.choose(sources);
  if (source === undefined) return false;
  return inTurn(registry, [mount.digest], async (registry) => {
    const { repository, digest } = mount;
    if (!(await registry.table.get(blobKey(source, digest)))) return false;
    const place = await findPlace(registry, repository, digest);
    if (!place.stored) return LOST; // the source was deleted in between: nothing to link any more
    if (await isUnsound(registry, digest, place.stored, 'glance')) return false;
    const { committed } = await registry.table.write(await linkStored(registry, place, place.stored));
    return committed || LOST;
  });
}

/** A common base layer may be linked a thousand times; the caller can pull from one of the first, or uploads. */
const MOUNT_CANDIDATES = 1000;

async function linkersFor({ table }: Registry, digest: Digest): Promise<RepositoryName[]> {
  const linkers = await table.query({ ...linkersOf(digest), limit: MOUNT_CANDIDATES, keysOnly: true });
  return linkers.map(linkerIn);
}

/** Ends of pushes, beside the four operations of the link. */
const PUSHES_BESIDE = 90;

/** Removes the blob from this repository (end-10). Refused while a manifest of the repository uses it; the
 *  bytes go a day after their last link in any repository. */
export async function deleteBlob(registry: Registry, name: RepositoryName, digest: Digest): Promise<void> {
  const key = blobKey(name, digest);
  const refuse = (users: readonly Digest[]) => {
    if (users.length > 0) throw blobInUse(digest, users);
  };
  await inTurn(registry, [digest], async (registry) => {
    const [linked, stored] = await registry.table.getMany([key, digestKey(digest)]);
    if (!linked) throw blobUnknown(name, digest);
    // What is in use, and stays, is not even marked.
    refuse(await manifestsUsing(registry, name, digest));
    const mark = stored && (await markAsGoing(registry, key, linked));
    if (!mark) return LOST;
    const { manifests, pushes } = await usersOf(registry, name, digest);
    refuse(manifests);
    const ends = await endBeside(registry, { key, mark }, pushes, PUSHES_BESIDE);
    if (!ends) return LOST;
    const unlink = unlinkOperations(registry, name, digest, stored, [mark]);
    const { committed } = await registry.table.write([...unlink, ...ends]);
    return committed ? undefined : LOST;
  });
}

/** Takes one link away, and with the last one the digest itself; four operations at most. `when` is what must hold for
 *  the link. Of several links it is the same how many stay: those who take one each at once do not meet. */
export function unlinkOperations(
  registry: Registry,
  name: RepositoryName,
  digest: Digest,
  stored: Attributes,
  when: readonly Condition[] = [present],
): Operation[] {
  const links = stored['links'] as number;
  const { objectKey } = storedObjectOf(stored);
  const unlink: Operation[] = [{ remove: blobKey(name, digest), when }, { remove: linkerKey(digest, name) }];
  const same = equals('objectKey', objectKey);
  return links > 1
    ? [...unlink, { update: digestKey(digest), add: { links: -1 }, when: [atLeast('links', 2), same] }]
    : [
        ...unlink,
        { remove: digestKey(digest), when: [atMost('links', 1), same] },
        discard(objectKey, registry.now() + OUTBOX_DELAY_SECONDS * 1000, digest),
      ];
}

function blobOf(repository: RepositoryName, digest: Digest, linked: Attributes | undefined): Blob {
  if (!linked) throw blobUnknown(repository, digest);
  return { digest, ...storedObjectOf(linked) };
}
