import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { recordDeletion } from '../functions/identity/retention-audit.ts';
import { Downloads } from '../functions/registry/downloads.ts';
import { clockKey } from '../functions/registry/keys.ts';
import { OpenUploads } from '../functions/registry/open-uploads.ts';
import { drainOutbox } from '../functions/registry/outbox.ts';
import type { Registry } from '../functions/registry/registry.ts';
import type { Room } from '../functions/registry/room.ts';
import { Turns } from '../functions/registry/turns.ts';
import { unhurried } from '../functions/registry/unhurried.ts';
import { visit } from '../functions/registry/until.ts';
import { fullJitter } from '../functions/storage/pause.ts';
import type { Lease } from '../functions/upkeep/lease.ts';
import { sweepDue } from '../functions/upkeep/round.ts';
import { downloadsText, upkeepText } from '../functions/upkeep/upkeep-text.ts';
import { attemptAll } from './attempt-all.ts';
import { considerate } from './considerate-table.ts';
import { mendCopiedFolder } from './copied-folder.ts';
import { claimFolder, openFolder, unusable } from './data-folder.ts';
import { DirectoryBlobStore } from './directory-blob-store.ts';
import { DiskReserve } from './disk-reserve.ts';
import { DiskRoom } from './disk-room.ts';
import { FailingDisk } from './failing-disk.ts';
import { FolderWatch } from './folder-watch.ts';
import { openTable } from './open-table.ts';
import { sharingLoop } from './sharing-loop.ts';
import { halting, type SqliteTable } from './sqlite-table.ts';
import { TableCopies } from './table-copy.ts';
import { type ClockMemory, type Clocks, WatchedClock } from './watched-clock.ts';

/** A registry whose metadata and bytes lie in one directory of this machine. */
export interface Embedded {
  readonly registry: Registry;
  readonly room: Room;
  /** Deletes what is due: what nothing uses any more, objects without a link, uploads that were given up, expired items;
   *  nothing while the clock is doubted. Fails at its end with all that could not be done. */
  tidy(lease: Lease): Promise<void>;
  /** Renews the copy of the table that lies among the blobs. */
  copyTable(): Promise<void>;
  close(): Promise<void>;
}

interface EmbeddedOptions {
  readonly data: string;
  /** Takes a folder as it is: its blobs for this registry's, and its log for whole. @default false */
  readonly adopt?: boolean;
  /** Reads a database of any size to see whether it is damaged. @default false - not one above 256 MiB */
  readonly checksAll?: boolean;
  /** Takes the clock for right, wherever it has jumped. @default false */
  readonly trustClock?: boolean;
  /** @default the machine's */
  readonly clocks?: Clocks;
  /** Told of what its operator should know. @default nobody */
  readonly tell?: (what: string) => void;
  /** Ends the process, where nobody can say any more whether a write that failed has been made. @default throws */
  readonly halt?: (why: string) => never;
}

/** Opens or makes the registry in `data`; refuses where another process has it open, and where what lies there is damaged or
 *  does not belong together. */
