import type { BlobStore } from '../storage/blob-store.ts';
import type { Pause } from '../storage/pause.ts';
import type { Table } from '../storage/table.ts';
import type { Downloads } from './downloads.ts';
import type { OpenUploads } from './open-uploads.ts';
import type { Turns } from './turns.ts';

/** Everything the registry's rules stand on; hosts choose the parts, simulations replace them. */
export interface Registry {
  readonly table: Table;
  readonly blobs: BlobStore;
  /** Whether a query for keys alone reads nothing else of the items. DynamoDB reads, and bills, all of them. @default false */
  readonly readsKeysAlone?: boolean;
  /** Whether clients may write the bytes of an upload to the store themselves, past the registry. @default false */
  readonly direct?: boolean;
  /** Whether the host's gateway counts the bytes of an answer to HEAD instead of believing its Content-Length. @default false */
  readonly countsHeads?: boolean;
  /** How many uploads one caller may have open. @default MAX_OPEN_UPLOADS */
  readonly maxUploads?: number;
  /** What this process knows of how many they have open. @default they are counted for each */
  readonly openUploads?: OpenUploads;
  /** What this process counts of what is downloaded. @default nobody counts, and no policy limits it */
  readonly downloads?: Downloads;
  /** Who acts, such as `user:alice`: histories keep it, and an upload is only its own. Absent in jobs. */
  readonly actor?: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Milliseconds since any moment, by a clock that nobody sets. */
  readonly steady: () => number;
  /** Why the host doubts its clock: then nothing may be deleted for its age. @default never */
  readonly doubt?: () => string | undefined;
  /** A fresh UUID. */
  readonly newId: () => string;
  /** Takes over what an answer need not wait for: begins it when the answer is on its way, and sees it to its end before the
   *  process ends. Absent where the process may stand still after its answer, as on Lambda: then the answer waits. */
  readonly afterwards?: (work: () => Promise<void>) => void;
  /** Waits before lost race number `attempt` (from 1) is tried again. */
  readonly pause: Pause;
  /** Of the writers of this process. @default where each request has a process of its own, nobody waits for others */
  readonly turns?: Turns;
  /** By `steady`: who loses a race then gives up. @default what a race takes is all that counts */
  readonly racesUntil?: number;
  /** What one request or one job has in the place of the table, to let others have their turn. Absent where a process serves one
   *  at a time. */
  readonly visit?: (table: Table, isJob?: boolean) => Pick<Registry, 'table' | 'giveWay'>;
  /** To be awaited now and then in a computation over much: lets others have their turn. Absent where there are none. */
  readonly giveWay?: () => Promise<void>;
  /** The same registry past the end that this one has by `registryUntil`. */
  readonly lasting?: Registry;
}
