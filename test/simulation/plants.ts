import type { Attributes, Item, Key, Operation, Query } from '../../functions/storage/table.ts';
import type { Random } from './random.ts';
import type { Process } from './world.ts';

/** A mistake that is slipped between the registry and its stores, as if its code had made it. */
export interface Plant {
  /** What is written instead; nothing at all where it is empty. */
  readonly operations?: (operations: readonly Operation[], process: Process) => readonly Operation[];
  /** What `get` answers instead. */
  readonly found?: (key: Key, found: Attributes, process: Process) => Attributes;
  /** What a query answers instead. */
  readonly items?: (query: Query, items: readonly Item[], process: Process) => readonly Item[];
  /** What its process writes after this. */
  readonly later?: (process: Process, operations: readonly Operation[]) => readonly Operation[] | undefined;
  /** What new objects are named. */
  readonly id?: (random: Random) => string;
}
