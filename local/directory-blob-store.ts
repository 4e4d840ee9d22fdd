import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, opendir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Algorithm, algorithmOf, type Digest, finishDigest } from '../functions/oci/digest.ts';
import type {
  AppendOptions,
  AppendOutcome,
  BlobStore,
  Body,
  ByteRange,
  ListedObject,
  ObjectKey,
  Upload,
} from '../functions/storage/blob-store.ts';
import { streamFile } from './file-reader.ts';
import { FileWriter } from './file-writer.ts';

/** Object keys are ours, but a path is built of them: anything else is refused before it meets the disk. */
const OBJECT_KEY = /^blobs\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The digest of an upload's first `offset` bytes, kept so that the bytes need not be read again. */
interface LiveHash {
  readonly algorithm: Algorithm;
  readonly offset: number;
  readonly hash: Hash;
}

/** Keys are ASCII: the order of their code units is that of their bytes. */
const byKey = (a: ObjectKey, b: ObjectKey) => (a < b ? -1 : Number(a > b));

/** More uploads than this at once, and the eldest are hashed from the file when they finish. */
const MAX_LIVE_HASHES = 1024;

/** A `BlobStore` in a directory: one file an object, written in place under its final name. What makes an
 *  object readable is its digest's item in the table, so a half-written file is never seen. */
export class DirectoryBlobStore implements BlobStore {
  readonly #root: string;
  readonly #busy = new Set<ObjectKey>();
  readonly #live = new Map<ObjectKey, LiveHash>();

  private constructor(root: string) {
    this.#root = root;
  }

  /** Opens or makes the directory. One process at a time may use it. */
  static async open(root: string): Promise<DirectoryBlobStore> {
    await mkdir(join(root, 'blobs'), { recursive: true, mode: 0o700 });
    return new DirectoryBlobStore(root);
  }

  async start(objectKey: ObjectKey, algorithm: Algorithm): Promise<Upload> {
    return { objectKey, offset: 0, state: { algorithm } };
  }

  async append(upload: Upload, body: Body, { commit }: AppendOptions): Promise<AppendOutcome> {
    const { objectKey } = upload;
    if (this.#busy.has(objectKey)) {
      await body.cancel();
      return { is: 'busy' };
    }
    this.#busy.add(objectKey);
    try {
      const next = await this.#write(upload, body);
      return (await commit(next)) ? { is: 'appended', upload: next } : { is: 'lost' };
    } finally {
      this.#busy.delete(objectKey);
    }
  }

  async finish({ objectKey, offset }: Upload, digest: Digest): Promise<'stored' | 'mismatch'> {
    const file = await open(this.#path(objectKey), constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      const actual = await this.#digest(objectKey, offset, algorithmOf(digest));
      if (actual !== digest) return 'mismatch';
      await file.truncate(offset); // what a cut request left behind
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#syncDirectory();
    this.#live.delete(objectKey);
    return 'stored';
  }

  async received(): Promise<undefined> {
    return undefined; // nobody writes here but the registry
  }

  async abort({ objectKey }: Upload): Promise<void> {
    await this.delete([objectKey]);
  }

  async put(objectKey: ObjectKey, bytes: Uint8Array): Promise<void> {
    const file = await open(this.#path(objectKey), 'wx', 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#syncDirectory();
  }

  async downloadUrl(): Promise<undefined> {
    return undefined;
  }

  async read(objectKey: ObjectKey, range?: ByteRange): Promise<Body | undefined> {
    return streamFile(this.#path(objectKey), range);
  }

  async list(after: ObjectKey | undefined, limit: number): Promise<readonly ListedObject[]> {
    const keys = await this.#firstKeys(after, limit);
    const listed = await Promise.all(keys.map((objectKey) => this.#listed(objectKey)));
    // One that was deleted since its name was read leaves a page short, which would end the list: the rest is read.
    const present = listed.filter((object) => object !== undefined);
    const last = keys.at(-1);
    if (keys.length < limit || present.length === limit || last === undefined) return present;
    return [...present, ...(await this.list(last, limit - present.length))];
  }

  async delete(objectKeys: readonly ObjectKey[]): Promise<void> {
    for (const objectKey of objectKeys) {
      this.#live.delete(objectKey);
      await rm(this.#path(objectKey), { force: true });
    }
  }

  /** Writes the body behind the upload's offset, over whatever a cut request left there. */
  async #write({ objectKey, offset, state }: Upload, body: Body): Promise<Upload> {
    const hash = this.#resumeHash(objectKey, offset, state['algorithm'] as Algorithm);
    const file = await open(this.#path(objectKey), constants.O_RDWR | constants.O_CREAT, 0o600);
    const writer = new FileWriter(file, offset);
    try {
      for await (const chunk of body) {
        hash?.hash.update(chunk);
        await writer.write(chunk);
      }
      await writer.flush();
    } finally {
      await writer.settle();
      await file.close();
    }
    if (hash) this.#remember(objectKey, { ...hash, offset: writer.position });
    return { objectKey, offset: writer.position, state };
  }

  /** A hash that has seen the first `offset` bytes, `undefined` where there is none any more. */
  #resumeHash(objectKey: ObjectKey, offset: number, algorithm: Algorithm) {
    if (offset === 0) return { algorithm, hash: createHash(algorithm) };
    const live = this.#live.get(objectKey);
    return live?.offset === offset ? { algorithm: live.algorithm, hash: live.hash.copy() } : undefined;
  }

  #remember(objectKey: ObjectKey, live: LiveHash): void {
    this.#live.delete(objectKey);
    this.#live.set(objectKey, live);
    const [eldest] = this.#live.keys();
    if (this.#live.size > MAX_LIVE_HASHES && eldest) this.#live.delete(eldest);
  }

  /** The digest of the first `offset` bytes: known from writing them, or read anew after a restart. */
  async #digest(objectKey: ObjectKey, offset: number, algorithm: Algorithm): Promise<Digest> {
    const live = this.#live.get(objectKey);
    if (live?.offset === offset && live.algorithm === algorithm) return finishDigest(algorithm, live.hash);
    const hash = createHash(algorithm);
    const whole = await streamFile(this.#path(objectKey), { first: 0, last: offset - 1 });
    for await (const chunk of whole ?? []) hash.update(chunk);
    return finishDigest(algorithm, hash);
  }

  /** A new file is only safe once its directory is. */
  async #syncDirectory(): Promise<void> {
    const directory = await open(join(this.#root, 'blobs'), 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }

  /** A directory has no order: all names are read, and no more than twice `limit` are held. */
  async #firstKeys(after = '', limit: number): Promise<readonly ObjectKey[]> {
    const first = (keys: ObjectKey[]) => keys.sort(byKey).slice(0, limit);
    let found: ObjectKey[] = [];
    for await (const { name } of await opendir(join(this.#root, 'blobs'))) {
      const objectKey = `blobs/${name}` as ObjectKey;
      if (objectKey > after && OBJECT_KEY.test(objectKey)) found.push(objectKey);
      if (found.length >= 2 * limit) found = first(found);
    }
    return first(found);
  }

  async #listed(objectKey: ObjectKey): Promise<ListedObject | undefined> {
    try {
      const { size, mtimeMs } = await stat(this.#path(objectKey));
      return { objectKey, size, writtenAt: Math.floor(mtimeMs) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  #path(objectKey: ObjectKey): string {
    if (!OBJECT_KEY.test(objectKey)) throw new RangeError(`not an object key: ${JSON.stringify(objectKey)}`);
    return join(this.#root, objectKey);
  }
}
