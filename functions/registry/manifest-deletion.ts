import type { Digest } from '../oci/digest.ts';
import { manifestInUse, manifestUnknown } from '../oci/errors.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { equals, type Operation, present } from '../storage/table.ts';
import { type Burial, bury } from './graves.ts';
import { refuseImmutableOn } from './immutable-tags.ts';
import {
  graveKey,
  lastPartOf,
  manifestKey,
  referrerKey,
  repositoryKey,
  tagIndexKey,
  tagIndexOf,
  tagKey,
} from './keys.ts';
import { inTurn, LOST } from './races.ts';
import { manifestsUsing } from './references.ts';
import type { Registry } from './registry.ts';
import { findRepository, type Repository } from './repositories.ts';
import { removeTags } from './tags.ts';

/** Four operations a tag, and six others, in 100 operations a transaction. */
const TAGS_PER_WRITE = 20;

/** Deletes the manifest, its tags and its entry among referrers (end-9); until the end of its quarantine it can be
 *  restored. Refused while an index of the repository lists it, or a policy holds one of its tags. A manifest with over 20
 *  tags loses those beyond first; its edges are left to the sweep. */
export async function deleteManifest(
  registry: Registry,
  name: RepositoryName,
  digest: Digest,
): Promise<void> {
  await inTurn(registry, [name], async (registry) => {
    const repository = await findRepository(registry, name);
    const [manifest, grave] = await readDoomed(registry, name, digest);
    if (!repository || !manifest) throw manifestUnknown(digest);
    const indexes = await manifestsUsing(registry, name, digest);
    if (indexes.length > 0) throw manifestInUse(digest, indexes);
    await refuseImmutableOn(registry, name, digest);
    const lastTags = await removeTagsBeyond(registry, repository, digest);
    if (lastTags === LOST) return LOST;
    const { committed } = await registry.table.write([
      countRemoval(repository),
      ...removeManifest(registry, name, { digest, manifest, grave }),
      ...lastTags,
    ]);
    return committed ? undefined : LOST;
  });
}

/** The manifest, and what is left of an earlier one of this digest; read them after the repository's `version`. */
async function readDoomed({ table }: Registry, name: RepositoryName, digest: Digest) {
  return table.getMany([manifestKey(name, digest), graveKey(name, digest)]);
}

/** A push that was committed since `version` was read may use the manifest; one that commits later finds `deletions`
 *  changed. Either starts again. */
export const countRemoval = ({ name, version }: Repository): Operation => ({
  update: repositoryKey(name),
  add: { version: 1, deletions: 1 },
  when: [equals('version', version)],
});

/** Five operations at most, which go with one `countRemoval` for all manifests of the transaction. `manifest` and `grave`
 *  are what was read after its `version`. The manifest stays restorable, and its object with it. */
export function removeManifest(registry: Registry, name: RepositoryName, burial: Burial): Operation[] {
  const { digest, manifest, when = [present] } = burial;
  const subject = manifest['subject'] as Digest | undefined;
  return [
    { remove: manifestKey(name, digest), when },
    ...(subject ? [{ remove: referrerKey(name, subject, digest) }] : []),
    ...bury(registry, name, burial),
  ];
}

/** Removes tags until those left fit into the transaction that removes the manifest, and returns theirs. */
async function removeTagsBeyond(
  registry: Registry,
  { name, version }: Repository,
  digest: Digest,
): Promise<Operation[] | typeof LOST> {
  // A tag that was put back since `version` was read would lose its entry, and outlive the manifest.
  const unchanged = { check: repositoryKey(name), when: [equals('version', version)] };
  for (;;) {
    const { operations, more } = await tagOperations(registry, name, digest);
    if (!more) return operations;
    const { committed } = await registry.table.write([unchanged, ...operations]);
    if (!committed) return LOST;
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
    ...removeTags(registry, name, tags.filter(isOn), digest),
    ...moved.map((tag) => ({ remove: tagIndexKey(name, digest, tag) })),
  ];
  return { operations, more: entries.length > TAGS_PER_WRITE };
}
