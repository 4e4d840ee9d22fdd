import { basename, join } from 'node:path';
import { type Algorithm, algorithmOf, type Digest, finishDigest } from '../functions/oci/digest.ts';
import type {
  AppendOptions,
  AppendOutcome,
  BlobStore,
  Body,
  CloseOptions,
  CloseOutcome,
  Fault,
  Hindrance,
  ListedObject,
  Look,
  ObjectKey,
  ReadOptions,
  StoredObject,
  Upload,
} from '../functions/storage/blob-store.ts';
import { type Disk, type DiskFile, realDisk } from './disk.ts';
import { attempt, DiskFailure } from './disk-failure.ts';
import { isDiskFull } from './disk-room.ts';
import { digestFile } from './file-reader.ts';
import { Backlog, FileWriter } from './file-writer.ts';
import { type LiveHash, LiveHashes } from './live-hashes.ts';
import { ObjectFiles } from './object-files.ts';
import { type Turn, UploadTurns } from './upload-turns.ts';

/** Within the folder of the objects: no file is moved from one mount to another. */
const UPLOADS = 'blobs/uploads';

/** Ours: a client that sends at all sends within this time; one that repeats its request waits no longer for its answer. */
const SILENCE_MS = 3000;

/** An upload's bytes so far, and their hash where it is known. */
interface Progress {
  readonly offset: number;
  readonly live: LiveHash | undefined;
}

/** A `BlobStore` in a directory. An upload is a file in `blobs/uploads/`, which one request at a time writes to, and
 *  only while the registry has it open. It is synced, whole and of the right digest when it is moved up into `blobs/`, and
 *  no file is ever opened for writing there. After any failed write or sync an upload is gone; where its
 *  file cannot be opened it stays. */
export class DirectoryBlobStore implements BlobStore {
  readonly #root: string;
  readonly #disk: Disk;
  readonly #objects: ObjectFiles;
  readonly #turns: UploadTurns;
  /** Uploads that are gone and whose files could not be removed. */
  readonly #void = new Set<ObjectKey>();
  readonly #hashes = new LiveHashes();
  readonly #backlog = new Backlog();
  #hasUploads = false;

  private constructor(root: string, disk: Disk, silenceMs: number) {
    [this.#root, this.#disk] = [root, disk];
    this.#turns = new UploadTurns(silenceMs);
    this.#objects = new ObjectFiles(root, disk);
  }

  /** Opens or makes the directories. One process at a time may use them. A request whose client is silent for `silenceMs` gives way to
   *  another one to the same upload; with 0 it does not. */
  static async open(
    root: string,
    disk: Disk = realDisk,
    silenceMs = SILENCE_MS,
  ): Promise<DirectoryBlobStore> {
    await disk.makeDirectory(join(root, 'blobs'));
    await disk.syncDirectory(root);
    const store = new DirectoryBlobStore(root, disk, silenceMs);
    try {
      await store.#makeUploads();
    } catch (error) {
      if (!isDiskFull(error)) throw error; // else the first push makes it
    }
    return store;
  }

  async start(objectKey: ObjectKey, algorithm: Algorithm): Promise<Upload> {
    return { objectKey, offset: 0, state: { algorithm } };
  }

  async append(upload: Upload, body: Body, options: AppendOptions): Promise<AppendOutcome> {
    const { objectKey } = upload;
    return this.#alone(upload, body, options, async (file, turn) => {
      const { offset, live } = await this.#write(file, upload, turn.chunks(body));
      // Synced: what is acknowledged is on the disk, and a failure is told while this file is open.
      await attempt(() => file.sync());
      if (upload.offset === 0) await attempt(() => this.#disk.syncDirectory(join(this.#root, UPLOADS)));
      const next = { ...upload, offset };
      if (!(await options.commit(next))) return { is: 'lost' };
      if (live) this.#hashes.remember(objectKey, live);
      return { is: 'appended', upload: next };
    });
  }

