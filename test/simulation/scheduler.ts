import { tooBusy } from '../../functions/oci/errors.ts';
import { type Choice, type Choices, DELAYS, type What } from './choices.ts';
import { named } from './content.ts';
import { type Call, idOf, type Process, type World } from './world.ts';

/** Runs whatever waits, one call at a time, as `choices` say, until nobody waits or a promise is broken. */
export class Scheduler {
  readonly #world: World;
  readonly #choices: Choices;
  readonly #onCrash: (process: Process) => void;
  readonly #check: () => void;
  /** One line a step; empty unless asked for. */
  readonly timeline: string[] = [];
  readonly #isTold: boolean;
  #last: Process | undefined;

  constructor(
    world: World,
    choices: Choices,
    { onCrash, check, isTold }: { onCrash: (process: Process) => void; check: () => void; isTold: boolean },
  ) {
    [this.#world, this.#choices, this.#onCrash] = [world, choices, onCrash];
    [this.#check, this.#isTold] = [check, isTold];
  }

  async run(maxSteps: number): Promise<void> {
    const world = this.#world;
    await settled();
    while (world.waiting.length > 0 && world.violations.length === 0) {
      if (world.steps >= maxSteps) throw new Error(`not at an end after ${maxSteps} steps`);
      const before = world.changes;
      await this.#step(this.#choices.next());
      await settled();
      if (world.changes > before) this.#check();
    }
  }

  async #step({ who, what }: Choice): Promise<void> {
    const world = this.#world;
    world.steps += 1;
    this.#beforehand(what);
    const call = this.#take(who);
    if (this.#isTold) this.#tell(call, what);
    if (what === 'crash before it') return this.#crash(call.process);
    if (what === 'busy') return call.reject(this.#injected(tooBusy()));
    if (what === 'in two' && call.inTwo) {
      const { resolve, reject } = call;
      world.waiting.push({ ...(await call.inTwo()), resolve, reject });
      return;
    }
    await this.#perform(call, what);
  }

  async #perform(call: Call, what: What): Promise<void> {
    try {
      const answer = await call.run();
      if (this.#isTold) this.#tellOutcome(answer);
      if (what === 'crash after it') this.#crash(call.process);
      else if (what === 'answer lost') call.reject(this.#injected(new Error('the answer was lost')));
      else call.resolve(answer);
    } catch (error) {
      call.reject(error);
    }
  }

  /** Takes the next call off the list. */
  #take(who: number): Call {
    const { waiting } = this.#world;
    const same = waiting.findIndex(({ process }) => process === this.#last);
    const index = who === 0 ? Math.max(same, 0) : (who - 1) % waiting.length;
    const [call] = waiting.splice(index, 1);
    if (!call) throw new Error('nobody waits');
    this.#last = call.process;
    return call;
  }

  #beforehand(what: What): void {
    const world = this.#world;
    world.clock += DELAYS[what] ?? 0;
    if (what === 'expired items vanish') expire(world);
  }

  #crash(process: Process): void {
    const { waiting } = this.#world;
    process.isDead = true;
    waiting.splice(0, waiting.length, ...waiting.filter((call) => call.process !== process));
    this.#onCrash(process);
  }

  #injected(error: Error): Error {
    this.#world.injected.add(error);
    return error;
  }

  #tell({ process, label }: Call, what: What): void {
    const trouble = what === 'done' ? '' : ` [${what}]`;
    this.timeline.push(named(`${this.#world.steps} ${process.actor}: ${label()}${trouble}`));
  }

  #tellOutcome(answer: unknown): void {
    const { committed } = (answer ?? {}) as { committed?: boolean };
    if (committed === false) this.timeline.push(`${this.timeline.pop()} -> lost the race`);
  }
}

/** Removes what the table may: items whose `expiresAt` has passed. */
export function expire({ table, clock }: World): void {
  const isOver = (expiresAt: unknown) => typeof expiresAt === 'number' && expiresAt * 1000 < clock;
  const over = table.items().filter(({ attributes }) => isOver(attributes['expiresAt']));
  for (const { key } of over.sort((a, b) => (idOf(a.key) < idOf(b.key) ? -1 : 1))) {
    void table.write([{ remove: key }]);
  }
}

/** Waits until nothing goes on without the scheduler: all promises that can be settled are when an immediate runs. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
