import type { Digest } from '../oci/digest.ts';
import type { RepositoryName, Tag } from '../oci/reference.ts';
import { type Attributes, type Item, type Key, MAX_OPERATIONS } from '../storage/table.ts';
import {
  afterGrave,
  afterHistoryOf,
  graveKey,
  gravesOf,
  historiesOf,
  lastPartOf,
  manifestKey,
  movedAtIn,
  movedTagIn,
  tagKey,
} from './keys.ts';
import type { Registry } from './registry.ts';

/** Something that was deleted and can come back. */
export interface Trashed {
  readonly kind: 'manifest' | 'tag';
  /** Absent where `kind` is not `tag`. */
  readonly tag?: Tag;
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly deletedAt: number;
  readonly deletedBy?: string;
  /** For people; absent where somebody asked for it. */
  readonly reason?: string;
  /** Milliseconds since 1970: it may go for good from then on. Absent of a tag whose manifest is there: as long as that is. */
  readonly until?: number;
}

export interface TrashOptions {
  /** Milliseconds for which a deleted manifest can be brought back. */
  readonly quarantineMs: number;
  readonly limit: number;
  /** The `next` of the page before. */
  readonly last?: string | undefined;
}

export interface TrashPage {
  readonly entries: readonly Trashed[];
  readonly next?: string;
}

/** What can come back of a repository: deleted manifests, then tags whose last move was their deletion, each in the order of their
 *  names. A page may be short of `limit` and still have a next one. */
export async function listTrash(
  registry: Registry,
  name: RepositoryName,
  options: TrashOptions,
): Promise<TrashPage> {
  const { last } = options;
  return last?.startsWith(TAG)
    ? listTags(registry, name, { ...options, last: last.slice(TAG.length) })
    : listManifests(registry, name, options);
}

/** What a `next` begins with: the rest is the digest or the tag that the page ended with. */
const TAG = 'tag ';
const MANIFEST = 'manifest ';

/** What can be the `next` of a page. */
export const TRASH_POSITION = /^(?:tag [\w.-]{0,128}|manifest [\w:]{1,200})$/;

/** Graves hold manifests of up to 16 KiB. */
const GRAVES_AT_ONCE = 100;

async function listManifests(
  { table }: Registry,
  name: RepositoryName,
  { quarantineMs, limit, last }: TrashOptions,
): Promise<TrashPage> {
  const after = last === undefined ? {} : { after: afterGrave(last.slice(MANIFEST.length) as Digest) };
  const most = Math.min(limit, GRAVES_AT_ONCE);
  const graves = await table.query({ ...gravesOf(name), ...after, limit: most });
  const entries = graves.map((item): Trashed => {
    const digest = lastPartOf(item) as Digest;
    return { kind: 'manifest', digest, ...buriedIn(item.attributes, quarantineMs) };
  });
  const end = entries.at(-1);
  return { entries, next: end && graves.length === most ? `${MANIFEST}${end.digest}` : TAG };
}

function buriedIn({ mediaType, size, deletedAt, deletedBy, reason }: Attributes, quarantineMs: number) {
  return {
    mediaType: mediaType as string,
    size: size as number,
    deletedAt: deletedAt as number,
    ...(deletedBy !== undefined && { deletedBy: deletedBy as string }),
    ...(reason !== undefined && { reason: reason as string }),
    until: (deletedAt as number) + quarantineMs,
  };
}

/** A tag as its moves tell. */
interface Moves {
  readonly tag: Tag;
  readonly last: Item;
  /** What it was last on. */
  readonly digest: Digest | undefined;
}

const MOVES_AT_ONCE = 500;
/** A repository of which little was deleted must not make one request read all of its history. */
const MAX_MOVES = 5000;

async function listTags(
  registry: Registry,
  name: RepositoryName,
  { quarantineMs, limit, last }: TrashOptions,
): Promise<TrashPage> {
  const deleted: Moves[] = [];
  const most = Math.min(limit, MAX_OPERATIONS);
  let read = 0;
  for await (const moves of movesOf(registry, name, last, (count) => (read += count))) {
    if (moves.last.attributes['digest'] === undefined) deleted.push(moves);
    const isFull = deleted.length >= most || read >= MAX_MOVES;
    if (isFull) return page(registry, name, deleted, { quarantineMs, next: moves.tag });
  }
  return page(registry, name, deleted, { quarantineMs });
}

/** Each tag that ever was, past `last`, with its last move. */
async function* movesOf(
  registry: Registry,
  name: RepositoryName,
  last: string | undefined,
  onRead: (count: number) => void,
): AsyncGenerator<Moves> {
  let current: Moves | undefined;
  for await (const item of itemsOf(registry, name, last, onRead)) {
    const tag = movedTagIn(item);
    const before = current?.tag === tag ? current.digest : undefined;
    if (current && current.tag !== tag) yield current;
    current = { tag, last: item, digest: (item.attributes['digest'] as Digest | undefined) ?? before };
  }
  if (current) yield current;
}

async function* itemsOf(
  { table }: Registry,
  name: RepositoryName,
  last: string | undefined,
  onRead: (count: number) => void,
): AsyncGenerator<Item> {
  for (let after = last ? afterHistoryOf(last) : undefined; ; ) {
    const from = after === undefined ? {} : { after };
    const items = await table.query({ ...historiesOf(name), ...from, limit: MOVES_AT_ONCE });
    onRead(items.length);
    yield* items;
    if (items.length < MOVES_AT_ONCE) return;
    after = items.at(-1)?.key.sort;
  }
}

/** Those of the tags that are still deleted and whose manifest is there, or in its grave. */
async function page(
  { table }: Registry,
  name: RepositoryName,
  deleted: readonly Moves[],
  { quarantineMs, next }: { readonly quarantineMs: number; readonly next?: Tag },
): Promise<TrashPage> {
  const digests = [...new Set(deleted.flatMap(({ digest }) => digest ?? []))];
  const tags = await readEach(table, deleted, ({ tag }) => tagKey(name, tag));
  const manifests = await readEach(table, digests, (digest) => manifestKey(name, digest));
  const graves = await readEach(table, digests, (digest) => graveKey(name, digest));
  const entries = deleted.flatMap((moves): Trashed[] => {
    const { tag, digest, last } = moves;
    const grave = digest && graves.get(digest);
    const found = (digest && manifests.get(digest)) ?? grave;
    if (!digest || !found || tags.has(moves)) return [];
    const { until, mediaType, size } = buriedIn(
      { ...found, deletedAt: grave?.['deletedAt'] ?? 0 },
      quarantineMs,
    );
    const { by, reason } = last.attributes;
    return [
      {
        kind: 'tag',
        tag,
        digest,
        mediaType,
        size,
        deletedAt: Date.parse(movedAtIn(last)),
        ...(by !== undefined && { deletedBy: by as string }),
        ...(reason !== undefined && { reason: reason as string }),
        ...(!manifests.has(digest) && { until }),
      },
    ];
  });
  return { entries, ...(next !== undefined && { next: `${TAG}${next}` }) };
}

/** What there is of some things, by these. */
async function readEach<T>(
  table: Registry['table'],
  things: readonly T[],
  keyOf: (thing: T) => Key,
): Promise<Map<T, Attributes>> {
  const read = new Map<T, Attributes>();
  for (let start = 0; start < things.length; start += MAX_OPERATIONS) {
    const batch = things.slice(start, start + MAX_OPERATIONS);
    const found = await table.getMany(batch.map(keyOf));
    for (const [index, thing] of batch.entries()) {
      const attributes = found[index];
      if (attributes) read.set(thing, attributes);
    }
  }
  return read;
}
