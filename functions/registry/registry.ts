import type { BlobStore } from '../storage/blob-store.ts';
import type { Table } from '../storage/table.ts';

/** Everything the registry's rules stand on; hosts choose the parts, simulations replace them. */
export interface Registry {
  readonly table: Table;
  readonly blobs: BlobStore;
  /** Whether clients may write the bytes of an upload to the store themselves, past the registry. @default false */
  readonly direct?: boolean;
  /** Who acts, such as `user:alice`: histories keep it, and an upload is only its own. Absent in jobs. */
  readonly actor?: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** A fresh UUID. */
  readonly newId: () => string;
  /** Waits before lost race number `attempt` (from 1) is tried again. */
  readonly pause: (attempt: number) => Promise<void>;
}