  async close(upload: Upload, body: Body, options: CloseOptions): Promise<CloseOutcome> {
    const { objectKey } = upload;
    const outcome = await this.#alone<CloseOutcome>(upload, body, options, async (file, turn) => {
      const { offset, live } = await this.#write(file, upload, turn.chunks(body));
      if ((await this.#digest(file, offset, algorithmOf(options.digest), live)) !== options.digest)
        return { is: 'mismatch' };
      await this.#publish(objectKey, file, offset, offset === 0 || offset > upload.offset);
      return { is: (await options.link({ objectKey, size: offset })) ? 'closed' : 'lost' };
    });
    if (outcome.is === 'closed') this.#hashes.forget(objectKey);
    return outcome;
  }

  async holds({ objectKey, offset }: Upload): Promise<boolean> {
    if (offset === 0) return true;
    if (this.#void.has(objectKey)) return false;
    const path = this.#uploadPath(objectKey);
    const found =
      (await this.#objects.look(path)) ?? (await this.#objects.look(this.#objects.path(objectKey)));
    const file = found ?? (await this.#objects.look(path)); // a request may have moved it back meanwhile
    return typeof file === 'object' && file.size >= offset;
  }

  async received(): Promise<undefined> {
    return undefined; // nobody writes here but the registry
  }

  async abort({ objectKey }: Upload): Promise<void> {
    await this.delete([objectKey]);
  }

  async footprint({ offset }: Upload, more: number): Promise<number> {
    return offset + more;
  }

  async plug(): Promise<boolean> {
    return true; // nobody writes here but the registry
  }

  async put(objectKey: ObjectKey, bytes: Uint8Array): Promise<void> {
    await this.#makeUploads();
    const file = await this.#disk.openToWrite(this.#uploadPath(objectKey));
    const writer = new FileWriter(file, 0, this.#backlog);
    try {
      await writer.write(bytes);
      await writer.flush();
      await this.#publish(objectKey, file, bytes.length, true);
    } catch (error) {
      await this.delete([objectKey]).catch(() => undefined); // it is in the outbox, too
      throw error instanceof DiskFailure ? error.cause : error;
    } finally {
      await writer.settle();
      await file.close();
    }
  }

  async downloadUrl(): Promise<undefined> {
    return undefined;
  }

  read(object: StoredObject, options?: ReadOptions): Promise<Body | undefined> {
    return this.#objects.read(object, options);
  }

  examine(object: StoredObject, digest: Digest, look: Look): Promise<Fault | undefined> {
    return this.#objects.examine(object, digest, look);
  }

  list(after: ObjectKey | undefined, limit: number): Promise<readonly ListedObject[]> {
    return this.#objects.list(after, limit);
  }

  async delete(objectKeys: readonly ObjectKey[]): Promise<void> {
    for (const objectKey of objectKeys) {
      this.#hashes.forget(objectKey);
      await this.#disk.remove(this.#uploadPath(objectKey));
      await this.#disk.remove(this.#objects.path(objectKey));
      this.#void.delete(objectKey);
    }
    // Synced: nobody remembers them any more, and with the power they would be back.
    for (const name of this.#hasUploads ? [UPLOADS, 'blobs'] : ['blobs'])
      await this.#disk.syncDirectory(join(this.#root, name));
  }

  /** Has one request at a time write to an upload, and only where it stands as that request has read it. */
  async #alone<T>(
    upload: Upload,
    body: Body,
    { isCurrent }: Pick<AppendOptions, 'isCurrent'>,
    write: (file: DiskFile, turn: Turn) => Promise<T | Hindrance>,
  ): Promise<T | Hindrance> {
    const { objectKey } = upload;
    const turn = await this.#turns.take(objectKey);
    if (!turn) {
      await body.cancel();
      return { is: 'busy' };
    }
    try {
      if (!(await isCurrent())) return { is: 'lost' };
      if (!(await this.holds(upload))) return { is: 'gone' };
      return await this.#withFile(objectKey, (file) => write(file, turn));
    } catch (error) {
      if (!(error instanceof DiskFailure)) throw error;
      await this.#giveUp(objectKey);
      // A file that is not there was removed with its upload: no fault of the disk.
      const { cause } = error;
      return (cause as NodeJS.ErrnoException).code === 'ENOENT' ? { is: 'gone' } : { is: 'gone', cause };
    } finally {
      turn.end();
      if (!body.locked) await body.cancel().catch(() => undefined); // failed as it came, perhaps
    }
  }

  /** Until the first write nothing is in doubt: where the file cannot be opened, the upload is as it was. */
  async #withFile<T>(objectKey: ObjectKey, write: (file: DiskFile) => Promise<T>): Promise<T> {
    await this.#makeUploads();
    const isMoved = await this.#moveBack(objectKey);
    const file = await this.#disk.openToWrite(this.#uploadPath(objectKey));
    try {
      if (isMoved) await attempt(() => file.sync());
      return await write(file);
    } finally {
      await file.close().catch(() => undefined); // its bytes are synced, or no part of the upload
    }
  }

  /** A request that died before its upload was linked has moved the file already. Nobody reads it there. */
  async #moveBack(objectKey: ObjectKey): Promise<boolean> {
    const [path, moved] = [this.#uploadPath(objectKey), this.#objects.path(objectKey)];
    if ((await this.#disk.stat(path)) || !(await this.#disk.stat(moved))) return false;
    try {
      await this.#disk.rename(moved, path);
      return true;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') throw new DiskFailure('removed', { cause });
      throw cause;
    }
  }

  /** Writes the body behind the upload's offset, over whatever a cut request left there. */
  async #write(
    file: DiskFile,
    { objectKey, offset, state }: Upload,
    chunks: AsyncIterable<Uint8Array>,
  ): Promise<Progress> {
    const live = this.#hashes.resume(objectKey, offset, state['algorithm'] as Algorithm);
    const writer = new FileWriter(file, offset, this.#backlog);
    try {
      for await (const chunk of chunks) {
        live?.hash.update(chunk);
        await attempt(() => writer.write(chunk));
      }
      await attempt(() => writer.flush());
    } finally {
      await writer.settle();
    }
    return { offset: writer.position, live: live && { ...live, offset: writer.position } };
  }

  /** The digest of the first `offset` bytes: known from writing them, or read anew. */
  async #digest(
    file: DiskFile,
    offset: number,
    algorithm: Algorithm,
    live: LiveHash | undefined,
  ): Promise<Digest> {
    if (live?.algorithm === algorithm) return finishDigest(algorithm, live.hash);
    return attempt(() => digestFile(file, offset, algorithm));
  }

  /** Makes an upload's file an object: from then on nothing writes to it. */
  async #publish(objectKey: ObjectKey, file: DiskFile, size: number, isWritten: boolean): Promise<void> {
    await attempt(async () => {
      const hasRest = (await file.stat()).size !== size; // what a cut request left behind
      if (hasRest) await file.truncate(size);
      if (hasRest || isWritten) await file.sync();
      if (await this.#disk.stat(this.#objects.path(objectKey)))
        throw new Error(`${objectKey} was used twice`);
      await this.#disk.rename(this.#uploadPath(objectKey), this.#objects.path(objectKey));
      await this.#disk.syncDirectory(join(this.#root, 'blobs'));
    });
  }

  /** Removes an upload whose bytes are in doubt. Where the disk refuses that, too, it is remembered. */
  async #giveUp(objectKey: ObjectKey): Promise<void> {
    await this.delete([objectKey]).catch(() => this.#void.add(objectKey));
  }

  async #makeUploads(): Promise<void> {
    if (this.#hasUploads) return;
    await this.#disk.makeDirectory(join(this.#root, UPLOADS));
    await this.#disk.syncDirectory(join(this.#root, 'blobs'));
    this.#hasUploads = true;
  }

  #uploadPath(objectKey: ObjectKey): string {
    return join(this.#root, UPLOADS, basename(this.#objects.path(objectKey)));
  }
}
