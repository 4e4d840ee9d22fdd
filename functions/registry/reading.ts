import type { Digest } from '../oci/digest.ts';
import { bytesLost } from '../oci/errors.ts';
import type { RepositoryName } from '../oci/reference.ts';
import {
  type Body,
  type ByteRange,
  ObjectDamaged,
  type ObjectKey,
  type StoredObject,
} from '../storage/blob-store.ts';
import type { Attributes, Key } from '../storage/table.ts';
import type { Registry } from './registry.ts';
import { leaveBehind } from './replacement.ts';
import { markUnsound, storedObjectOf } from './soundness.ts';

/** Something that a repository holds and whose bytes are an object. */
interface Held {
  readonly is: 'blob' | 'manifest';
  readonly repository: RepositoryName;
  readonly digest: Digest;
  /** What makes it readable here. */
  readonly item: Key;
  /** The item that says which object it has, where that is another one. */
  readonly holder?: Key;
}

/** The bytes of an object that was looked up for this, or a range of them; `undefined` where it was deleted since. Where an
 *  object is lost or damaged, another one may have taken its place; else it is marked, so that a push heals it, and the
 *  error says what is lost. */
export async function readObject(
  registry: Registry,
  held: Held,
  found: StoredObject,
  range?: ByteRange,
): Promise<Body | undefined> {
  for (let object = found; ; ) {
    const read = await tryToRead(registry, held, object, range);
    if (!(read instanceof Error)) return read;
    const now = await lookAgain(registry, held);
    if (!now) return undefined;
    if (now.attributes['objectKey'] === object.objectKey) {
      await mark(registry, now);
      throw bytesLost(held, read);
    }
    // Keys are never used again, so this comes to an end.
    object = storedObjectOf(now.attributes);
  }
}

async function tryToRead(
  registry: Registry,
  held: Held,
  object: StoredObject,
  range: ByteRange | undefined,
): Promise<Body | Error> {
  const onDamage = () => void markWhileRead(registry, held, object);
  try {
    const body = await registry.blobs.read(object, { range, onDamage });
    return body ?? new Error(`${object.objectKey} is not there`);
  } catch (error) {
    if (error instanceof ObjectDamaged) return error;
    throw error;
  }
}

interface Holder {
  readonly key: Key;
  readonly attributes: Attributes;
}

/** The item that says which object it has now. What still names another one, because a push died that healed it, follows. */
async function lookAgain(registry: Registry, { item, holder, digest }: Held): Promise<Holder | undefined> {
  const [attributes, own] = await registry.table.getMany(holder ? [item, holder] : [item]);
  if (!attributes) return undefined;
  if (!holder || !own) return { key: item, attributes };
  const objectKey = attributes['objectKey'] as ObjectKey;
  if (objectKey !== own['objectKey'])
    await leaveBehind(registry, { objectKey, digest }).catch(() => undefined); // the outbox sees to it
  return { key: holder, attributes: own };
}

/** Where it cannot be marked, whoever reads it next tries again. */
async function mark(registry: Registry, { key, attributes }: Holder): Promise<void> {
  await markUnsound(registry, key, attributes).catch(() => undefined);
}

async function markWhileRead(registry: Registry, held: Held, { objectKey }: StoredObject): Promise<void> {
  const now = await lookAgain(registry, held).catch(() => undefined);
  if (now?.attributes['objectKey'] === objectKey) await mark(registry, now);
}
