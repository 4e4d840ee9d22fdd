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

/** A file of the store; once it is there, its bytes never change. */
export interface StoredFile {
  readonly name: string;
  readonly size: number;
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
  readonly file: StoredFile;
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
  readonly #uploads = new Map<string, OpenUpload>();
  readonly #readers = new Map<string, number>();
  readonly #doomed = new Set<string>();
  readonly #unlinking = new Set<Promise<void>>();
  #keys: readonly string[] | undefined;
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

  upload(id: string): OpenUpload | undefined {
    return this.#uploads.get(id);
  }

  uploads(): readonly OpenUpload[] {
    return Array.from(this.#uploads.values());
  }

  /** All keys, in the order of their UTF-8 bytes. */
  keys(): readonly string[] {
    this.#keys ??= Array.from(this.#objects.keys()).sort((a, b) =>
      Buffer.compare(Buffer.from(a), Buffer.from(b)),
    );
    return this.#keys;
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
    const before = this.#objects.get(object.key)?.files ?? [];
    this.#change({ put: object });
    this.drop(before);
  }

  remove(key: string): void {
    const object = this.#objects.get(key);
    if (!object) return;
    this.#change({ remove: key });
    this.drop(object.files);
  }

  start(upload: Upload): void {
    this.#change({ start: upload });
  }

  addPart(id: string, part: Part): void {
    const before = this.#uploads.get(id)?.parts.get(part.number);
    this.#change({ part: [id, part] });
    if (before) this.drop([before.file]);
  }

  /** Ends an upload, in favour of `object` if there is one; the files that it does not use are dropped. */
  end(upload: OpenUpload, object?: StoredObject): void {
    const before = object ? (this.#objects.get(object.key)?.files ?? []) : [];
    const used = new Set(object?.files.map((file) => file.name));
    this.#change(object ? { put: object, end: upload.id } : { end: upload.id });
    const parts = Array.from(upload.parts.values(), (part) => part.file);
    this.drop([...before, ...parts.filter((file) => !used.has(file.name))]);
  }

  /** Deletes files that no record names any more, each as soon as nobody reads it. */
  drop(files: readonly StoredFile[]): void {
    for (const { name } of files) {
      if (this.#readers.has(name)) this.#doomed.add(name);
      else this.#discard(name);
    }
  }

  /** Bytes `first` to `last`, inclusive, as the object is now, even if it is replaced meanwhile. */
  async *read(object: StoredObject, first: number, last: number): AsyncGenerator<Uint8Array> {
    for (const { name } of object.files) this.#readers.set(name, (this.#readers.get(name) ?? 0) + 1);
    try {
      let start = 0;
      for (const file of object.files) {
        const [from, to] = [Math.max(first - start, 0), Math.min(last - start, file.size - 1)];
        if (from <= to) yield* this.#readFile(file.name, from, to);
        start += file.size;
      }
    } finally {
      for (const { name } of object.files) this.#release(name);
    }
  }

  #readFile(name: string, start: number, end: number): AsyncIterable<Uint8Array> {
    return createReadStream(this.#path(name), { start, end, highWaterMark: READ_CHUNK_BYTES });
  }

  #release(name: string): void {
    const left = (this.#readers.get(name) ?? 0) - 1;
    if (left > 0) {
      this.#readers.set(name, left);
      return;
    }
    this.#readers.delete(name);
    if (this.#doomed.delete(name)) this.#discard(name);
  }

  #path(name: string): string {
    return join(this.#directory, 'files', name);
  }

  #discard(name: string): void {
    const unlinking = this.#unlink(name).finally(() => this.#unlinking.delete(unlinking));
    this.#unlinking.add(unlinking);
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
    if (put && !this.#objects.has(put.key)) this.#keys = undefined;
    if (put) this.#objects.set(put.key, put);
    if (remove !== undefined && this.#objects.delete(remove)) this.#keys = undefined;
    if (start) this.#uploads.set(start.id, { ...start, parts: new Map() });
    if (part) this.#uploads.get(part[0])?.parts.set(part[1].number, part[1]);
    if (end !== undefined) this.#uploads.delete(end);
  }

  /** Replays the journal, writes it anew without its history, and deletes the files that no record names. */
  async #load(path: string): Promise<void> {
    for (const line of readLines(path)) this.#apply(line);
    const fresh = openSync(`${path}.new`, 'w');
    for (const change of this.#snapshot()) writeSync(fresh, `${JSON.stringify(change)}\n`);
    renameSync(`${path}.new`, path);
    this.#journal = fresh;
    const files = Array.from(this.#snapshot(), ({ put, part }) => put?.files ?? (part ? [part[1].file] : []));
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
