import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { appendFile, readdir, truncate, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../functions/oci/digest.ts';
import {
  type CloseOptions,
  ObjectDamaged,
  type ObjectKey,
  type StoredObject,
  type Upload,
} from '../../functions/storage/blob-store.ts';
import { DirectoryBlobStore } from '../../local/directory-blob-store.ts';
import { type Disk, realDisk } from '../../local/disk.ts';
import { blobStoreContract } from '../contract/blob-store.contract.ts';
import { scratch } from '../scratch.ts';

const shared = mkdtempSync(join(tmpdir(), 'stowage-'));
afterAll(() => rmSync(shared, { recursive: true, force: true }));

blobStoreContract('DirectoryBlobStore', () => DirectoryBlobStore.open(shared));

it.each(['../x', 'blobs/../../etc/passwd', 'blobs/', '/etc/passwd', 'blobs/a\0b', `other/${randomUUID()}`])(
  'refuses the object key %j before it meets the disk',
  async (key) => {
    const root = await scratch();
    const store = await DirectoryBlobStore.open(root);
    await expect(store.put(key as ObjectKey, Buffer.of(1))).rejects.toThrow(RangeError);
    await expect(store.read({ objectKey: key as ObjectKey, size: 1 })).rejects.toThrow(RangeError);
    await expect(store.delete([key as ObjectKey])).rejects.toThrow(RangeError);
    expect(await readdir(root, { recursive: true })).toEqual(
      expect.arrayContaining(['blobs', 'blobs/uploads']),
    );
  },
);

const agree = async () => true;
const bodyOf = (bytes: Uint8Array) => ReadableStream.from([bytes]);

async function append(store: DirectoryBlobStore, upload: Upload, bytes: Uint8Array): Promise<Upload> {
  const outcome = await store.append(upload, bodyOf(bytes), { isCurrent: agree, commit: agree });
  if (outcome.is !== 'appended') throw new Error(outcome.is);
  return outcome.upload;
}

const start = (store: DirectoryBlobStore) => store.start(`blobs/${randomUUID()}` as ObjectKey, 'sha256');

/** Closes as a registry does that agrees to everything, or as `own` says. */
function close(
  store: DirectoryBlobStore,
  upload: Upload,
  whole: Uint8Array,
  { last = Buffer.of(), ...own }: Partial<CloseOptions> & { readonly last?: Uint8Array } = {},
) {
  const options = { isCurrent: agree, seal: agree, link: agree, digest: digestOf('sha256', whole), ...own };
  return store.close(upload, bodyOf(last), options);
}

const textOf = async (store: DirectoryBlobStore, { objectKey }: Upload, size: number) =>
  new Response(await store.read({ objectKey, size })).text();

it('drops what a killed process wrote past the acknowledged offset', async () => {
  const root = await scratch();
  const store = await DirectoryBlobStore.open(root);
  const upload = await append(store, await start(store), Buffer.from('kept'));
  await appendFile(join(root, upload.objectKey.replace('blobs', 'blobs/uploads')), 'not acknowledged');
  const reopened = await DirectoryBlobStore.open(root);
  expect(await close(reopened, upload, Buffer.from('kept'))).toEqual({ is: 'closed' });
  expect(await textOf(reopened, upload, 4)).toBe('kept');
});

it('writes nothing for a request that has read the upload as it was before', async () => {
  const store = await DirectoryBlobStore.open(await scratch());
  const started = await start(store);
  const upload = await append(store, started, Buffer.from('first'));
  const stale = { isCurrent: async () => false, commit: agree };
  expect(await store.append(started, bodyOf(Buffer.from('other')), stale)).toEqual({ is: 'lost' });
  expect(await close(store, upload, Buffer.from('first'))).toEqual({ is: 'closed' });
  expect(await store.append(upload, bodyOf(Buffer.from('more')), stale)).toEqual({ is: 'lost' });
  expect(await textOf(store, upload, 5)).toBe('first');
});

it('believes no hash of bytes whose commit failed', async () => {
  const store = await DirectoryBlobStore.open(await scratch());
  const upload = await append(store, await start(store), Buffer.from('first'));
  const fails = { isCurrent: agree, commit: () => Promise.reject(new Error('the disk is full')) };
  await expect(store.append(upload, bodyOf(Buffer.from('good')), fails)).rejects.toThrow('full');
  const next = await append(store, upload, Buffer.from('evil'));
  expect(await close(store, next, Buffer.from('firstgood'))).toEqual({ is: 'mismatch' });
  expect(await close(store, next, Buffer.from('firstevil'))).toEqual({ is: 'closed' });
  expect(await textOf(store, next, 9)).toBe('firstevil');
});

it('is closed again where the process died between the move and the link', async () => {
  const root = await scratch();
  const store = await DirectoryBlobStore.open(root);
  const upload = await append(store, await start(store), Buffer.from('head '));
  const last = Buffer.from('tail');
  const dies = { last, link: () => Promise.reject(new Error('died')) };
  const whole = Buffer.from('head tail');
  await expect(close(store, upload, whole, dies)).rejects.toThrow('died');
  const reopened = await DirectoryBlobStore.open(root);
  expect(await close(reopened, upload, whole, { last })).toEqual({ is: 'closed' });
  expect(await textOf(reopened, upload, whole.length)).toBe('head tail');
  expect(await readdir(join(root, 'blobs', 'uploads'))).toEqual([]);
});

describe('after the disk has refused', () => {
  const refused = Object.assign(new Error('i/o error'), { code: 'EIO' });

  /** The real disk, until it is told which call fails, once. */
  function faultyDisk() {
    const state = { fails: '' };
    const failing = <T extends object>(target: T): T =>
      new Proxy(target, {
        get(_, name) {
          const value = Reflect.get(target, name);
          if (typeof value !== 'function') return value;
          return (...given: unknown[]) => {
            if (state.fails !== name) return value.apply(target, given);
            state.fails = '';
            return Promise.reject(refused);
          };
        },
      });
    const disk = failing<Disk>({
      ...realDisk,
      openToWrite: async (path) => failing(await realDisk.openToWrite(path)),
    });
    return { disk, state };
  }

  it.each([
    ['a write', 'writev', 'more'],
    ['a sync', 'sync', 'more'],
    ['a move', 'rename', ''],
    ['a sync of the directory', 'syncDirectory', ''],
  ])('%s of the closing request, the upload is gone, whoever repeats it', async (_, call, last) => {
    const root = await scratch();
    const { disk, state } = faultyDisk();
    const store = await DirectoryBlobStore.open(root, disk);
    const upload = await append(store, await start(store), Buffer.from('first'));
    const whole = Buffer.from(`first${last}`);
    state.fails = call;
    const request = { last: Buffer.from(last) };
    expect(await close(store, upload, whole, request)).toEqual({ is: 'gone', cause: refused });
    expect(await store.holds(upload)).toBe(false);
    expect(await close(store, upload, whole, request)).toEqual({ is: 'gone' });
    expect(await readdir(root, { recursive: true })).toHaveLength(2); // the two folders
  });

  it.each(['writev', 'sync'])('%s of a chunk, the upload is gone', async (call) => {
    const { disk, state } = faultyDisk();
    const store = await DirectoryBlobStore.open(await scratch(), disk);
    const upload = await append(store, await start(store), Buffer.from('first'));
    state.fails = call;
    const chunk = () =>
      store.append(upload, bodyOf(Buffer.from('second')), { isCurrent: agree, commit: agree });
    expect(await chunk()).toEqual({ is: 'gone', cause: refused });
    expect(await chunk()).toEqual({ is: 'gone' });
  });

  it('to open the file, nothing was written: the upload is as it was', async () => {
    const { disk, state } = faultyDisk();
    const store = await DirectoryBlobStore.open(await scratch(), disk);
    const upload = await append(store, await start(store), Buffer.from('first'));
    const [last, whole] = [Buffer.from('more'), Buffer.from('firstmore')];
    state.fails = 'openToWrite';
    const chunk = { isCurrent: agree, commit: agree };
    await expect(store.append(upload, bodyOf(last), chunk)).rejects.toBe(refused);
    state.fails = 'openToWrite';
    await expect(close(store, upload, whole, { last })).rejects.toBe(refused);
    expect(await store.holds(upload)).toBe(true);
    expect(await close(store, upload, whole, { last })).toEqual({ is: 'closed' });
    expect(await textOf(store, upload, whole.length)).toBe('firstmore');
  });

  it('to move a file back, the upload is as it was', async () => {
    const { disk, state } = faultyDisk();
    const store = await DirectoryBlobStore.open(await scratch(), disk);
    const upload = await append(store, await start(store), Buffer.from('first'));
    const [last, whole] = [Buffer.from('more'), Buffer.from('firstmore')];
    const dies = { last, link: () => Promise.reject(new Error('died')) };
    await expect(close(store, upload, whole, dies)).rejects.toThrow('died');
    state.fails = 'rename';
    await expect(close(store, upload, whole, { last })).rejects.toBe(refused);
    expect(await close(store, upload, whole, { last })).toEqual({ is: 'closed' });
    expect(await textOf(store, upload, whole.length)).toBe('firstmore');
  });

  it('to remove the file, too, the upload stays gone', async () => {
    const { disk, state } = faultyDisk();
    const store = await DirectoryBlobStore.open(await scratch(), {
      ...disk,
      syncDirectory: (path) => disk.syncDirectory(path),
      remove: () => Promise.reject(refused),
    });
    const upload = await append(store, await start(store), Buffer.from('first'));
    state.fails = 'syncDirectory';
    expect(await close(store, upload, Buffer.from('first'))).toMatchObject({ is: 'gone' });
    expect(await close(store, upload, Buffer.from('first'))).toEqual({ is: 'gone' });
  });

  it('to sync a manifest, nothing of it is left', async () => {
    const root = await scratch();
    const { disk, state } = faultyDisk();
    const store = await DirectoryBlobStore.open(root, disk);
    const objectKey = `blobs/${randomUUID()}` as ObjectKey;
    state.fails = 'sync';
    await expect(store.put(objectKey, Buffer.from('manifest'))).rejects.toThrow('i/o error');
    expect(await store.read({ objectKey, size: 8 })).toBeUndefined();
    expect(await readdir(root, { recursive: true })).toHaveLength(2);
  });
});

it('has what it received while another request moves the file back', async () => {
  const root = await scratch();
  const moving = { run: async () => undefined as unknown };
  const store = await DirectoryBlobStore.open(root, {
    ...realDisk,
    async stat(path) {
      const found = await realDisk.stat(path);
      const { run } = moving;
      moving.run = async () => undefined;
      await run();
      return found;
    },
  });
  const upload = await append(store, await start(store), Buffer.from('first'));
  const dies = { link: () => Promise.reject(new Error('died')) };
  await expect(close(store, upload, Buffer.from('first'), dies)).rejects.toThrow('died');
  moving.run = () => append(store, upload, Buffer.from('second'));
  expect(await store.holds(upload)).toBe(true);
});

it('tells that bytes are missing which were received, as after a loss of power', async () => {
  const root = await scratch();
  const store = await DirectoryBlobStore.open(root);
  const upload = await append(store, await start(store), Buffer.from('received'));
  expect(await store.holds(upload)).toBe(true);
  await truncate(join(root, upload.objectKey.replace('blobs', 'blobs/uploads')), 3);
  const reopened = await DirectoryBlobStore.open(root);
  expect(await reopened.holds(upload)).toBe(false);
  expect(await close(reopened, upload, Buffer.from('received'))).toEqual({ is: 'gone' });
});

describe('a file that cannot be read', () => {
  const object = async (store: DirectoryBlobStore) => {
    const bytes = Buffer.from('stored');
    const upload = await start(store);
    expect(await close(store, upload, bytes, { last: bytes })).toEqual({ is: 'closed' });
    return { objectKey: upload.objectKey, size: bytes.length };
  };
  const digest = digestOf('sha256', Buffer.from('stored'));

  /** A store whose disk fails so, where one of the calls is made; and an object of it. */
  async function failingAt(call: 'stat' | 'openToRead' | 'read', failure: object) {
    const fail = () => Promise.reject(Object.assign(new Error('refused'), failure));
    const root = await scratch();
    const stored = await object(await DirectoryBlobStore.open(root));
    const openToRead = async (path: string) => {
      const file = await realDisk.openToRead(path);
      return file && Object.assign(file, { read: fail });
    };
    const disk = { ...realDisk, ...(call === 'read' ? { openToRead } : { [call]: fail }) };
    return { store: await DirectoryBlobStore.open(root, disk), stored };
  }

  const read = async (store: DirectoryBlobStore, stored: StoredObject) =>
    new Response(await store.read(stored)).bytes();

  it.each([
    ['EIO', { code: 'EIO', errno: -5 }],
    ['EUCLEAN', { code: 'Unknown system error -117', errno: -117 }],
    ['EBADMSG', { code: 'Unknown system error -74', errno: -constants.errno.EBADMSG }],
    ['ELOOP', { code: 'ELOOP', errno: -40 }],
    ['ENOTDIR', { code: 'ENOTDIR', errno: -20 }],
    ['EISDIR', { code: 'EISDIR', errno: -21 }],
  ])('is damaged where the disk says %s', async (_, failure) => {
    for (const call of ['openToRead', 'read'] as const) {
      const { store, stored } = await failingAt(call, failure);
      await expect(read(store, stored)).rejects.toThrow(ObjectDamaged);
      expect(await store.examine(stored, digest, 'bytes')).toBe('damaged');
    }
    const { store, stored } = await failingAt('stat', failure);
    expect(await store.examine(stored, digest, 'glance')).toBe('damaged');
    const { objectKey } = stored;
    expect(await store.list(undefined, 10)).toEqual([{ objectKey, size: 0, writtenAt: 0 }]);
    expect(await store.holds({ objectKey, offset: 6, state: {} })).toBe(false);
  });

  it.each(['EACCES', 'EMFILE', 'ENFILE', 'ENOMEM', 'ESTALE'])('is not where it says %s', async (code) => {
    for (const call of ['openToRead', 'read'] as const) {
      const { store, stored } = await failingAt(call, { code, errno: -1 });
      await expect(read(store, stored)).rejects.toMatchObject({ code });
      await expect(store.examine(stored, digest, 'bytes')).rejects.toMatchObject({ code });
    }
    const { store, stored } = await failingAt('stat', { code, errno: -1 });
    await expect(store.examine(stored, digest, 'glance')).rejects.toMatchObject({ code });
    await expect(store.list(undefined, 10)).rejects.toMatchObject({ code });
    await expect(store.holds({ objectKey: stored.objectKey, offset: 6, state: {} })).rejects.toMatchObject({
      code,
    });
  });
});

it('reads a directory once for many pages of a list, and anew for a new list', async () => {
  const root = await scratch();
  let read = 0;
  const names: Disk['names'] = (path) => {
    read += 1;
    return realDisk.names(path);
  };
  const store = await DirectoryBlobStore.open(root, { ...realDisk, names });
  const keys = Array.from({ length: 250 }, () => `blobs/${randomUUID()}` as ObjectKey).sort((a, b) =>
    a < b ? -1 : 1,
  );
  await Promise.all(keys.map((key) => writeFile(join(root, key), '')));
  const listAll = async () => {
    const listed: ObjectKey[] = [];
    for (let isLast = false; !isLast; ) {
      const page = await store.list(listed.at(-1), 20);
      listed.push(...page.map(({ objectKey }) => objectKey));
      isLast = page.length < 20;
    }
    return listed;
  };
  expect(await listAll()).toEqual(keys);
  expect(read).toBe(1);
  await store.delete(keys.slice(0, 30));
  await store.put(`blobs/00000000-0000-4000-8000-000000000000` as ObjectKey, Buffer.of(1));
  expect(await listAll()).toEqual(['blobs/00000000-0000-4000-8000-000000000000', ...keys.slice(30)]);
  expect(read).toBe(2);
});

describe('a request beside another one to the same upload', () => {
  const chunk = { isCurrent: agree, commit: agree };
  const whole = Buffer.from('the whole');

  it('takes its turn where the client of that one is silent, and nothing of that is added', async () => {
    const store = await DirectoryBlobStore.open(await scratch(), realDisk, 20);
    const upload = await start(store);
    const begun = Promise.withResolvers<void>();
    const pieces = [Buffer.from('the wh')];
    const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      const piece = pieces.pop();
      if (piece) controller.enqueue(piece);
      else begun.resolve(); // and never again
    };
    const silent = new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 });
    const first = store.append(upload, silent, chunk);
    await begun.promise;
    const second = store.append(upload, bodyOf(whole), chunk);
    await expect(first).rejects.toMatchObject({ status: 408 });
    expect(await second).toMatchObject({ is: 'appended', upload: { offset: whole.length } });
    expect(await close(store, { ...upload, offset: whole.length }, whole, {})).toEqual({ is: 'closed' });
    expect(await textOf(store, upload, whole.length)).toBe(`${whole}`);
  });

  it('is told so where that one goes on', async () => {
    const store = await DirectoryBlobStore.open(await scratch(), realDisk, 200);
    const upload = await start(store);
    const pieces = Promise.withResolvers<ReadableStreamDefaultController<Uint8Array>>();
    const first = store.append(upload, new ReadableStream({ start: pieces.resolve }), chunk);
    const controller = await pieces.promise;
    const second = store.append(upload, bodyOf(whole), chunk);
    const timer = setInterval(() => controller.enqueue(Buffer.from('x')), 5);
    expect(await second).toEqual({ is: 'busy' });
    clearInterval(timer);
    controller.close();
    expect(await first).toMatchObject({ is: 'appended' });
  });
});
