import { randomBytes, randomUUID } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { type Digest, digestOf } from '../../functions/oci/digest.ts';
import type { RepositoryName, Tag } from '../../functions/oci/reference.ts';
import { putManifest } from '../../functions/registry/manifest-push.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { finishUpload } from '../../functions/registry/upload-closing.ts';
import { startUpload } from '../../functions/registry/uploads.ts';
import { ObjectDamaged, type ObjectKey } from '../../functions/storage/blob-store.ts';
import { longestPauseMs } from '../../functions/storage/pause.ts';
import type { Operation, Outcome, Table } from '../../functions/storage/table.ts';
import { DirectoryBlobStore } from '../../local/directory-blob-store.ts';
import { SqliteTable } from '../../local/sqlite-table.ts';
import { scratch } from '../scratch.ts';

export const REPOSITORY = 'team/app' as RepositoryName;
export const OTHER = 'team/other' as RepositoryName;

type Hook = { readonly matches: (sorts: readonly string[]) => boolean; readonly run: () => Promise<unknown> };

/** A registry on real stores whose clock the test moves, and into whose writes it can slip something. */
export interface Fixture {
  readonly registry: Registry;
  readonly table: SqliteTable;
  /** Where its bytes lie. */
  readonly root: string;
  clock: number;
  /** Runs `act` once, just before the first write that touches an item whose sort key starts so. */
  justBefore(sortPrefix: string, act: () => Promise<unknown>): void;
}

/** The table as another process has it open, with some methods of its own. */
export const through = (table: Table, own: Partial<Table> = {}): Table => ({
  get: (key) => table.get(key),
  getMany: (keys) => table.getMany(keys),
  query: (query) => table.query(query),
  write: (operations) => table.write(operations),
  ...own,
});

/** The registry, and the prefixes of what was queried of its table. */
export function watchQueries(registry: Registry): { registry: Registry; queried: (string | undefined)[] } {
  const { table } = registry;
  const queried: (string | undefined)[] = [];
  const query: Table['query'] = (asked) => {
    queried.push(asked.prefix);
    return table.query(asked);
  };
  return { registry: { ...registry, table: through(table, { query }) }, queried };
}

export async function openFixture(): Promise<Fixture> {
  const table = new SqliteTable(':memory:');
  onTestFinished(() => table.close());
  const root = await scratch();
  const hooks: Hook[] = [];
  let waited = 0;
  const hooked = through(table, { write: async (operations) => write(table, hooks, operations) });
  const fixture: Fixture = {
    table,
    root,
    clock: Date.UTC(2026, 0, 1),
    registry: {
      table: hooked,
      blobs: await DirectoryBlobStore.open(root),
      now: () => fixture.clock,
      steady: () => waited,
      newId: randomUUID,
      pause: async (attempt) => {
        waited += longestPauseMs(attempt) / 2;
      },
    },
    justBefore(prefix, run) {
      hooks.push({ matches: (sorts) => sorts.some((sort) => sort.startsWith(prefix)), run });
    },
  };
  return fixture;
}

async function write(table: Table, hooks: Hook[], operations: readonly Operation[]): Promise<Outcome> {
  const sorts = operations.map((operation) => Object.values(operation)[0] as { sort: string });
  const index = hooks.findIndex(({ matches }) => matches(sorts.map(({ sort }) => sort)));
  const [hook] = index < 0 ? [] : hooks.splice(index, 1);
  await hook?.run();
  return table.write(operations);
}

/** Whether there is an object at the key, of whatever size. */
export async function isStored({ blobs }: Registry, objectKey: ObjectKey): Promise<boolean> {
  try {
    return (await blobs.read({ objectKey, size: -1 })) !== undefined;
  } catch (error) {
    if (error instanceof ObjectDamaged) return true;
    throw error;
  }
}

export const bodyOf = (bytes: Uint8Array): ReadableStream<Uint8Array> => ReadableStream.from([bytes]);

/** Uploads bytes of their own, or those given, and returns their descriptor. */
export async function pushBlob(
  registry: Registry,
  repository = REPOSITORY,
  bytes: Uint8Array = randomBytes(100),
) {
  const digest = digestOf('sha256', bytes);
  const { id } = await startUpload(registry, repository);
  await finishUpload(registry, { repository, id, body: bodyOf(bytes), start: undefined, digest });
  return { mediaType: 'application/octet-stream', digest, size: bytes.length };
}

type Descriptor = Awaited<ReturnType<typeof pushBlob>>;

export function imageOf(config: Descriptor, extra: object = {}): Buffer {
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [], ...extra }));
}

export function indexOf(...children: Buffer[]): Buffer {
  const manifests = children.map((bytes) => ({
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: digestOf('sha256', bytes),
    size: bytes.length,
  }));
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
}

export async function push(registry: Registry, bytes: Uint8Array, ...tags: string[]): Promise<Digest> {
  const push = { repository: REPOSITORY, bytes, contentType: '', digest: undefined, tags: tags as Tag[] };
  return (await putManifest(registry, push)).digest;
}

/** The code of the error that `promise` fails with, or `undefined` where it does not. */
export async function refusal(promise: Promise<unknown>): Promise<string | undefined> {
  return promise.then(
    () => undefined,
    (error: { code?: string }) => error.code ?? String(error),
  );
}
