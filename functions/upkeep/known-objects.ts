import type { Digest } from '../oci/digest.ts';
import type { RepositoryName } from '../oci/reference.ts';
import { everyRepository } from '../registry/every-repository.ts';
import { blobsOf, gravesOf, lastPartOf, manifestsOf, OUTBOX_SHARDS, outbox } from '../registry/keys.ts';
import type { ObjectKey } from '../storage/blob-store.ts';
import type { Item, Key, Query, Table } from '../storage/table.ts';

/** An item of the table that names an object. */
export interface Reference {
  readonly objectKey: ObjectKey;
  readonly item: Key;
  /** Of what a repository holds; an object that is to be deleted, or is being uploaded, may be missing. */
  readonly held?: Held;
}

export interface Held {
  readonly repository: RepositoryName;
  readonly kind: 'blob' | 'manifest' | 'grave';
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** Manifests and graves carry up to 16 KiB each. */
const READ_AT_ONCE = 200;

/** Every object that the table knows, a page at a time, some more than once. Of an object that was known all along, no
 *  move is missed: from an upload to a link or manifest, from there to a grave, and from each of them to the outbox.
 *  Only a blob that is mounted from a repository not yet read into one already read, and then deleted there, may be. */
export async function* knownObjects(table: Table): AsyncGenerator<readonly Reference[]> {
  yield* listedForDeletion(table);
  for await (const name of everyRepository(table)) yield* heldBy(table, name);
  // What was unlinked meanwhile is here for a day.
  yield* listedForDeletion(table);
}

async function* listedForDeletion(table: Table): AsyncGenerator<readonly Reference[]> {
  for (const shard of OUTBOX_SHARDS) {
    for await (const items of pages(table, outbox(shard))) {
      yield items.map(({ key, attributes }) => ({
        item: key,
        objectKey: attributes['objectKey'] as ObjectKey,
      }));
    }
  }
}

/** Manifests before graves, the way they go. */
async function* heldBy(table: Table, repository: RepositoryName): AsyncGenerator<readonly Reference[]> {
  const ranges = [
    ['blob', blobsOf(repository)],
    ['manifest', manifestsOf(repository)],
    ['grave', gravesOf(repository)],
  ] as const;
  for (const [kind, range] of ranges) {
    for await (const items of pages(table, range)) {
      yield items.flatMap((item) => referenceIn(item, repository, kind) ?? []);
    }
  }
}

/** Small manifests lie in their items and have no object. */
function referenceIn(item: Item, repository: RepositoryName, kind: Held['kind']): Reference | undefined {
  const objectKey = item.attributes['objectKey'] as ObjectKey | undefined;
  if (objectKey === undefined) return undefined;
  const [digest, size] = [lastPartOf(item) as Digest, item.attributes['size'] as number];
  return { objectKey, item: item.key, held: { repository, kind, digest, size } };
}

async function* pages(table: Table, range: Omit<Query, 'limit'>): AsyncGenerator<readonly Item[]> {
  for (let after: string | undefined; ; ) {
    const page: readonly Item[] = await table.query({
      ...range,
      limit: READ_AT_ONCE,
      ...(after !== undefined && { after }),
    });
    if (page.length > 0) yield page;
    if (page.length < READ_AT_ONCE) return;
    after = page.at(-1)?.key.sort;
  }
}
