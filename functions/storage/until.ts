import type { BlobStore } from './blob-store.ts';
import type { DirectWrites } from './direct-writes.ts';
import type { Table } from './table.ts';

/** The same table, of which no call begins once `signal` has fired: it fails with the signal's reason. What is under way is
 *  cut, and never repeated, where the table can do that. */
export function tableUntil(table: Table, signal: AbortSignal): Table {
  if (table.until) return table.until(signal);
  const unless = async <T>(call: () => Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    return call();
  };
  return {
    get: (key) => unless(() => table.get(key)),
    getMany: (keys) => unless(() => table.getMany(keys)),
    query: (query) => unless(() => table.query(query)),
    write: (operations) => unless(() => table.write(operations)),
  };
}

/** As `tableUntil`, of bytes. */
export function blobsUntil(blobs: BlobStore, signal: AbortSignal): BlobStore {
  const store = blobs.until?.(signal) ?? blobs;
  const unless = async <T>(call: () => Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    return call();
  };
  return {
    start: (objectKey, algorithm) => unless(() => store.start(objectKey, algorithm)),
    append: (upload, body, options) => unless(() => store.append(upload, body, options)),
    close: (upload, body, options) => unless(() => store.close(upload, body, options)),
    holds: (upload) => unless(() => store.holds(upload)),
    received: (objectKey) => unless(() => store.received(objectKey)),
    abort: (upload) => unless(() => store.abort(upload)),
    footprint: (upload, more) => unless(() => store.footprint(upload, more)),
    plug: (objectKey) => unless(() => store.plug(objectKey)),
    put: (objectKey, bytes) => unless(() => store.put(objectKey, bytes)),
    downloadUrl: (...args) => unless(() => store.downloadUrl(...args)),
    read: (object, options) => unless(() => store.read(object, options)),
    examine: (object, digest, look) => unless(() => store.examine(object, digest, look)),
    list: (after, limit) => unless(() => store.list(after, limit)),
    delete: (objectKeys) => unless(() => store.delete(objectKeys)),
    ...(store.direct && { direct: directUntil(store.direct, unless) }),
  };
}

const directUntil = (
  direct: DirectWrites,
  unless: <T>(call: () => Promise<T>) => Promise<T>,
): DirectWrites => ({
  whole: (upload, announced) => unless(() => direct.whole(upload, announced)),
  startParts: (objectKey, announced) => unless(() => direct.startParts(objectKey, announced)),
  part: (upload, part) => unless(() => direct.part(upload, part)),
  cutOf: (upload) => unless(() => direct.cutOf(upload)),
});
