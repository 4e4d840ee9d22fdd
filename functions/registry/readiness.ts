import type { Digest } from '../oci/digest.ts';
import { notReady } from '../oci/host-errors.ts';
import type { ObjectKey } from '../storage/blob-store.ts';
import { policiesKey } from './keys.ts';
import type { Registry } from './registry.ts';
import type { Room } from './room.ts';

/** 503 unless table and blobs answer, with the cause for the log. A full disk is no reason: pulls go on. */
export async function requireStores({ table, blobs }: Registry, room: Room | undefined): Promise<void> {
  try {
    room?.look();
    await Promise.all([table.get(policiesKey), blobs.examine(NOTHING, EMPTY, 'facts')]);
  } catch (error) {
    throw notReady(error);
  }
}

/** No object has such a key: to find that out, the store must look. */
const NOTHING = { objectKey: 'blobs/00000000-0000-4000-8000-000000000000' as ObjectKey, size: 0 };
const EMPTY = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' as Digest;
