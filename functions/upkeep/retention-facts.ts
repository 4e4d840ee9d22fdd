import { PULL_RECORD_SECONDS } from '../limits.ts';
import type { Digest } from '../oci/digest.ts';
import { isBytesLost } from '../oci/errors.ts';
import { isIndexType } from '../oci/media-types.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { readBlob, requireBlob } from '../registry/blobs.ts';
import { lastPartOf, manifestKey, pullKey, tagIndexOf, tagKey } from '../registry/keys.ts';
import type { Registry } from '../registry/registry.ts';
import { bytesOf } from '../registry/restore-plan.ts';
import { tagTimesOf } from '../registry/tags.ts';
import { type Attributes, type Key, MAX_OPERATIONS } from '../storage/table.ts';
import type { ImageFacts } from './retention-rules.ts';
import { sortedPages } from './sorted-pages.ts';
import type { Sweep } from './stage.ts';

/** A manifest, and the tag by which it was met, as their items say: either holds the bytes. */
export interface Subject {
  readonly tag?: Tag;
  readonly digest: Digest;
  readonly found: Attributes;
  /** Whether that is a grave. @default false */
  readonly isBuried?: boolean;
}

/** Ours: larger configs are no configs. */
const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

/** How deep indexes list indexes before nobody looks further. */
const MAX_DEPTH = 4;

type Json = Readonly<Record<string, unknown>>;

/** As `table.getMany`, of any number of keys, each once. */
export async function getEach(
  { table }: Registry,
  keys: readonly Key[],
): Promise<(key: Key) => Attributes | undefined> {
  const found = new Map<string, Attributes | undefined>();
  const wanted = [...new Map(keys.map((key) => [`${key.partition} ${key.sort}`, key])).entries()];
  for (let start = 0; start < wanted.length; start += MAX_OPERATIONS) {
    const batch = wanted.slice(start, start + MAX_OPERATIONS);
    const items = await table.getMany(batch.map(([, key]) => key));
    for (const [index, [id]] of batch.entries()) found.set(id, items[index]);
  }
  return (key) => found.get(`${key.partition} ${key.sort}`);
}

/** When each was last pulled (milliseconds since 1970): itself, its tag, other tags that are on it, or what it lists. */
export async function pullsOf(
  { registry, name }: Sweep,
  subjects: readonly Subject[],
): Promise<readonly (number | 'never')[]> {
  // Each manifest is asked once, however many of the tags are on it.
  const asked = new Map<Digest, ReturnType<typeof tagsOn>>();
  const tagsOnce = (digest: Digest) => {
    const tags = asked.get(digest) ?? tagsOn(registry, name, digest);
    asked.set(digest, tags);
    return tags;
  };
  const wanted = await Promise.all(subjects.map((subject) => pulledWith(registry, name, subject, tagsOnce)));
  const find = await getEach(
    registry,
    wanted.flatMap((each) => each.map(({ key }) => key)),
  );
  return wanted.map((each) => {
    const times = each.map(({ key, since }) => {
      const at = (find(key)?.['at'] as number | undefined) ?? 0;
      return at >= since ? at : 0;
    });
    return Math.max(0, ...times) || 'never';
  });
}

interface PullOf {
  readonly key: Key;
  /** Earlier pulls were of something else. */
  readonly since: number;
}

async function pulledWith(
  registry: Registry,
  name: RepositoryName,
  subject: Subject,
  tagsOnce: (digest: Digest) => ReturnType<typeof tagsOn>,
): Promise<PullOf[]> {
  const { digest, found } = subject;
  const digests = [digest, ...(await manifestsUnder(registry, name, subject))];
  const tags = found['taggedAt'] === undefined ? [] : await tagsOnce(digest);
  return [
    ...digests.map((each) => ({ key: pullKey(name, each), since: 0 })),
    // What is written down may be a day older than the last pull.
    ...tags.map(({ tag, found }) => ({
      key: pullKey(name, tag),
      since: tag === subject.tag ? 0 : tagTimesOf(found).taggedAt - PULL_RECORD_SECONDS * 1000,
    })),
  ];
}

/** Ours: whoever has put more tags on one manifest than that, or has taken them off, has them stay. */
const MOST_TAGS = 2000;

/** The tags that are on a manifest, of the first `MOST_TAGS` that are or were; an entry of the index is a hint. */
export async function tagsOn(registry: Registry, name: RepositoryName, digest: Digest) {
  return (await allTagsOn(registry, name, digest)).tags;
}

/** The same, and whether there may be more. */
export async function allTagsOn({ table }: Registry, name: RepositoryName, digest: Digest) {
  const on: { readonly tag: Tag; readonly found: Attributes }[] = [];
  let passed = 0;
  for await (const page of sortedPages(table, tagIndexOf(name, digest), MAX_OPERATIONS)) {
    const tags = page
      .filter(({ attributes }) => attributes['left'] === undefined)
      .map((entry) => lastPartOf(entry) as Tag);
    const items = tags.length === 0 ? [] : await table.getMany(tags.map((tag) => tagKey(name, tag)));
    for (const [index, tag] of tags.entries()) {
      const found = items[index];
      if (found?.['digest'] === digest) on.push({ tag, found });
    }
    passed += page.length;
    if (passed >= MOST_TAGS) return { tags: on, isCut: true };
  }
  return { tags: on, isCut: false };
}

