import { closeSync, fsyncSync, openSync } from 'node:fs';
import { backup, DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import {
  type Attributes,
  checkOperations,
  type Item,
  type Key,
  keyOf,
  MAX_OPERATIONS,
  type Operation,
  type Outcome,
  type Query,
  type Table,
} from '../functions/storage/table.ts';
import { decode, encode } from './attributes.ts';
import { holds, updated } from './operations.ts';
import { prepare, rangeOf, SCHEMA } from './statements.ts';

interface Row {
  readonly sort: string;
  readonly attributes: string;
}

interface PendingWrite {
  readonly operations: readonly Operation[];
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

const SQLITE_FULL = 13;

/** After any other error of a COMMIT its transaction may be whole in the log, where the next start would find it. Codes of SQLite:
 *  no room, read-only, a write that failed. */
const WRITES_NO_END = [SQLITE_FULL, 8, 778];

/** Expired items that are removed in one transaction; some milliseconds of it. */
const EXPIRED_AT_ONCE = 500;

/** Pages of 4 KiB that are given back to the disk at once; and how many a file may have to spare, as a part of all. */
const PAGES_AT_ONCE = 250;
const SPARE_PAGES = 1000;
const SPARE_PART = 0.25;

/** Pages of a copy that are read while others wait. */
const COPIED_AT_ONCE = 100;

/** How long a transaction takes what waits to be written, its sync not counted: the rest goes into the next turn of the event
 *  loop. */
const WRITE_MS = 10;

interface TableOptions {
  /** Makes room on a disk that is full, for a write to be tried again; false where it cannot. @default cannot */
  readonly makeRoom?: () => boolean;
  /** Ends the process, where a write that failed cannot be taken back: nobody is told what became of it. @default throws */
  readonly halt?: (why: string) => never;
  /** Milliseconds since any moment. @default performance.now */
  readonly clock?: () => number;
}

/** Where nobody has said how to end the process, whoever writes is told. */
export const halting = (why: string): never => {
  throw new Error(why);
};

/** A `Table` in one SQLite file. Writes that arrive together share one transaction and one fsync; each is
 *  acknowledged after that, so it survives the loss of power, and one that fails is not found later. One process at a time can open the file. */
export class SqliteTable implements Table {
  readonly #database: DatabaseSync;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #path: string;
  readonly #makeRoom: () => boolean;
  readonly #halt: (why: string) => never;
  readonly #clock: () => number;
  #pending: PendingWrite[] = [];

  /** Opens or makes the file. Throws `SQLITE_BUSY` (`errcode` 5) where another process has it open. */
  constructor(path: string, options: TableOptions = {}) {
    const { makeRoom = () => false, halt = halting, clock = () => performance.now() } = options;
    [this.#path, this.#makeRoom, this.#halt, this.#clock] = [path, makeRoom, halt, clock];
    this.#database = new DatabaseSync(path);
    // The exclusive lock goes with the process that held it, however that ended.
    this.#database.exec('PRAGMA locking_mode = EXCLUSIVE');
    // It shrinks if it is told before there is anything in it; later that is a write, for which a full disk has no room.
    if (this.#pragma('page_count') === 0) this.#database.exec('PRAGMA auto_vacuum = INCREMENTAL');
    this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON;');
    this.#settleWhatWasFound();
    this.#transaction(() => this.#database.exec(SCHEMA));
    this.#statements = prepare(this.#database);
  }

  async get(key: Key): Promise<Attributes | undefined> {
    return this.#read(key);
  }

  async getMany(keys: readonly Key[]): Promise<readonly (Attributes | undefined)[]> {
    if (keys.length > MAX_OPERATIONS) throw new RangeError(`getMany takes at most ${MAX_OPERATIONS} keys`);
    return keys.map((key) => this.#read(key));
  }

  async query({
    partition,
    prefix = '',
    after,
    limit,
    direction,
    keysOnly,
  }: Query): Promise<readonly Item[]> {
    const descending = direction === 'descending';
    const statement = this.#statements.query[descending ? 'descending' : 'ascending'];
    const select = keysOnly ? statement.keys : statement.items;
    const { least, past, end } = rangeOf({ prefix, after, descending });
    const rows = select.all(partition, least, past, end, limit) as unknown as Row[];
    return rows.map((row) => ({
      key: { partition, sort: row.sort },
      attributes: keysOnly ? {} : decode(row.attributes),
    }));
  }

  write(operations: readonly Operation[]): Promise<Outcome> {
    checkOperations(operations);
    return new Promise((resolve, reject) => {
      if (this.#pending.length === 0) this.#flushSoon();
      this.#pending.push({ operations, resolve, reject });
    });
  }

  /** Removes items whose `expiresAt` lies before `now` (milliseconds), as DynamoDB does in its own time, a few in each turn of
   *  the event loop. */
  async removeExpired(now: number): Promise<void> {
    const remove = () => this.#statements.removeExpired.run(Math.floor(now / 1000), EXPIRED_AT_ONCE).changes;
    while (Number(this.#transaction(remove)) === EXPIRED_AT_ONCE) await setImmediate();
  }

  /** What is not right with the file, as far as SQLite can tell by its structure; `undefined` where all is. Reads all of it,
   *  and answers nothing else meanwhile. */
  findDamage(): string | undefined {
    const [row] = this.#database.prepare('PRAGMA quick_check(1)').all() as { quick_check: string }[];
    return row?.quick_check === 'ok' ? undefined : row?.quick_check.split('\n').at(-1);
  }

  /** Gives back to the disk what a file has to spare, a little in each turn of the event loop. One that was made before there was
   *  this keeps it, for what is written next. */
  async shrink(): Promise<void> {
    if (this.#pragma('auto_vacuum') === 0) return;
    while (this.#pragma('freelist_count') > Math.max(SPARE_PAGES, SPARE_PART * this.#pragma('page_count'))) {
      this.#transaction(() => this.#database.exec(`PRAGMA incremental_vacuum(${PAGES_AT_ONCE})`));
      await setImmediate();
    }
  }

  /** Moves what is in the log to where it belongs, and empties the log: a log that is damaged later loses nothing. */
  settle(): void {
    this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  }

  /** Writes all that was acknowledged before the call, and maybe more, into a new file; others are answered meanwhile. */
  async copyTo(path: string): Promise<void> {
    await backup(this.#database, path, { rate: COPIED_AT_ONCE });
  }

  /** Writes what is pending and closes the file. */
  close(): void {
    while (this.#pending.length > 0) this.#flush();
    this.#database.close();
  }

  #pragma(name: string): number {
    return Number(this.#database.prepare(`PRAGMA ${name}`).get()?.[name]);
  }

  #flushSoon(): void {
    void setImmediate().then(() => this.#flush());
  }

  #flush(): void {
    const writes = this.#pending;
    if (writes.length === 0) return;
    this.#pending = [];
    let outcomes: readonly Outcome[];
    try {
      outcomes = this.#transaction(() => this.#applyFirst(writes));
    } catch (error) {
      for (const { reject } of writes) reject(error);
      return;
    }
    this.#pending = writes.slice(outcomes.length);
    if (this.#pending.length > 0) this.#flushSoon();
    for (const [index, outcome] of outcomes.entries()) writes[index]?.resolve(outcome);
  }

  /** As many as there is time for; one at least. */
  #applyFirst(writes: readonly PendingWrite[]): readonly Outcome[] {
    const until = this.#clock() + WRITE_MS;
    const outcomes: Outcome[] = [];
    for (const { operations } of writes) {
      outcomes.push(this.#apply(operations));
      if (this.#clock() >= until) break;
    }
    return outcomes;
  }

  #transaction<T>(work: () => T): T {
    return this.#withRoom(() => this.#attempt(work));
  }

  /** Tried again as long as room can be made for it. */
  #withRoom<T>(work: () => T): T {
    for (;;) {
      try {
        return work();
      } catch (error) {
        if (!mayLackRoom(error) || !this.#makeRoom()) throw error;
      }
    }
  }

  #attempt<T>(work: () => T): T {
    this.#database.exec('BEGIN IMMEDIATE');
    let isEnding = false;
    try {
      const result = work();
      isEnding = true;
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      if (isEnding && !WRITES_NO_END.includes((error as { errcode?: number }).errcode ?? 0)) this.#takeBack();
      throw error;
    }
  }

  /** Empties the log of a transaction that failed when it was whole, such as by its sync. */
  #takeBack(): void {
    try {
      this.settle();
      const log = openSync(`${this.#path}-wal`, 'r+');
      try {
        fsyncSync(log);
      } finally {
        closeSync(log);
      }
    } catch (error) {
      this.#halt(
        `a write to ${this.#path} failed, and cannot be taken back (${(error as Error).message}): look after the disk, and ` +
          'start the registry again. docs/runbook.md#the-disk-fails',
      );
    }
  }

  /** What a process left in the log that ended may not be on the disk, though it can be read. A disk without room has what it
   *  has. */
  #settleWhatWasFound(): void {
    try {
      this.#withRoom(() => this.settle());
    } catch (error) {
      if (!mayLackRoom(error)) throw error;
    }
  }

  /** All conditions first: where one fails nothing was changed, and the other writes of the batch go on. */
  #apply(operations: readonly Operation[]): Outcome {
    const failed: number[] = [];
    for (const [index, operation] of operations.entries()) {
      const { when = [] } = operation;
      if (when.length === 0) continue;
      const found = this.#read(keyOf(operation));
      if (!when.every((condition) => holds(condition, found))) failed.push(index);
    }
    if (failed.length > 0) return { committed: false, failed };
    for (const operation of operations) this.#change(operation);
    return { committed: true };
  }

  #change(operation: Operation): void {
    if ('put' in operation) this.#put(operation.put, operation.attributes);
    else if ('update' in operation) {
      this.#put(operation.update, updated(this.#read(operation.update), operation));
    } else if ('remove' in operation) {
      this.#statements.remove.run(operation.remove.partition, operation.remove.sort);
    }
  }

  #read({ partition, sort }: Key): Attributes | undefined {
    const row = this.#statements.get.get(partition, sort) as Row | undefined;
    return row && decode(row.attributes);
  }

  #put({ partition, sort }: Key, attributes: Attributes): void {
    const expiresAt = (attributes['expiresAt'] as number | undefined) ?? null;
    this.#statements.put.run(partition, sort, encode(attributes), expiresAt);
  }
}

/** At a quota SQLite only says that a write failed (778). */
function mayLackRoom(error: unknown): boolean {
  const { errcode } = error as { errcode?: number };
  return errcode === SQLITE_FULL || errcode === 778;
}
