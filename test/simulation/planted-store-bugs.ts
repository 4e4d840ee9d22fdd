import { basename } from 'node:path';
import type { AppendOptions, BlobStore, Upload } from '../../functions/storage/blob-store.ts';
import type { Operation } from '../../functions/storage/table.ts';
import type { DiskFile } from '../../local/disk.ts';
import type { S3Input } from './bucket.ts';
import { having, type Plant } from './plants.ts';

// Mistakes next to the bytes: how those under a digest were changed before, and what was taken for safe that was not.

/** Writes that S3 takes whatever is there. */
const unconditional =
  (concerns: (name: string, input: S3Input) => boolean): NonNullable<Plant['s3']> =>
  ({ name, input, next }) => {
    const { IfNoneMatch: _, ...rest } = input;
    return next(concerns(name, input) ? rest : input);
  };

const isSeal = (operation: Operation) => 'update' in operation && operation.set?.['sealed'] !== undefined;

/** Every write of an upload goes to the upload's first key, nothing is fixed before it, and who links does not look at how
 *  many bytes there were: as it was before objects had keys of their own. */
const oneKey = (concerns: (name: string, input: S3Input) => boolean): Plant => ({
  storeId: (request) => request?.session,
  s3: unconditional((name, input) => concerns(name, input) || (isPut(name) && !isFirst(input))),
  operations: (operations) =>
    operations.some(isSeal) ? [] : operations.map((operation) => withoutOffset(operation)),
});

const withoutOffset = (operation: Operation): Operation =>
  'put' in operation && 'finished' in operation.attributes
    ? {
        ...operation,
        when: (operation.when ?? []).filter((one) => !('attribute' in one && one.attribute === 'offset')),
      }
    : operation;

const isPut = (name: string) => name === 'PutObjectCommand';
const isFirst = ({ Key = '' }: S3Input) => Key.startsWith('blobs/');

/** The odd bytes of an upload lie at one key, which nobody forgets. */
const writesTails = unconditional((name, input) => isPut(name) && !isFirst(input));
const isTailGoing = ({ name, input }: { name: string; input: S3Input }) =>
  name === 'DeleteObjectCommand' && !isFirst(input);

/** The same, where some of its methods are others. */
function changed<T extends object>(original: T, changes: Partial<T>): T {
  return new Proxy(original, {
    get: (target, name) => {
      const method: unknown = changes[name as keyof T] ?? target[name as keyof T];
      return typeof method === 'function' ? method.bind(target) : method;
    },
  });
}

/** The hash of a chunk is remembered before its commit, and so also where that comes to nothing. */
const earlyHash = (store: BlobStore): BlobStore =>
  changed(store, {
    async append(upload, body, options) {
      let outcome: Promise<boolean> = Promise.resolve(true);
      const commit: AppendOptions['commit'] = async (next: Upload) => {
        outcome = options.commit(next);
        await outcome.catch(() => undefined);
        return true;
      };
      const appended = await store.append(upload, body, { ...options, commit });
      return (await outcome) ? appended : { is: 'lost' };
    },
  });

/** A chunk is acknowledged, and its file moved and linked by a close that adds nothing, and nobody has waited for the disk. */
function unsyncedChunks(): Plant {
  const appending = new Set<string>();
  const watched = (path: string, file: DiskFile): DiskFile =>
    changed(file, {
      async sync() {
        if (!appending.has(basename(path))) await file.sync();
      },
    });
  return {
    disk: (disk) => ({
      ...disk,
      openToWrite: async (path) => watched(path, await disk.openToWrite(path)),
    }),
    blobs: (store) =>
      changed(store, {
        async append(upload, body, options) {
          const name = basename(upload.objectKey);
          appending.add(name);
          return store.append(upload, body, options).finally(() => appending.delete(name));
        },
      }),
  };
}

/** What S3 could not decide is taken for what it would be. */
const undecided =
  (taken: () => unknown): NonNullable<Plant['s3']> =>
  async ({ input, next }) => {
    try {
      return await next(input);
    } catch (error) {
      if (error instanceof Error && error.name === 'ConditionalRequestConflict') return taken();
      throw error;
    }
  };

function foreign(): never {
  throw Object.assign(new Error('PreconditionFailed'), { name: 'PreconditionFailed' });
}

export const PLANTED_STORE_BUGS: Readonly<Record<string, () => Plant>> = {
  'a close writes over the first chunk, which another one links': () =>
    oneKey((name, input) => isPut(name) && isFirst(input)),
  'two multipart uploads of one session are completed at one key': () =>
    oneKey((name) => name === 'CompleteMultipartUploadCommand'),
  'what is read back was written over meanwhile': () => ({
    concerns: (plan) => plan.kind === 's3' && having('session')(plan),
    storeId: (request) => request?.session,
    s3: (call) => (isTailGoing(call) ? Promise.resolve({}) : writesTails(call)),
  }),
  'a close writes over what its client has sent to the store': () => ({
    s3: unconditional((name, input) => isPut(name) && isFirst(input)),
  }),
  'a client writes over what a close has written': () => ({ isFrontDoorOpen: true }),
  'a cancel gives back what it has not freed': () => ({
    concerns: ({ policy }) => policy?.quota !== undefined,
    blobs: (store) => changed(store, { abort: async () => undefined }),
  }),
  'a hash is remembered before the commit': () => ({ blobs: earlyHash }),
  'a chunk is acknowledged before it is synced': unsyncedChunks,
  'a sync that fails is not noticed': () => ({
    disk: (disk) => ({
      ...disk,
      openToWrite: async (path) => {
        const file = await disk.openToWrite(path);
        return changed(file, { sync: () => file.sync().catch(() => undefined) });
      },
    }),
  }),
  'an object is linked before its name is safe': () => ({
    disk: (disk) => ({ ...disk, syncDirectory: async () => undefined }),
  }),
  'a request goes on after its client was told of an error': () => ({ goesOn: true }),
  'what S3 could not decide is taken for done': () => ({ s3: undecided(() => ({})) }),
  'what S3 could not decide is taken for refused, and nobody looks at the outcome': () => ({
    s3: undecided(foreign),
    isTrusting: true,
  }),
  'a late write brings an object back into the outbox': () => ({
    operations: (operations) => operations.map((one) => (operations.length > 1 ? one : anyhow(one))),
  }),
};

const anyhow = (operation: Operation): Operation =>
  'put' in operation && operation.put.partition.startsWith('X#')
    ? { put: operation.put, attributes: operation.attributes }
    : operation;