/** The manifests that an index lists, and what these list. */
async function manifestsUnder(
  registry: Registry,
  name: RepositoryName,
  subject: Subject,
  depth = MAX_DEPTH,
): Promise<Digest[]> {
  const listed = await listedBy(registry, name, subject);
  if (depth === 0 || !listed.some(({ isIndex }) => isIndex)) return listed.map(({ digest }) => digest);
  const keys = listed.filter(({ isIndex }) => isIndex).map(({ digest }) => manifestKey(name, digest));
  const find = await getEach(registry, keys);
  const below = listed.map(async ({ digest, isIndex }) => {
    const found = isIndex ? find(manifestKey(name, digest)) : undefined;
    return found ? manifestsUnder(registry, name, { digest, found }, depth - 1) : [];
  });
  return [...listed.map(({ digest }) => digest), ...(await Promise.all(below)).flat()];
}

/** What an index lists, manifests and others; nothing where it is none. */
export async function listedBy(
  registry: Registry,
  name: RepositoryName,
  subject: Subject,
): Promise<readonly { readonly digest: Digest; readonly isIndex: boolean }[]> {
  if (!isIndexType(subject.found['mediaType'] as string)) return [];
  const { manifests } = (await manifestJson(registry, name, subject)) ?? {};
  const entries = Array.isArray(manifests) ? (manifests as readonly Json[]) : [];
  return entries.map((entry) => ({
    digest: entry['digest'] as Digest,
    isIndex: isIndexType(String(entry['mediaType'])),
  }));
}

/** `undefined` where it was deleted since, or its bytes are lost. */
async function manifestJson(
  registry: Registry,
  name: RepositoryName,
  { digest, found, isBuried }: Subject,
): Promise<Json | undefined> {
  const items = isBuried ? { grave: found } : { manifest: found, grave: undefined };
  const bytes = await unlessLost(() => bytesOf(registry, name, digest, items));
  return parsed(bytes && new TextDecoder().decode(bytes));
}

/** What rules may ask of an image: of an index, labels and age are those of the first manifest that it lists. */
export async function imageFacts({ registry, name }: Sweep, subject: Subject): Promise<ImageFacts> {
  const mediaType = subject.found['mediaType'] as string;
  const json = (await manifestJson(registry, name, subject)) ?? {};
  const config = json['config'] as Json | undefined;
  const annotations = json['annotations'] as Record<string, string> | undefined;
  const artifactType = (json['artifactType'] ?? config?.['mediaType']) as string | undefined;
  const layers = (json['layers'] ?? []) as readonly { readonly size: number }[];
  const own = {
    mediaType,
    ...(annotations && { annotations }),
    ...(artifactType && { artifactType }),
  };
  if (!isIndexType(mediaType)) {
    const sizes = [config as { readonly size: number } | undefined, ...layers];
    const bytes = sizes.reduce((sum, each) => sum + (each?.size ?? 0), 0);
    return { ...own, bytes, ...(await configFacts(registry, name, config)) };
  }
  const [first] = await listedBy(registry, name, subject);
  const found = first && (await registry.table.get(manifestKey(name, first.digest)));
  if (!found || !first || first.isIndex) return own;
  const { labels, createdAt } = await imageFacts({ registry, name } as Sweep, {
    digest: first.digest,
    found,
  });
  return { ...own, ...(labels && { labels }), ...(createdAt !== undefined && { createdAt }) };
}

async function configFacts(
  registry: Registry,
  name: RepositoryName,
  config: Json | undefined,
): Promise<Pick<ImageFacts, 'labels' | 'createdAt'>> {
  const isRead =
    config && Number(config['size']) <= MAX_CONFIG_BYTES && /json/.test(String(config['mediaType']));
  if (!isRead) return {};
  const text = await unlessLost(async () => {
    const blob = await requireBlob(registry, name, config['digest'] as Digest);
    return new Response(await readBlob(registry, name, blob)).text();
  });
  const json = parsed(text);
  const labels = (json?.['config'] as Json | undefined)?.['Labels'] as Record<string, string> | undefined;
  const createdAt = Date.parse(String(json?.['created']));
  return { ...(labels && { labels }), ...(!Number.isNaN(createdAt) && { createdAt }) };
}

/** Anybody may push a config that is none. */
function parsed(text: string | undefined): Json | undefined {
  try {
    const json = text === undefined ? undefined : (JSON.parse(text) as unknown);
    return typeof json === 'object' && json !== null ? (json as Json) : undefined;
  } catch {
    return undefined;
  }
}

async function unlessLost<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    const isUnknown = (error as { code?: unknown }).code === 'BLOB_UNKNOWN';
    if (isBytesLost(error) || isUnknown) return undefined;
    throw error;
  }
}
