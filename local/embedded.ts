import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { drainOutbox } from '../functions/registry/outbox.ts';
import type { Registry } from '../functions/registry/registry.ts';
import type { Lease } from '../functions/upkeep/lease.ts';
import { sweepDue } from '../functions/upkeep/round.ts';
import { considerate } from './considerate-table.ts';
import { DirectoryBlobStore } from './directory-blob-store.ts';
import { SqliteTable } from './sqlite-table.ts';

/** A registry whose metadata and bytes lie in one directory of this machine. */
export interface Embedded {
  readonly registry: Registry;
  /** Deletes what is due: what nothing uses any more, objects without a link, uploads that were given up, expired items. */
  tidy(lease: Lease): Promise<void>;
  close(): Promise<void>;
}

const SQLITE_BUSY = 5;

/** Opens or makes the registry in `data`; refuses where another process has it open. */
export async function openEmbedded({ data }: { data: string }): Promise<Embedded> {
  await mkdir(data, { recursive: true, mode: 0o700 });
  const table = openTable(join(data, 'registry.sqlite'), data);
  const blobs = await DirectoryBlobStore.open(data);
  const registry: Registry = {
    table,
    blobs,
    now: Date.now,
    newId: randomUUID,
    // Writers of one process only meet between two turns of the event loop.
    pause: async () => void (await setImmediate()),
    // The table writes what is pending when it is closed.
    afterwards: (work) => void work(),
  };
  return {
    registry,
    async tidy(lease) {
      await sweepDue(
        { ...registry, table: considerate(table) },
        { ...lease, until: Number.POSITIVE_INFINITY },
      );
      await drainOutbox(registry);
      table.removeExpired(registry.now());
    },
    async close() {
      table.close();
    },
  };
}

/** As `openEmbedded`, but makes none: a mistyped path must not become a new registry. */
export async function openExisting(data: string): Promise<Embedded> {
  process.umask(0o077);
  if (!existsSync(join(data, 'registry.sqlite'))) {
    throw new Error(`there is no registry in ${data}; one is made, with its first admin, by: stowage serve`);
  }
  return openEmbedded({ data });
}

function openTable(path: string, data: string): SqliteTable {
  try {
    return new SqliteTable(path);
  } catch (error) {
    if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) throw error;
    throw new Error(`${data} is in use by another registry; stop it, or choose another STOWAGE_DATA`, {
      cause: error,
    });
  }
}
