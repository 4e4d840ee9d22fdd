import type { Key, Operation, Table } from '../../../functions/storage/table.ts';
import type { Machine, MachineState, Started } from '../../../functions/stream/machine.ts';
import { MemoryTable } from '../../contract/memory-table.ts';
import type { Random } from '../random.ts';
import type { VirtualTime } from './virtual-time.ts';

/** What a process ends by that is cut off: nothing of it goes on. */
export class Crash extends Error {
  override readonly name = 'Crash';
}

/** One process that asks the table and EC2. */
export class Process {
  readonly name: string;
  readonly #mayCrash: () => boolean;
  isDead = false;

  constructor(name: string, mayCrash: () => boolean) {
    this.name = name;
    this.#mayCrash = mayCrash;
  }

  /** Where it may be cut off. */
  step(): void {
    if (!this.isDead && this.#mayCrash()) this.isDead = true;
    if (this.isDead) throw new Crash(this.name);
  }
}

interface Surroundings {
  readonly time: VirtualTime;
  readonly random: Random;
}

/** A change to what a process writes: a mistake that is planted. */
export type Alter = (process: Process, operation: Operation) => Operation;

/** Items as every store keeps them, at a distance. */
export class Items {
  readonly #items = new MemoryTable();
  readonly #surroundings: Surroundings;
  readonly #alter: Alter;

  constructor(surroundings: Surroundings, alter: Alter) {
    this.#surroundings = surroundings;
    this.#alter = alter;
  }

  /** As a process sees them, which may end before a write and after it. */
  of(process: Process): Table {
    const travel = () => this.#travel();
    const get = async (key: Key) => {
      await travel();
      process.step();
      const found = await this.#items.get(key);
      await travel();
      return found;
    };
    const write = async (operations: readonly Operation[]) => {
      await travel();
      process.step();
      const outcome = await this.#items.write(operations.map((operation) => this.#alter(process, operation)));
      process.step();
      await travel();
      return outcome;
    };
    const none = () => Promise.reject(new Error('nobody asks that'));
    return { get, write, getMany: none, query: none };
  }

  #travel(): Promise<void> {
    const { time, random } = this.#surroundings;
    return time.wait(random.chance(0.02) ? random.below(4000) : 1 + random.below(30));
  }
}

/** What runs on the machine, told of its power. */
export interface Running {
  powerOn(): void;
  powerOff(why: 'itself' | 'EC2'): void;
}

/** An instance of EC2, which takes its time, is asked too often now and then, and has no room sometimes. */
export class Machines {
  state: Exclude<MachineState, 'gone' | 'unknown'> = 'stopped';
  readonly #surroundings: Surroundings;
  readonly #running: Running;
  #boot = 0;

  constructor(surroundings: Surroundings, running: Running) {
    this.#surroundings = surroundings;
    this.#running = running;
  }

  of(process: Process): Machine {
    const call = async <T>(effect: () => T): Promise<T> => {
      const { time, random } = this.#surroundings;
      await time.wait(50 + random.below(900));
      process.step();
      const answer = effect();
      process.step();
      await time.wait(random.below(100));
      return answer;
    };
    return {
      start: () => call(() => this.#start()),
      state: () => call(() => (this.#surroundings.random.chance(0.05) ? 'unknown' : this.state)),
      stop: () => call(() => this.off('EC2')),
      reboot: () => call(() => void (this.state === 'running' && this.#on())),
    };
  }

  /** Stops, by itself or by EC2. */
  off(why: 'itself' | 'EC2'): void {
    if (this.state === 'stopped' || this.state === 'stopping') return;
    this.#running.powerOff(why);
    this.state = 'stopping';
    const boot = this.#boot;
    const { time, random } = this.#surroundings;
    void time.wait(5000 + random.below(50_000)).then(() => {
      if (this.#boot === boot) this.state = 'stopped';
    });
  }

  #start(): Started {
    const { random } = this.#surroundings;
    if (random.chance(0.05)) return { is: 'later', why: 'RequestLimitExceeded' };
    if (this.state === 'stopping') return { is: 'later', why: 'IncorrectInstanceState' };
    if (this.state !== 'stopped') return { is: 'asked' };
    if (random.chance(0.1)) return { is: 'refused', why: 'InsufficientInstanceCapacity' };
    this.state = 'pending';
    this.#on();
    return { is: 'asked' };
  }

  #on(): void {
    const { time, random } = this.#surroundings;
    this.#boot += 1;
    const boot = this.#boot;
    void time.wait(8000 + random.below(random.chance(0.1) ? 160_000 : 60_000)).then(() => {
      if (this.#boot !== boot || this.state === 'stopping' || this.state === 'stopped') return;
      this.state = 'running';
      this.#running.powerOn();
    });
  }
}