export async function openEmbedded({
  data,
  adopt = false,
  checksAll = false,
  trustClock = false,
  clocks = {},
  tell = () => undefined,
  halt = halting,
}: EmbeddedOptions): Promise<Embedded> {
  const contents = await openFolder(data);
  if (!adopt) await mendCopiedFolder(contents, tell);
  // On the disk of the database, which alone needs it.
  const reserve = new DiskReserve(dirname(contents.database), tell);
  const table = openTable({ contents, adopt, checksAll, makeRoom: () => reserve.give(), halt });
  try {
    await claimFolder({ registry: { table, newId: randomUUID }, contents, adopt });
    const blobs = await DirectoryBlobStore.open(data).catch((error: unknown) => {
      throw unusable(data, error);
    });
    const clock = await openClock(table, { trustClock, clocks, tell });
    const watch = new FolderWatch(data, contents.database, tell);
    const downloads = new Downloads((line) => tell(downloadsText(line)));
    const stores: Registry = {
      table: watch.guard(table),
      blobs,
      readsKeysAlone: true, // the index that orders the items has the keys
      now: () => clock.now(),
      steady: () => clock.steady(),
      doubt: () => clock.doubt(),
      newId: randomUUID,
      pause: fullJitter(Math.random, setTimeout),
      turns: new Turns(),
      openUploads: new OpenUploads(),
      downloads,
      // The table writes what is pending when it is closed.
      afterwards: (work) => void work(),
    };
    const registry = sharingLoop(stores, considerate);
    const disk = new DiskRoom(
      { database: dirname(contents.database), blobs: join(data, 'blobs') },
      reserve,
      tell,
    );
    const failing = new FailingDisk(data, tell);
    disk.look();
    const copies = new TableCopies(table, contents, tell);
    return {
      registry,
      copyTable: () => copies.make(),
      room: {
        look: () => watch.require(),
        require() {
          watch.require();
          disk.require();
        },
        refusalOf: (error) => watch.refusalOf(error) ?? disk.refusalOf(error) ?? failing.refusalOf(error),
      },
      async tidy(lease) {
        watch.require();
        await tidy({ registry, table, clock, disk, copies, tell }, lease);
      },
      async close() {
        copies.close();
        await downloads.flush(stores).catch(() => undefined);
        await remember(table, clock.look()).catch(() => undefined);
        await reserve.close();
        watch.close();
        table.close();
      },
    };
  } catch (error) {
    table.close();
    throw error;
  }
}

/** As `openEmbedded`, but makes none: a mistyped path must not become a new registry. */
export async function openExisting(data: string, tell?: EmbeddedOptions['tell']): Promise<Embedded> {
  process.umask(0o077);
  if (!existsSync(join(data, 'registry.sqlite'))) {
    throw new Error(`there is no registry in ${data}; one is made, with its first admin, by: stowage serve`);
  }
  return openEmbedded({ data, checksAll: true, ...(tell && { tell }) });
}

interface Parts {
  readonly registry: Registry;
  readonly table: SqliteTable;
  readonly clock: WatchedClock;
  readonly disk: DiskRoom;
  readonly copies: TableCopies;
  readonly tell: (what: string) => void;
}

/** Each step for itself: what one cannot do keeps no other from its work. What makes room comes first. The clock may be put
 *  forward at any step; what was not due before is left. */
async function tidy(parts: Parts, lease: Lease): Promise<void> {
  const { registry: hurried, table, clock, disk, copies, tell } = parts;
  // Before the clock is asked for: it may change between the two.
  const registry = unhurried(visit(hurried, { isJob: true }));
  const doubt = clock.doubt();
  if (doubt !== undefined) tell(doubt);
  const deletions = {
    'deleting objects': () => drainOutbox(registry),
    sweeping: () =>
      sweepDue(registry, {
        ...{ ...lease, until: Number.POSITIVE_INFINITY },
        record: (repository, finding) => recordDeletion(registry, repository, finding),
        tell: (line) => tell(upkeepText(line)),
      }),
    'removing what has expired': () => table.removeExpired(registry.now()),
  };
  await attemptAll({
    'looking at the clock': () => remember(table, clock.look()),
    ...(doubt === undefined && deletions),
    'giving room back to the disk': () => table.shrink(),
    'emptying the log': async () => table.settle(),
    'looking at the disk': async () => disk.look(),
    'copying the table': () => copies.renew(),
  });
}

async function openClock(
  table: SqliteTable,
  { trustClock, clocks, tell }: Required<Pick<EmbeddedOptions, 'trustClock' | 'clocks' | 'tell'>>,
): Promise<WatchedClock> {
  const memory = (await table.get(clockKey)) as ClockMemory | undefined;
  const clock = new WatchedClock(trustClock ? undefined : memory, clocks);
  // A disk that is full keeps nobody from reading.
  await remember(table, clock.look()).catch((error: unknown) => tell(`the time was not noted: ${error}`));
  return clock;
}

async function remember(table: SqliteTable, { seen, doubtful }: ClockMemory): Promise<void> {
  await table.write([{ put: clockKey, attributes: { seen, doubtful } }]);
}
