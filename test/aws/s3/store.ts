import { randomUUID } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { open, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Algorithm, Checksum } from './checksums.ts';
import { KeyIndex } from './key-index.ts';

/** A file of the store, or a piece of one; once it is there, its bytes never change. */
export interface StoredFile {
  readonly name: string;
  readonly size: number;
  /** How many bytes of the file lie before the piece. @default 0 */
  readonly skip?: number;
}

export interface StoredObject {
  readonly key: string;
  readonly size: number;
  /** Without quotes. */
  readonly eTag: string;
  readonly modified: number;
  readonly files: readonly StoredFile[];
  /** Content-Type, `x-amz-meta-*` and what else a GET gives back. */
  readonly headers: Readonly<Record<string, string>>;
  readonly checksum?: Checksum | undefined;
}

export interface Part {
  readonly number: number;
  readonly size: number;
  readonly files: readonly StoredFile[];
  readonly eTag: string;
  readonly modified: number;
  readonly checksum?: Checksum | undefined;
}

export interface Upload {
  readonly id: string;
  readonly key: string;
  readonly started: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly algorithm?: Algorithm | undefined;
}

export type OpenUpload = Upload & { readonly parts: Map<number, Part> };

/** A line of the journal; what it says takes place as one. */
interface Change {
  readonly put?: StoredObject;
  readonly remove?: string;
  readonly start?: Upload;
  readonly part?: readonly [uploadId: string, part: Part];
  readonly end?: string;
}

const READ_CHUNK_BYTES = 256 * 1024;

/** Objects as records over immutable files. Every change of a record is one synchronous step: what a caller has just
 *  looked at still holds when it changes it, if it does not await in between. */
export class Store {
  readonly #directory: string;
  readonly #objects = new Map<string, StoredObject>();
  readonly #deletions = new Map<string, number>();
  readonly #uploads = new Map<string, OpenUpload>();
  /** What uploads became that this server has completed, by their ids. */
  readonly #completed = new Map<string, StoredObject>();
  /** How many records and readers each file has. */
  readonly #users = new Map<string, number>();
  readonly #unlinking = new Set<Promise<void>>();
  /** Of all objects. */
  readonly keys = new KeyIndex();
  #journal = -1;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Goes on with what an earlier server left in the directory. */
  static async open(directory: string): Promise<Store> {
    mkdirSync(join(directory, 'files'), { recursive: true });
    const store = new Store(directory);
    await store.#load(join(directory, 'journal.jsonl'));
    return store;
  }

