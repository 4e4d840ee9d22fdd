import type {
  AppendOptions,
  BlobStore,
  Body,
  ListedObject,
  ObjectKey,
  ReceivedObject,
  Upload,
} from './blob-store.ts';
import type { DirectWrites } from './direct-writes.ts';

/** A store that is opened when it is first needed: one whose code takes long to load delays no request that does
 *  without it. Where opening fails, so does what needed it, and the next tries again. */
export class LazyBlobStore implements BlobStore {
  readonly #open: () => Promise<BlobStore>;
  #store: Promise<BlobStore> | undefined;

  constructor(open: () => Promise<BlobStore>) {
    this.#open = open;
  }

  /** Of a store that has them. */
  readonly direct: DirectWrites = {
    whole: async (...args) => (await this.#direct()).whole(...args),
    startParts: async (...args) => (await this.#direct()).startParts(...args),
    part: async (...args) => (await this.#direct()).part(...args),
    cutOf: async (...args) => (await this.#direct()).cutOf(...args),
  };

  async start(...args: Parameters<BlobStore['start']>): Promise<Upload> {
    return (await this.#opened()).start(...args);
  }

  async append(upload: Upload, body: Body, options: AppendOptions): ReturnType<BlobStore['append']> {
    return (await this.#opened()).append(upload, body, options);
  }

  async close(...args: Parameters<BlobStore['close']>): ReturnType<BlobStore['close']> {
    return (await this.#opened()).close(...args);
  }

  async holds(upload: Upload): Promise<boolean> {
    return (await this.#opened()).holds(upload);
  }

  async abort(upload: Upload): Promise<void> {
    await (await this.#opened()).abort(upload);
  }

  async footprint(upload: Upload, more: number): Promise<number> {
    return (await this.#opened()).footprint(upload, more);
  }

  async plug(objectKey: ObjectKey): Promise<boolean> {
    return (await this.#opened()).plug(objectKey);
  }

  async put(objectKey: ObjectKey, bytes: Uint8Array): Promise<void> {
    await (await this.#opened()).put(objectKey, bytes);
  }

  async downloadUrl(...args: Parameters<BlobStore['downloadUrl']>): Promise<string | undefined> {
    return (await this.#opened()).downloadUrl(...args);
  }

  async received(objectKey: ObjectKey): Promise<ReceivedObject | undefined> {
    return (await this.#opened()).received(objectKey);
  }

  async read(...args: Parameters<BlobStore['read']>): Promise<Body | undefined> {
    return (await this.#opened()).read(...args);
  }

  /** A glance costs nothing: a store that is not open yet is none the worse. */
  async examine(...args: Parameters<BlobStore['examine']>): ReturnType<BlobStore['examine']> {
    if (args[2] === 'glance' && !this.#store) return undefined;
    return (await this.#opened()).examine(...args);
  }

  async list(after: ObjectKey | undefined, limit: number): Promise<readonly ListedObject[]> {
    return (await this.#opened()).list(after, limit);
  }

  async delete(objectKeys: readonly ObjectKey[]): Promise<void> {
    await (await this.#opened()).delete(objectKeys);
  }

  until(signal: AbortSignal): BlobStore {
    return new LazyBlobStore(async () => {
      const store = await this.#opened();
      return store.until?.(signal) ?? store;
    });
  }

  async #direct(): Promise<DirectWrites> {
    const { direct } = await this.#opened();
    if (!direct) throw new Error('this store takes bytes from nobody but the registry');
    return direct;
  }

  #opened(): Promise<BlobStore> {
    this.#store ??= this.#open().catch((error) => {
      this.#store = undefined;
      throw error;
    });
    return this.#store;
  }
}
