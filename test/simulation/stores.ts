import type { BlobStore } from '../../functions/storage/blob-store.ts';
import { ResumableHash } from '../../functions/storage/s3/resumable-hash.ts';
import { S3BlobStore } from '../../functions/storage/s3/s3-blob-store.ts';
import { DirectoryBlobStore } from '../../local/directory-blob-store.ts';
import { scheduledDisk } from './disk.ts';
import { requestNow } from './requests.ts';
import { scheduledS3 } from './s3.ts';
import type { World } from './world.ts';

/** Where the directory store keeps its files. */
export const ROOT = '/data';

/** Blobs of some bytes take several parts. */
export const LEAST_PART = 8;
const SIZES = {
  least: LEAST_PART,
  chunked: 12,
  announced: 16,
  inFlight: 24,
  growing: [{ until: 100, bytes: LEAST_PART }],
};

/** The real blob stores over the world's S3 or disk. */
export class Stores {
  readonly #world: World;
  #directory: DirectoryBlobStore | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  /** As a machine that starts does. */
  async open(): Promise<void> {
    const { kind, plant } = this.#world;
    if (kind === 's3') {
      await ResumableHash.resume('sha256'); // made once, and not by the scheduler
      return;
    }
    const disk = scheduledDisk(this.#world);
    this.#directory = await DirectoryBlobStore.open(ROOT, plant.disk?.(disk) ?? disk, 0);
  }

  /** On AWS each process has a store of its own; on one machine all have the same. */
  make(): BlobStore {
    const { plant } = this.#world;
    const store = this.#directory ?? this.#s3();
    return plant.blobs?.(store) ?? store;
  }

  #s3(): S3BlobStore {
    const world = this.#world;
    return new S3BlobStore({
      client: scheduledS3(world),
      bucket: 'bucket',
      newId: () => world.plant.storeId?.(requestNow()) ?? world.random.id(),
      pause: async () => undefined,
      sizes: SIZES,
    });
  }
}
