import type { Digest } from '../oci/digest.ts';
import { manifestInUse, manifestUnknown } from '../oci/errors.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import type { Condition, Key, Operation } from '../storage/table.ts';
import { type Burial, bury } from './graves.ts';
import { refuseImmutableOn } from './immutable-tags.ts';
import { graveKey, lastPartOf, manifestKey, referrerKey, tagIndexKey, tagIndexOf, tagKey } from './keys.ts';
import { markAsGoing } from './marks.ts';
import { endBeside } from './pushes-under-way.ts';
import { inTurn, LOST } from './races.ts';
import { manifestsUsing, usersOf } from './references.ts';
import type { Registry } from './registry.ts';
import { disturb } from './rest.ts';
import { removeTags } from './tags.ts';

/** Four operations a tag, ten ends of pushes, and five others, in 100 operations a transaction. */
const TAGS_PER_WRITE = 20;
const PUSHES_BESIDE = 10;

/** Deletes the manifest, its tags and its entry among referrers (end-9); until the end of its quarantine it can be
 *  restored. Refused while an index of the repository lists it, or a policy holds one of its tags. A manifest with over 20
 *  tags loses those beyond first; its edges are left to the sweep. */
export async function deleteManifest(
  registry: Registry,
  name: RepositoryName,
  digest: Digest,
): Promise<void> {
  const permit = () => refuseImmutableOn(registry, name, digest);
  if (!(await buryManifest(registry, name, digest, permit))) throw manifestUnknown(name, digest);
}

/** As `deleteManifest`, where `permit` does not throw, which is asked once the manifest is marked; answers whether it was
 *  there. */
export async function buryManifest(
  registry: Registry,
  name: RepositoryName,
  digest: Digest,
  permit: () => Promise<void>,
): Promise<boolean> {
  await disturb(registry, name);
  const key = manifestKey(name, digest);
  const refuse = (indexes: readonly Digest[]) => {
    if (indexes.length > 0) throw manifestInUse(digest, indexes);
  };
  return inTurn(registry, [digest], async (registry) => {
    const [manifest, grave] = await registry.table.getMany([key, graveKey(name, digest)]);
    if (!manifest) return false;
    // What is in use, and stays, is not even marked.
    refuse(await manifestsUsing(registry, name, digest));
    const mark = await markAsGoing(registry, key, manifest);
    if (!mark) return LOST;
    const { manifests, pushes } = await usersOf(registry, name, digest);
    refuse(manifests);
    await permit();
    const ends = await endBeside(registry, { key, mark }, pushes, PUSHES_BESIDE);
    const lastTags = ends && (await removeTagsBeyond(registry, { key, mark }, name, digest));
    if (!lastTags) return LOST;
    const burial = { digest, manifest, grave, when: [mark] };
    const { committed } = await registry.table.write([
      ...removeManifest(registry, name, burial),
      ...lastTags,
      ...ends,
    ]);
    return committed || LOST;
  });
}

/** Five operations at most. `manifest` and `grave` are what was read before it was marked. The manifest stays restorable, and
 *  its object with it. */
export function removeManifest(registry: Registry, name: RepositoryName, burial: Burial): Operation[] {
  const { digest, manifest, when } = burial;
  const subject = manifest['subject'] as Digest | undefined;
  return [
    { remove: manifestKey(name, digest), when },
    ...(subject ? [{ remove: referrerKey(name, subject, digest) }] : []),
    ...bury(registry, name, burial),
  ];
}

/** Removes tags until those left fit into the transaction that removes the manifest, and returns theirs; `undefined` where
 *  the mark was taken off: a tag that was put back since would lose its entry, and outlive the manifest. */
async function removeTagsBeyond(
  registry: Registry,
  { key, mark }: { readonly key: Key; readonly mark: Condition },
  name: RepositoryName,
  digest: Digest,
): Promise<Operation[] | undefined> {
  for (;;) {
    const { operations, more } = await tagOperations(registry, name, digest);
    if (!more) return operations;
    const { committed } = await registry.table.write([{ check: key, when: [mark] }, ...operations]);
    if (!committed) return undefined;
  }
}

/** Index entries are hints: a tag that has moved on since is left alone, only its entry goes. */
async function tagOperations(
  registry: Registry,
  name: RepositoryName,
  digest: Digest,
): Promise<{ operations: Operation[]; more: boolean }> {
  const range = { ...tagIndexOf(name, digest), limit: TAGS_PER_WRITE + 1, keysOnly: true };
  const entries = await registry.table.query(range);
  const tags = entries.slice(0, TAGS_PER_WRITE).map((entry) => lastPartOf(entry) as Tag);
  const found = await registry.table.getMany(tags.map((tag) => tagKey(name, tag)));
  const isOn = (_: Tag, index: number) => found[index]?.['digest'] === digest;
  const moved = tags.filter((tag, index) => !isOn(tag, index));
  const operations = [
    ...removeTags(
      registry,
      name,
      tags.flatMap((tag, index) =>
        found[index]?.['digest'] === digest ? [{ tag, found: found[index] }] : [],
      ),
    ),
    ...moved.map((tag) => ({ remove: tagIndexKey(name, digest, tag) })),
  ];
  return { operations, more: entries.length > TAGS_PER_WRITE };
}
