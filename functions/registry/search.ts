import { type Digest, parseDigest } from '../oci/digest.ts';
import { parseTag, type RepositoryName, type Tag } from '../oci/reference.ts';
import { type Attributes, type Key, MAX_OPERATIONS } from '../storage/table.ts';
import { inTurns, type Steps } from './in-turns.ts';
import { manifestKey, repositories, tagKey } from './keys.ts';
import type { Registry } from './registry.ts';
import { entryOf, type RepositoryEntry } from './repositories.ts';

/** What a text finds among what is visible to whoever asks. */
export interface Found {
  readonly repositories: readonly RepositoryName[];
  readonly tags: readonly {
    readonly repository: RepositoryName;
    readonly tag: Tag;
    readonly digest: Digest;
  }[];
  readonly manifests: readonly { readonly repository: RepositoryName; readonly digest: Digest }[];
  /** Whether there may be more than what is told. */
  readonly more: boolean;
}

/** Ours: repositories whose names are read, and those that are asked for one digest; hits that are told. */
const MAX_NAMES = 10_000;
const MAX_ASKED = 2_000;
const MAX_HITS = 50;

/** Finds repositories by a part of their names; with a tag behind it (`app:v1`) that tag in them; a digest, alone or behind a
 *  part of a name (`app@sha256:…`), wherever it is a manifest. */
export async function search(
  registry: Registry,
  text: string,
  isVisible: (entry: RepositoryEntry) => boolean,
): Promise<Found> {
  const { part, tag, digest } = parsed(text);
  const { names, isCut } = await namesWith(registry, part, isVisible);
  if (digest) {
    const asked = names.slice(0, MAX_ASKED);
    const found = await itemsIn(registry, asked, (name) => manifestKey(name, digest));
    const manifests = [...found.keys()].map((repository) => ({ repository, digest }));
    return { ...NOTHING, ...cut('manifests', manifests, isCut || asked.length < names.length) };
  }
  if (!tag) return { ...NOTHING, ...cut('repositories', names, isCut) };
  const asked = names.slice(0, MAX_ASKED);
  const found = await itemsIn(registry, asked, (name) => tagKey(name, tag));
  const tags = [...found].map(([repository, item]) => ({
    repository,
    tag,
    digest: item['digest'] as Digest,
  }));
  return { ...NOTHING, ...cut('tags', tags, isCut || asked.length < names.length) };
}

const NOTHING = { repositories: [], tags: [], manifests: [] };

const cut = <K extends keyof typeof NOTHING, T>(kind: K, hits: readonly T[], isCut: boolean) =>
  ({ [kind]: hits.slice(0, MAX_HITS), more: isCut || hits.length > MAX_HITS }) as unknown as Record<
    K,
    readonly T[]
  > & { readonly more: boolean };

/** No name has a colon or an @ in it. */
function parsed(text: string) {
  const at = text.lastIndexOf('@');
  const digest = parseDigest(text.slice(at + 1));
  if (digest) return { part: text.slice(0, Math.max(at, 0)), digest };
  const colon = text.lastIndexOf(':');
  const tag = colon < 0 ? undefined : parseTag(text.slice(colon + 1));
  return tag ? { part: text.slice(0, colon), tag } : { part: text };
}

/** Names are in lower case. */
async function namesWith(
  registry: Registry,
  text: string,
  isVisible: (entry: RepositoryEntry) => boolean,
): Promise<{ readonly names: readonly RepositoryName[]; readonly isCut: boolean }> {
  const part = text.toLowerCase();
  const items = await registry.table.query({ ...repositories, limit: MAX_NAMES + 1 });
  function* matching(): Steps<readonly RepositoryName[]> {
    const names: RepositoryName[] = [];
    for (const item of items.slice(0, MAX_NAMES)) {
      const entry = entryOf(item);
      if (entry.name.includes(part) && isVisible(entry)) names.push(entry.name);
      yield;
    }
    return names;
  }
  return { names: await inTurns(registry, matching()), isCut: items.length > MAX_NAMES };
}

async function itemsIn(
  { table }: Registry,
  names: readonly RepositoryName[],
  keyOf: (name: RepositoryName) => Key,
): Promise<ReadonlyMap<RepositoryName, Attributes>> {
  const found = new Map<RepositoryName, Attributes>();
  for (let start = 0; start < names.length && found.size <= MAX_HITS; start += MAX_OPERATIONS) {
    const batch = names.slice(start, start + MAX_OPERATIONS);
    const items = await table.getMany(batch.map(keyOf));
    for (const [index, name] of batch.entries()) {
      const item = items[index];
      if (item) found.set(name, item);
    }
  }
  return found;
}
