import { join } from 'node:path';
import { algorithmOf, type Digest } from '../functions/oci/digest.ts';
import {
  type Body,
  type Fault,
  type ListedObject,
  type Look,
  ObjectDamaged,
  type ObjectKey,
  type ReadOptions,
  type StoredObject,
} from '../functions/storage/blob-store.ts';
import type { Disk, ReadableFile } from './disk.ts';
import { isDamage } from './disk-failure.ts';
import { FileBody, FileRange } from './file-body.ts';
import { digestFile } from './file-reader.ts';

/** Object keys are ours, but a path is built of them: anything else is refused before it meets the disk. */
const OBJECT_KEY = /^blobs\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Keys are ASCII: the order of their code units is that of their bytes. */
const byKey = (a: ObjectKey, b: ObjectKey) => (a < b ? -1 : Number(a > b));

/** Ours: names that are held from one reading of the directory for the pages that follow; some 5 MB. */
const READ_AHEAD = 20_000;

/** What comes after a page that was listed. */
interface Ahead {
  readonly after: string;
  readonly keys: readonly ObjectKey[];
  /** Whether there are no others. */
  readonly isAll: boolean;
}

/** The files in `blobs/`, which are whole, as far as they are read. One that the disk cannot read is damaged; where the machine
 *  cannot, as without rights or descriptors, each of these fails, and nothing is said of the file. */
export class ObjectFiles {
  readonly #root: string;
  readonly #disk: Disk;
  #ahead: Ahead | undefined;

  constructor(root: string, disk: Disk) {
    [this.#root, this.#disk] = [root, disk];
  }

  async read(object: StoredObject, { range, onDamage }: ReadOptions = {}): Promise<Body | undefined> {
    const file = await this.#openObject(object);
    if (!file) return undefined;
    const whole = { first: 0, last: object.size - 1 };
    const explain = (cause: unknown) => {
      const error = asDamage(object, cause);
      if (error instanceof ObjectDamaged) onDamage?.(error);
      return error;
    };
    return new FileBody(new FileRange(file, range ?? whole, explain));
  }

  async examine(object: StoredObject, digest: Digest, look: Look): Promise<Fault | undefined> {
    const found = await this.look(this.path(object.objectKey));
    if (!found) return 'missing';
    if (found === 'unreadable' || found.size !== object.size) return 'damaged';
    if (look !== 'bytes') return undefined;
    try {
      return await this.#compare(object, digest);
    } catch (error) {
      if (asDamage(object, error) instanceof ObjectDamaged) return 'damaged';
      throw error;
    }
  }

  async #compare(object: StoredObject, digest: Digest): Promise<Fault | undefined> {
    const file = await this.#openObject(object);
    if (!file) return 'missing';
    try {
      return (await digestFile(file, object.size, algorithmOf(digest))) === digest ? undefined : 'damaged';
    } finally {
      await file.close();
    }
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

  /** Of the page that follows another one, what was read with that. */
  async #firstKeys(after = '', limit: number): Promise<readonly ObjectKey[]> {
    const known = after !== '' && this.#ahead?.after === after ? this.#ahead : undefined;
    const isEnough = known && (known.isAll || known.keys.length >= limit);
    const { keys, isAll } = isEnough ? known : await this.#readKeys(after);
    const page = keys.slice(0, limit);
    this.#ahead = { after: page.at(-1) ?? after, keys: keys.slice(limit), isAll };
    return page;
  }

  /** A directory has no order: all names are read, and no more than twice `READ_AHEAD` are held. */
  async #readKeys(after: string): Promise<Omit<Ahead, 'after'>> {
    const first = (keys: ObjectKey[]) => keys.sort(byKey).slice(0, READ_AHEAD);
    let found: ObjectKey[] = [];
    let isAll = true;
    for await (const name of this.#disk.names(join(this.#root, 'blobs'))) {
      const objectKey = `blobs/${name}` as ObjectKey;
      if (objectKey > after && OBJECT_KEY.test(objectKey)) found.push(objectKey);
      if (found.length < 2 * READ_AHEAD) continue;
      found = first(found);
      isAll = false;
    }
    return { keys: first(found), isAll: isAll && found.length <= READ_AHEAD };
  }

  async #listed(objectKey: ObjectKey): Promise<ListedObject | undefined> {
    const found = await this.look(this.path(objectKey));
    if (found === 'unreadable') return { objectKey, size: 0, writtenAt: 0 };
    return found && { objectKey, size: found.size, writtenAt: Math.floor(found.mtimeMs) };
  }

  /** What is known of a file without opening it, or that the disk cannot read it; `undefined` where there is none. */
  async look(path: string) {
    try {
      return await this.#disk.stat(path);
    } catch (error) {
      if (isDamage(error)) return 'unreadable';
      throw error;
    }
  }

  /** `undefined` where there is no such object. Fails with `ObjectDamaged` where it is of another size, or cannot be opened. */
  async #openObject(object: StoredObject): Promise<ReadableFile | undefined> {
    const path = this.path(object.objectKey);
    let file: ReadableFile | undefined;
    try {
      file = await this.#disk.openToRead(path);
      const size = file?.size() ?? object.size;
      if (size !== object.size) throw new ObjectDamaged(object, size);
      return file;
    } catch (error) {
      await file?.close().catch(() => undefined);
      throw asDamage(object, error);
    }
  }

  /** Where an object lies. Fails with `RangeError` where that is no key of one. */
  path(objectKey: ObjectKey): string {
    if (!OBJECT_KEY.test(objectKey)) throw new RangeError(`not an object key: ${JSON.stringify(objectKey)}`);
    return join(this.#root, objectKey);
  }
}

const asDamage = (object: StoredObject, error: unknown): unknown =>
  isDamage(error) ? new ObjectDamaged(object, error) : error;
