import type { Digest } from '../../functions/oci/digest.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { manifestKey, repositoryKey } from '../../functions/registry/keys.ts';
import type { Policy } from '../../functions/registry/policies.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import type { ObjectKey } from '../../functions/storage/blob-store.ts';
import { longestPauseMs } from '../../functions/storage/pause.ts';
import {
  type Attributes,
  type Key,
  keyOf,
  type Operation,
  type Outcome,
} from '../../functions/storage/table.ts';
import { MemoryTable } from '../contract/memory-table.ts';
import { SimulatedBucket } from './bucket.ts';
import type { Plant } from './plants.ts';
import { Platter } from './platter.ts';
import { Random } from './random.ts';
import { type Process, Request, requestNow } from './requests.ts';
import { Stored } from './stored.ts';
import { LEAST_PART, ROOT, Stores } from './stores.ts';
import { scheduledTable } from './table.ts';
import { watch } from './watch.ts';

/** A promise that was broken; what is thrown or told when the simulation finds one. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** A call to a store that waits for its turn. */
export interface Call {
  readonly request: Request;
  readonly label: () => string;
  readonly run: () => Promise<unknown>;
  /** The call as two that others may come between; absent where that cannot be. */
  readonly inTwo?: () => Promise<Pick<Call, 'label' | 'run'>>;
  /** The call where it does only some of its work, and says so. */
  readonly short?: () => unknown;
  /** What it fails with, and leaves behind. @default nothing is done */
  readonly failure?: () => Error;
  /** What it is refused with. */
  readonly busy?: () => Error;
  /** Whether it may be sent twice, and the first time be carried out after the second. */
  readonly isRepeatable?: boolean;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** What a world is made of, beside its seed. */
export interface WorldOptions {
  /** Which blob store the registry has. */
  readonly kind: 's3' | 'directory';
  readonly plant?: Plant;
  readonly policy?: Omit<Policy, 'name' | 'repositories'> | undefined;
  /** Milliseconds that a deleted manifest can be restored for. */
  readonly quarantineMs: number;
  /** Whether clients may write to S3 themselves. */
  readonly isDirect?: boolean;
  /** Whether the table has no room now and then. */
  readonly isFull?: boolean;
  /** Whether somebody's clock is days ahead: then objects may go early, and leave something behind. */
  readonly isClockWrong?: boolean;
}

/** The stores, the clock, and what is remembered of who did what. */
export class World {
  readonly kind: WorldOptions['kind'];
  readonly plant: Plant;
  readonly policy: WorldOptions['policy'];
  readonly isClockWrong: boolean;
  readonly quarantineMs: number;
  readonly isFull: boolean;
  readonly random: Random;
  readonly table = new MemoryTable();
  readonly bucket: SimulatedBucket;
  readonly platter: Platter;
  readonly stores: Stores;
  readonly stored = new Stored();
  /** Milliseconds since 1970. */
  clock = Date.UTC(2026, 0, 1);
  /** By how much the machine's clock is wrong, where all is on one. */
  skewMs = 0;
  /** How many calls have been made. */
  steps = 0;
  /** How often the table was changed. */
  changes = 0;
  /** How often something went wrong that nobody in the registry is to blame for. */
  faults = 0;
  readonly waiting: Call[] = [];
  readonly violations: string[] = [];
  /** Objects that have changed since they were checked. */
  readonly touched = new Set<string>();
  /** What uploads had received, by session and offset. */
  readonly contents = new Map<string, Uint8Array>();
  /** The uploads that several clients write to, by their place in the plan. */
  readonly sessions = new Map<number, string>();
  /** What can be read, and its digest, as of the last check. */
  linked: ReadonlyMap<string, string> = new Map();
  checkedChanges = 0;
  /** Uploads that somebody has ended, or tried to. */
  readonly ended = new Set<string>();
  readonly #injected = new WeakSet<object>();
  readonly #isDirect: boolean;
  readonly #removed = new Map<string, number>();
  readonly #retired = new Map<string, number>();
  readonly #written = new Map<string, { step: number; by: Process }>();

