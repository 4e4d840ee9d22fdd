import { createHash, type Hash, randomUUID } from 'node:crypto';
import { mkdtemp, open, readdir, rm, statfs, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { algorithmOf, CANONICAL, type Digest, finishDigest } from '../../functions/oci/digest.ts';
import { bodyIncomplete } from '../../functions/oci/errors.ts';
import { storageFull } from '../../functions/oci/host-errors.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { type Content, slice } from '../push/files.ts';

const FOLDER = /^stowage-proxy-(\d+)-/;

/** An upload of which nothing was heard for so long is given up. */
const IDLE_MS = 60 * 60_000;

const full = (folder: string) =>
  storageFull(
    `stowage proxy keeps each layer in ${folder} while it is pushed: make room there, or name another TMPDIR`,
  );

/** Where uploads wait until they are whole: a folder of this process, which goes with it. */
export class Spool {
  readonly #folder: string;
  readonly #uploads = new Map<string, SpooledUpload>();
  readonly #timer: NodeJS.Timeout;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#timer = setInterval(() => void this.#dropIdle(), IDLE_MS / 10);
    this.#timer.unref();
  }

  /** Removes what proxies have left that were killed. */
  static async open(parent = tmpdir()): Promise<Spool> {
    for (const name of await readdir(parent)) {
      const [, process] = FOLDER.exec(name) ?? [];
      if (process !== undefined && !isAlive(Number(process)))
        await rm(join(parent, name), { recursive: true, force: true });
    }
    return new Spool(await mkdtemp(join(parent, `stowage-proxy-${process.pid}-`)));
  }

  start(repository: RepositoryName): SpooledUpload {
    const id = randomUUID();
    const upload = new SpooledUpload(id, repository, this.#folder);
    this.#uploads.set(id, upload);
    return upload;
  }

  find(id: string, repository: RepositoryName): SpooledUpload | undefined {
    const upload = this.#uploads.get(id);
    return upload?.repository === repository ? upload : undefined;
  }

  async drop(upload: SpooledUpload): Promise<void> {
    this.#uploads.delete(upload.id);
    await upload.remove();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #dropIdle(): Promise<void> {
    const idle = [...this.#uploads.values()].filter((upload) => upload.isIdleSince(Date.now() - IDLE_MS));
    await Promise.all(idle.map((upload) => this.drop(upload)));
  }
}

function isAlive(process_: number): boolean {
  try {
    return process.kill(process_, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The bytes of one upload, in a file, with their hash. One request at a time works on it. */
export class SpooledUpload {
  readonly id: string;
  readonly repository: RepositoryName;
  readonly #folder: string;
  #hash: Hash = createHash(CANONICAL);
  #size = 0;
  #isBusy = false;
  #touched = Date.now();

  constructor(id: string, repository: RepositoryName, folder: string) {
    [this.id, this.repository, this.#folder] = [id, repository, folder];
  }

  get size(): number {
    return this.#size;
  }

  get content(): Content {
    return slice(this.#path, 0, this.#size);
  }

  isIdleSince(time: number): boolean {
    return !this.#isBusy && this.#touched < time;
  }

  /** Has nobody else work on it meanwhile; `undefined` where somebody does. */
  async exclusively<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (this.#isBusy) return undefined;
    this.#isBusy = true;
    try {
      return await work();
    } finally {
      this.#isBusy = false;
      this.#touched = Date.now();
    }
  }

  /** Adds all of a body, or nothing where it fails. `length`: what it is to have, where that is known. */
  async append(body: AsyncIterable<Buffer>, length: number): Promise<void> {
    await this.#expectRoom(length);
    const hash = this.#hash.copy();
    const file = await open(this.#path, 'a');
    let size = this.#size;
    try {
      for await (const chunk of body) {
        hash.update(chunk);
        await file.writeFile(chunk);
        size += chunk.length;
      }
    } catch (error) {
      await truncate(this.#path, this.#size);
      throw this.#refusalFor(error as NodeJS.ErrnoException);
    } finally {
      await file.close();
    }
    [this.#hash, this.#size] = [hash, size];
  }

  /** Of all bytes, by the algorithm of `wanted`. */
  async digestLike(wanted: Digest): Promise<Digest> {
    const algorithm = algorithmOf(wanted);
    if (algorithm === CANONICAL) return finishDigest(algorithm, this.#hash.copy());
    const hash = createHash(algorithm);
    for await (const chunk of this.content.read()) hash.update(chunk);
    return finishDigest(algorithm, hash);
  }

  remove(): Promise<void> {
    return rm(this.#path, { force: true });
  }

  #refusalFor(error: NodeJS.ErrnoException): Error {
    if (error.code === 'ENOSPC' || error.code === 'EDQUOT') return full(this.#folder);
    return error.code === 'ECONNRESET' ? bodyIncomplete() : error;
  }

  async #expectRoom(length: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.#folder);
    if (length > bavail * bsize) throw full(this.#folder);
  }

  get #path(): string {
    return join(this.#folder, this.id);
  }
}
