import type { Digest } from '../../functions/oci/digest.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { repositoryKey } from '../../functions/registry/keys.ts';
import type { Registry } from '../../functions/registry/registry.ts';
import { type Key, keyOf, type Operation, type Outcome } from '../../functions/storage/table.ts';
import { MemoryTable } from '../contract/memory-table.ts';
import { MemoryObjects, scheduledBlobs } from './blobs.ts';
import type { Plant } from './plants.ts';
import { Random } from './random.ts';
import { scheduledTable } from './table.ts';
import type { Task } from './tasks.ts';

/** A promise that was broken; what is thrown or told when the simulation finds one. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

/** One task of an actor, from its start until it ends or crashes; nothing of it is left but what it wrote. */
export interface Process {
  readonly actor: string;
  /** Of the actor, from 1. */
  readonly number: number;
  readonly task: Task;
  isDead: boolean;
}

/** A call to a store that waits for its turn. */
export interface Call {
  readonly process: Process;
  readonly label: () => string;
  readonly run: () => Promise<unknown>;
  /** The call as two that others may come between; absent where that cannot be. */
  readonly inTwo?: () => Promise<Call>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** How often a call that may be carried out late is. */
const LATE = 0.2;

/** The stores, the clock, and what is remembered of who did what. */
export class World {
  readonly table = new MemoryTable();
  readonly objects = new MemoryObjects();
  readonly plant: Plant;
  /** Milliseconds since 1970. */
  clock = Date.UTC(2026, 0, 1);
  /** How many calls have been made. */
  steps = 0;
  /** How often anything was changed. */
  changes = 0;
  readonly waiting: Call[] = [];
  readonly violations: string[] = [];
  /** Errors that the simulation itself has thrown. */
  readonly injected = new WeakSet<object>();
  readonly #removed = new Map<string, number>();
  readonly #retired = new Map<string, number>();
  readonly #written = new Map<string, { step: number; by: Process }>();
  readonly #random: Random;
  readonly #hasPolicy: boolean;

  constructor(seed: number, { plant = {}, hasPolicy = false }: { plant?: Plant; hasPolicy?: boolean } = {}) {
    this.#random = new Random(seed);
    this.plant = plant;
    this.#hasPolicy = hasPolicy;
  }

  registryOf(process: Process): Registry {
    return {
      table: scheduledTable(this, process),
      blobs: scheduledBlobs(this, process),
      actor: process.actor,
      now: () => this.clock,
      newId: () => this.plant.id?.(this.#random) ?? this.#random.id(),
      pause: async () => undefined,
    };
  }

  /** The answer, once the scheduler has let the call happen. */
  call<T>(process: Process, call: Pick<Call, 'label' | 'inTwo'> & { run: () => Promise<T> }): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (process.isDead) return;
      this.waiting.push({ ...call, process, resolve: resolve as (value: unknown) => void, reject });
    });
  }

  /** Now and then AWS carries a call out once more, at any time after its answer, whatever has become of its process. */
  perhapsLater(process: Process, call: Pick<Call, 'label' | 'run'>): void {
    if (!this.#random.chance(LATE)) return;
    const late = { ...process, actor: `${process.actor}, before` };
    this.waiting.push({ ...call, process: late, resolve: () => undefined, reject: () => undefined });
  }

  /** Applies a write and remembers what it removed. */
  async write(process: Process, operations: readonly Operation[]): Promise<Outcome> {
    const before = operations.map((operation) => this.table.peek(keyOf(operation)));
    const outcome = await this.table.write(operations);
    if (!outcome.committed) return outcome;
    this.changes += 1;
    for (const [index, operation] of operations.entries()) {
      const key = keyOf(operation);
      if ('remove' in operation && before[index]) this.#noteRemoval(process, key, operations, before[index]);
      else if (!('check' in operation)) this.#written.set(idOf(key), { step: this.steps, by: process });
    }
    return outcome;
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
  #isOld({ partition }: Key, kind: string, { touched }: Readonly<Record<string, unknown>>): boolean {
    const epoch = this.epochOf(partition.slice('R#'.length) as RepositoryName);
    return kind === 'M#' && (touched as number) <= epoch - 2;
  }

  #noteRemoval(
    process: Process,
    key: Key,
    operations: readonly Operation[],
    before: Readonly<Record<string, unknown>>,
  ): void {
    const kind = key.partition.startsWith('R#') ? key.sort.slice(0, 2) : '';
    const { task } = process;
    if (task.is === 'delete') this.#removed.set(idOf(key), this.steps);
    else if (task.is === 'sweep' && this.#hasPolicy && (kind === 'T#' || this.#isOld(key, kind, before))) {
      this.#retired.set(idOf(key), this.steps);
    } else if (kind === 'M#' || kind === 'T#' || (kind === 'B#' && task.is !== 'sweep')) {
      this.violate(`4: ${task.is} removes ${key.sort} of ${key.partition}`);
    }
    if (
      kind === 'T#' &&
      task.is === 'delete' &&
      task.what === 'manifest' &&
      before['digest'] !== task.digest
    ) {
      this.violate(
        `4: deleting ${task.digest} takes ${key.sort} along, which is on ${before['digest'] as Digest}`,
      );
    }
    if (operations.length === 0) this.violate('a write of nothing');
  }
}

export const idOf = ({ partition, sort }: Key) => `${partition} ${sort}`;