  constructor(seed: number, options: WorldOptions) {
    const { kind, plant = {}, policy, isDirect = false, isClockWrong = false } = options;
    const random = new Random(seed);
    const now = () => this.clock;
    this.random = random;
    this.bucket = new SimulatedBucket({
      now,
      random,
      leastPart: LEAST_PART,
      onChange: (key) => this.noteObject(key),
    });
    this.platter = new Platter(random, now);
    [this.kind, this.plant, this.policy] = [kind, plant, policy];
    [this.#isDirect, this.isClockWrong] = [isDirect, isClockWrong];
    this.quarantineMs = options.quarantineMs;
    this.isFull = options.isFull ?? false;
    this.stores = new Stores(this);
  }

  registryOf(process: Process): Registry {
    const { task, actor } = process;
    let waited = 0;
    const isJob = task.is === 'sweep' || task.is === 'drain' || task.is === 'event';
    return {
      table: scheduledTable(this),
      blobs: this.stores.make(),
      direct: this.#isDirect,
      // All clients are one user's, so that they may write to each other's uploads.
      ...(isJob ? {} : { actor: actor === 'in the end' ? actor : 'user' }),
      now: () => this.clock + this.skewMs + process.skewMs,
      // A pause takes none of the scheduler's time, only of the patience of whoever waits.
      steady: () => waited,
      newId: () => this.plant.id?.(this.random) ?? this.random.id(),
      pause: async (attempt) => {
        waited += longestPauseMs(attempt) / 2;
      },
    };
  }

  /** The answer, once the scheduler has let the call happen; at once where the simulation itself asks. */
  call<T>(
    call: Omit<Call, 'request' | 'resolve' | 'reject' | 'run'> & { run: () => Promise<T> },
  ): Promise<T> {
    const request = requestNow();
    if (!request || request.isAlone) return call.run();
    return new Promise<T>((resolve, reject) => {
      if (request.process.isDead) return;
      this.waiting.push({ ...call, request, resolve: resolve as (value: unknown) => void, reject });
    });
  }

  /** An attempt that arrives after the one that was answered. Nobody waits for it. */
  carryOutLate({ request, label, run }: Pick<Call, 'request' | 'label' | 'run'>): void {
    const { process } = request;
    const actor = `${process.actor} (long answered)`;
    this.waiting.push({
      request: new Request({ ...process, actor, isDead: false }),
      label: () => `carried out late: ${label()}`,
      run,
      resolve: () => undefined,
      reject: () => undefined,
    });
  }

  /** Applies a write and remembers what it removed. */
  async write(request: Request, operations: readonly Operation[]): Promise<Outcome> {
    const before = operations.map((operation) => this.table.peek(keyOf(operation)));
    const outcome = await this.table.write(operations);
    if (!outcome.committed) return outcome;
    this.changes += 1;
    for (const [index, operation] of operations.entries()) {
      const key = keyOf(operation);
      if ('remove' in operation && before[index]) this.#noteRemoval(request.process, key, before[index]);
      else if (!('check' in operation)) {
        this.#written.set(idOf(key), { step: this.steps, by: request.process });
      }
      watch(this, request, operation, before[index]);
    }
    return outcome;
  }

  /** The machine starts again, after all on it has died. */
  async restart(isPowerCut: boolean): Promise<void> {
    if (isPowerCut) this.platter.cut();
    this.changes += 1; // everything is to be looked at
    await this.stores.open();
  }

  /** Marks an error as one that the simulation has thrown. */
  inject(error: Error): Error {
    this.faults += 1;
    this.#injected.add(error);
    return error;
  }

  isInjected(error: unknown): boolean {
    if (this.#injected.has(error as object)) return true;
    return error instanceof Error && error.cause !== undefined && this.isInjected(error.cause);
  }

  /** The bytes that are read at the key, and whether a power cut leaves them as they are. */
  objectAt(key: string): { readonly bytes: Uint8Array; readonly isSafe: boolean } | undefined {
    if (this.kind === 's3') {
      const bytes = this.bucket.objects.get(key)?.bytes;
      return bytes && { bytes, isSafe: true };
    }
    const path = `${ROOT}/${key}`;
    const file = this.platter.names.get(path);
    return file && { bytes: file.content, isSafe: this.platter.safeBytes(path) !== undefined };
  }

  /** The bytes of an object, or of a file that is to become one, have changed. */
  noteObject(path: string): void {
    this.touched.add(`blobs/${path.slice(path.lastIndexOf('/') + 1)}` as ObjectKey);
  }

  /** Whether somebody has removed the item on purpose after `step`, or a policy has. */
  wasDeletedSince(key: Key, step: number): boolean {
    return this.wasTakenSince(key, step) || (this.#retired.get(idOf(key)) ?? -1) >= step;
  }

  /** Whether somebody has removed the item on purpose, after `step`. */
  wasTakenSince(key: Key, step: number): boolean {
    return (this.#removed.get(idOf(key)) ?? -1) >= step;
  }

  /** Whether somebody else has written the item after `step`. */
  wasWrittenSince(key: Key, step: number, process: Process): boolean {
    const last = this.#written.get(idOf(key));
    return last !== undefined && last.step >= step && last.by !== process;
  }

  epochOf(repository: RepositoryName): number {
    return (this.table.peek(repositoryKey(repository))?.['epoch'] as number | undefined) ?? 0;
  }

  violate(text: string): void {
    this.violations.push(text);
  }

  /** A manifest that nobody can be about to use: the sweep's rule. */
  #isOld({ partition }: Key, kind: string, { touched }: Attributes): boolean {
    const epoch = this.epochOf(partition.slice('R#'.length) as RepositoryName);
    return kind === 'M#' && (touched as number) <= epoch - 2;
  }

  /** What belonged to a manifest that is deleted, and whose quarantine is over: without a policy, too, a sweep takes it. */
  #isLeftOver({ partition }: Key, { subject }: Attributes): boolean {
    const name = partition.slice('R#'.length) as RepositoryName;
    return subject !== undefined && this.table.peek(manifestKey(name, subject as Digest)) === undefined;
  }

  #noteRemoval({ task }: Process, key: Key, before: Attributes): void {
    const kind = key.partition.startsWith('R#') ? key.sort.slice(0, 2) : '';
    const isRetired =
      task.is === 'sweep' && (this.policy?.retention !== undefined || this.#isLeftOver(key, before));
    if (task.is === 'delete') this.#removed.set(idOf(key), this.steps);
    else if (isRetired && (kind === 'T#' || this.#isOld(key, kind, before))) {
      this.#retired.set(idOf(key), this.steps);
    } else if (kind === 'M#' || kind === 'T#' || (kind === 'B#' && task.is !== 'sweep')) {
      this.violate(`4: ${task.is} removes ${key.sort} of ${key.partition}`);
    }
  }
}

export const idOf = ({ partition, sort }: Key) => `${partition} ${sort}`;