  async close(): Promise<void> {
    await Promise.all(this.#unlinking);
    closeSync(this.#journal);
  }

  get(key: string): StoredObject | undefined {
    return this.#objects.get(key);
  }

  /** How many objects of this key this server has deleted. */
  deletions(key: string): number {
    return this.#deletions.get(key) ?? 0;
  }

  upload(id: string): OpenUpload | undefined {
    return this.#uploads.get(id);
  }

  completed(id: string): StoredObject | undefined {
    return this.#completed.get(id);
  }

  uploads(): readonly OpenUpload[] {
    return Array.from(this.#uploads.values());
  }

  /** Writes a file; of a body that throws, nothing stays. */
  async write(body: AsyncIterable<Uint8Array>): Promise<string> {
    const name = randomUUID();
    const handle = await open(this.#path(name), 'wx');
    try {
      await writeFile(handle, body);
      return name;
    } catch (error) {
      await this.#unlink(name);
      throw error;
    } finally {
      await handle.close();
    }
  }

  put(object: StoredObject): void {
    this.#change({ put: object });
  }

  remove(key: string): void {
    if (this.#objects.has(key)) this.#change({ remove: key });
  }

  start(upload: Upload): void {
    this.#change({ start: upload });
  }

  addPart(id: string, part: Part): void {
    this.#change({ part: [id, part] });
  }

  /** Ends an upload, in favour of `object` if there is one. */
  end(upload: OpenUpload, object?: StoredObject): void {
    this.#change(object ? { put: object, end: upload.id } : { end: upload.id });
    if (object) this.#completed.set(upload.id, object);
  }

  /** Deletes a file that was written and is in no record. */
  discard(name: string): void {
    if (this.#users.has(name)) return;
    const unlinking = this.#unlink(name).finally(() => this.#unlinking.delete(unlinking));
    this.#unlinking.add(unlinking);
  }

  /** Bytes `first` to `last`, inclusive, as the object is now, even if it is replaced meanwhile. */
  async *read(object: StoredObject, first: number, last: number): AsyncGenerator<Uint8Array> {
    this.#hold(object.files);
    try {
      for (const { name, size, skip = 0 } of pieces(object.files, first, last))
        yield* this.#readFile(name, skip, skip + size - 1);
    } finally {
      this.#letGo(object.files);
    }
  }

  #readFile(name: string, start: number, end: number): AsyncIterable<Uint8Array> {
    return createReadStream(this.#path(name), { start, end, highWaterMark: READ_CHUNK_BYTES });
  }

  #hold(files: readonly StoredFile[]): void {
    for (const { name } of files) this.#users.set(name, (this.#users.get(name) ?? 0) + 1);
  }

  /** Files go with their last record and reader. */
  #letGo(files: readonly StoredFile[]): void {
    for (const { name } of files) {
      const left = (this.#users.get(name) ?? 0) - 1;
      if (left > 0) {
        this.#users.set(name, left);
        continue;
      }
      this.#users.delete(name);
      this.discard(name);
    }
  }

  #path(name: string): string {
    return join(this.#directory, 'files', name);
  }

  async #unlink(name: string): Promise<void> {
    // A directory that a test has removed already holds nothing to delete.
    await rm(this.#path(name), { force: true }).catch(() => undefined);
  }

  #change(change: Change): void {
    writeSync(this.#journal, `${JSON.stringify(change)}\n`);
    this.#apply(change);
  }

  #apply({ put, remove, start, part, end }: Change): void {
    if (put) this.#replace(put);
    if (remove !== undefined) this.#drop(remove);
    if (start) this.#uploads.set(start.id, { ...start, parts: new Map() });
    if (part) this.#replacePart(...part);
    if (end === undefined) return;
    for (const { files } of this.#uploads.get(end)?.parts.values() ?? []) this.#letGo(files);
    this.#uploads.delete(end);
  }

  #replace(object: StoredObject): void {
    this.#hold(object.files);
    this.#letGo(this.#objects.get(object.key)?.files ?? []);
    this.#objects.set(object.key, object);
    this.keys.add(object.key);
  }

  #replacePart(id: string, part: Part): void {
    const parts = this.#uploads.get(id)?.parts;
    this.#hold(part.files);
    this.#letGo(parts?.get(part.number)?.files ?? []);
    parts?.set(part.number, part);
  }

  #drop(key: string): void {
    this.#letGo(this.#objects.get(key)?.files ?? []);
    this.#objects.delete(key);
    this.#deletions.set(key, this.deletions(key) + 1);
    this.keys.remove(key);
  }

  /** Replays the journal, writes it anew without its history, and deletes the files that no record names. */
  async #load(path: string): Promise<void> {
    for (const line of readLines(path)) this.#apply(line);
    const fresh = openSync(`${path}.new`, 'w');
    for (const change of this.#snapshot()) writeSync(fresh, `${JSON.stringify(change)}\n`);
    renameSync(`${path}.new`, path);
    this.#journal = fresh;
    const files = Array.from(this.#snapshot(), ({ put, part }) => put?.files ?? part?.[1].files ?? []);
    const used = new Set(files.flat().map((file) => file.name));
    const present = await readdir(join(this.#directory, 'files'));
    await Promise.all(present.filter((name) => !used.has(name)).map((name) => this.#unlink(name)));
  }

  *#snapshot(): Generator<Change> {
    for (const put of this.#objects.values()) yield { put };
    for (const { parts, ...start } of this.#uploads.values()) {
      yield { start };
      for (const part of parts.values()) yield { part: [start.id, part] };
    }
  }
}

/** The changes up to the first line that a killed server left half written. */
function* readLines(path: string): Generator<Change> {
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  for (const line of text.split('\n').slice(0, -1)) yield JSON.parse(line) as Change;
}

/** The pieces that bytes `first` to `last`, inclusive, of these files consist of. */
export function pieces(files: readonly StoredFile[], first: number, last: number): StoredFile[] {
  let start = 0;
  return files.flatMap(({ name, size, skip = 0 }) => {
    const [from, to] = [Math.max(first - start, 0), Math.min(last - start, size - 1)];
    start += size;
    return from <= to ? [{ name, size: to - from + 1, skip: skip + from }] : [];
  });
}
