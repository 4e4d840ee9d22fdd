import { OUTBOX_DELAY_SECONDS } from '../limits.ts';
import type { Digest } from '../oci/digest.ts';
import type { RepositoryName } from '../oci/reference.ts';
import type { ObjectKey } from '../storage/blob-store.ts';
import { type Attributes, absent, type Condition, equals, type Operation } from '../storage/table.ts';
import { buriedReferrerKey, graveKey } from './keys.ts';
import { discard } from './outbox.ts';
import type { Registry } from './registry.ts';

/** A manifest that is to be deleted and stay restorable. */
export interface Burial {
  readonly digest: Digest;
  /** The item of the manifest. */
  readonly manifest: Attributes;
  /** The grave that an earlier manifest of this digest has left, if any. */
  readonly grave: Attributes | undefined;
  /** Why, for people. @default somebody asked for it */
  readonly reason?: string;
  /** What must hold for the manifest's item: that it is still marked. */
  readonly when: readonly Condition[];
}

/** The operations that put a manifest into its grave: three at most. Whoever fills or ends the grave that was read wins. */
export function bury(
  registry: Registry,
  name: RepositoryName,
  { digest, manifest, grave, reason }: Burial,
): Operation[] {
  const by = registry.actor === undefined ? {} : { deletedBy: registry.actor };
  const deleted = { deletedAt: registry.now(), ...by, ...(reason !== undefined && { reason }) };
  const subject = manifest['subject'] as Digest | undefined;
  return [
    { put: graveKey(name, digest), attributes: { ...manifest, ...deleted }, when: asRead(grave) },
    ...(subject ? [{ put: buriedReferrerKey(name, subject, digest), attributes: {} }] : []),
    ...discardOld(registry, digest, grave, manifest),
  ];
}

/** What an earlier grave kept for a restore, nobody can find any more. */
function discardOld(
  registry: Registry,
  digest: Digest,
  grave: Attributes | undefined,
  manifest: Attributes,
): Operation[] {
  const old = grave?.['objectKey'] as ObjectKey | undefined;
  if (!old || old === manifest['objectKey']) return [];
  return [discard(old, registry.now() + OUTBOX_DELAY_SECONDS * 1000, digest)];
}

/** That the grave is the one that was read: `deletedAt` alone may be that of a second delete in the same millisecond. */
function asRead(grave: Attributes | undefined): Condition[] {
  if (!grave) return [absent];
  const { deletedAt, objectKey } = grave;
  return [
    equals('deletedAt', deletedAt as number),
    ...(objectKey ? [equals('objectKey', objectKey as string)] : []),
  ];
}

/** The operations that end a grave: three at most. A grave that was filled again since it was read stays. */
export function endGrave(
  registry: Registry,
  name: RepositoryName,
  digest: Digest,
  grave: Attributes,
): Operation[] {
  const subject = grave['subject'] as Digest | undefined;
  const objectKey = grave['objectKey'] as ObjectKey | undefined;
  return [
    { remove: graveKey(name, digest), when: asRead(grave) },
    ...(subject ? [{ remove: buriedReferrerKey(name, subject, digest) }] : []),
    ...(objectKey ? [discard(objectKey, registry.now() + OUTBOX_DELAY_SECONDS * 1000, digest)] : []),
  ];
}
