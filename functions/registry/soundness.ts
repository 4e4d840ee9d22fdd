import type { Digest } from '../oci/digest.ts';
import type { Look, ObjectKey, StoredObject } from '../storage/blob-store.ts';
import { type Attributes, equals, type Key } from '../storage/table.ts';
import type { Registry } from './registry.ts';

/** The object that an item names. */
export function storedObjectOf(item: Attributes): StoredObject {
  return { objectKey: item['objectKey'] as ObjectKey, size: item['size'] as number };
}

/** A mark says which object is damaged: it is void once another one has taken its place. */
const isMarked = ({ damaged, objectKey }: Attributes) => damaged !== undefined && damaged === objectKey;

/** Whether the object that an item names is lost or damaged, as far as was found before or the look tells. */
export async function isUnsound(
  { blobs }: Registry,
  digest: Digest,
  item: Attributes,
  look: Look,
): Promise<boolean> {
  return isMarked(item) || (await blobs.examine(storedObjectOf(item), digest, look)) !== undefined;
}

/** Has the next push of these bytes put an object of its own in the place of the one that `item` names, which is lost or
 *  damaged. One that was marked before costs nothing. */
export async function markUnsound({ table }: Registry, key: Key, item: Attributes): Promise<void> {
  if (isMarked(item)) return;
  const objectKey = item['objectKey'] as ObjectKey;
  await table.write([{ update: key, set: { damaged: objectKey }, when: [equals('objectKey', objectKey)] }]);
}
