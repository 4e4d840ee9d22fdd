import type { BlobStore } from '../../functions/storage/blob-store.ts';
import type { Attributes, Item, Key, Operation, Query } from '../../functions/storage/table.ts';
import type { Disk } from '../../local/disk.ts';
import type { S3Input } from './bucket.ts';
import type { Random } from './random.ts';
import type { Process, Request } from './requests.ts';
import type { Plan, Task } from './tasks.ts';

/** A mistake that is slipped between the registry and its stores, as if its code had made it. */
export interface Plant {
  /** Whether a run of the plan could show it; the search passes over all others. @default all could */
  readonly concerns?: (plan: Plan) => boolean;
  /** What is written instead; nothing at all where it is empty. */
  readonly operations?: (operations: readonly Operation[], process: Process) => readonly Operation[];
  /** What a read of items answers of one instead. */
  readonly found?: (key: Key, found: Attributes, process: Process) => Attributes;
  /** What a query answers instead. */
  readonly items?: (query: Query, items: readonly Item[], process: Process) => readonly Item[];
  /** What its process writes after this. */
  readonly later?: (process: Process, operations: readonly Operation[]) => readonly Operation[] | undefined;
  /** What new objects are named. */
  readonly id?: (random: Random) => string;
  /** What the S3 store names what it writes. */
  readonly storeId?: (request: Request | undefined) => string | undefined;
  /** What is sent to S3 instead, or answered. */
  readonly s3?: (call: {
    readonly name: string;
    readonly input: S3Input;
    readonly next: (input: S3Input) => Promise<unknown>;
  }) => Promise<unknown>;
  /** The disk as the directory store uses it. */
  readonly disk?: (disk: Disk) => Disk;
  /** The store as the registry uses it. */
  readonly blobs?: (store: BlobStore) => BlobStore;
  /** Whether a request goes on after its client was told of an error. */
  readonly goesOn?: boolean;
  /** Whether the front door lets clients write over an object. */
  readonly isFrontDoorOpen?: boolean;
  /** Whether who closes an upload takes it for stored whatever the answer is. */
  readonly isTrusting?: boolean;
}

/** Plans in which each of these is done. */
export const having =
  (...kinds: readonly Task['is'][]) =>
  ({ before, actors }: Plan): boolean => {
    const done = new Set([...before, ...actors.flatMap(({ tasks }) => tasks)].map(({ is }) => is));
    return kinds.every((kind) => done.has(kind));
  };
