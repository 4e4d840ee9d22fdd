import { type BigIntStats, closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { RegistryError } from '../functions/oci/errors.ts';
import { storageReplaced } from '../functions/oci/host-errors.ts';
import type { Table } from '../functions/storage/table.ts';

/** What a write is refused with that would not be found again. */
class FolderReplaced extends Error {
  override readonly name = 'FolderReplaced';
}

/** Sees whether the data folder, its database and its `blobs/` are still those that the registry has opened: what is mounted
 *  over them, or put in their place, gets nothing of what is written to the files that are open. */
export class FolderWatch {
  readonly #tell: (what: string) => void;
  readonly #found: ReadonlyMap<string, string>;
  /** Open, so that what takes the place of one of them gets another number. */
  readonly #open: readonly number[];
  #isReplaced = false;

  /** The database must be open: its file is kept by that. */
  constructor(folder: string, database: string, tell: (what: string) => void) {
    this.#tell = tell;
    this.#open = [folder, join(folder, 'blobs')].map((path) => openSync(path, 'r'));
    const [data, blobs] = this.#open.map((file) => identityOf(fstatSync(file, { bigint: true })));
    this.#found = new Map([
      [folder, data ?? ''],
      [join(folder, 'blobs'), blobs ?? ''],
      [join(folder, 'registry.sqlite'), identityOf(statSync(database, { bigint: true }))],
    ]);
  }

  /** Throws where something else lies in the place of one of them. */
  require(): void {
    const replaced = [...this.#found].find(([path, found]) => identityAt(path) !== found)?.[0];
    if (replaced !== undefined && !this.#isReplaced) this.#tell(replacedMessage(replaced));
    if (replaced === undefined && this.#isReplaced) this.#tell('the data folder is back: writes go on');
    this.#isReplaced = replaced !== undefined;
    if (replaced !== undefined) throw new FolderReplaced(replacedMessage(replaced));
  }

  /** The refusal of whatever failed for that; `undefined` where an error is another one. */
  refusalOf(error: unknown): RegistryError | undefined {
    if (!(error instanceof Error)) return undefined;
    return error instanceof FolderReplaced ? storageReplaced(error) : this.refusalOf(error.cause);
  }

  /** The table, whose writes are refused before they are made, and not acknowledged where that happened meanwhile. */
  guard(table: Table): Table {
    return {
      get: (key) => table.get(key),
      getMany: (keys) => table.getMany(keys),
      query: (query) => table.query(query),
      write: async (operations) => {
        this.require();
        const outcome = await table.write(operations);
        this.require();
        return outcome;
      },
    };
  }

  close(): void {
    for (const file of this.#open) closeSync(file);
  }
}

const identityOf = ({ dev, ino }: BigIntStats) => `${dev}:${ino}`;

/** `undefined` where nothing can be found there. */
function identityAt(path: string): string | undefined {
  try {
    return identityOf(statSync(path, { bigint: true }));
  } catch {
    return undefined;
  }
}

const replacedMessage = (path: string) =>
  `${path} is not what it was when the registry started: it was replaced, removed or mounted over. Pushes and deletes are ` +
  'refused (503) until it is back. Stop the registry, put the right files in place, and start it again: ' +
  'docs/runbook.md#the-data-folder-was-replaced';
