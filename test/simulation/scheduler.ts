import { tooBusy } from '../../functions/oci/errors.ts';
import { type Choice, type Choices, DELAYS, MAX_ACTORS, type What } from './choices.ts';
import { named } from './content.ts';
import { type Call, idOf, type Process, type World } from './world.ts';

/** Longer than any request. */
const REQUEST_MS = 24 * 60 * 60 * 1000;

/** Runs whatever waits, one call at a time, as `choices` say, until nobody waits or a promise is broken. */
export class Scheduler {
  readonly #world: World;
  readonly #choices: Choices;
  readonly #onCrash: (process: Process) => void;
  readonly #check: () => void;
  readonly #timeline: string[] | undefined;
  #last: Process | undefined;

  constructor(
    world: World,
    choices: Choices,
    given: {
      readonly onCrash: (process: Process) => void;
      /** Called after every step that changed something. */
      readonly check: () => void;
      /** Told of every step, where it is there. */
      readonly timeline: string[] | undefined;
    },
  ) {
    [this.#world, this.#choices] = [world, choices];
    [this.#onCrash, this.#check, this.#timeline] = [given.onCrash, given.check, given.timeline];
  }

  async run(maxSteps: number): Promise<void> {
    const world = this.#world;
    const last = world.steps + maxSteps;
    await settled();
    while (world.waiting.length > 0 && world.violations.length === 0) {
      if (world.steps >= last) throw new Error(`not at an end after ${maxSteps} steps`);
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
    if (!call) return;
    if (this.#timeline) this.#tell(this.#timeline, call, what);
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
      if (this.#timeline) this.#tellOutcome(this.#timeline, answer);
      if (what === 'crash after it') this.#crash(call.process);
      else if (what === 'answer lost') call.reject(this.#injected(new Error('the answer was lost')));
      else call.resolve(answer);
    } catch (error) {
      call.reject(error);
    }
  }

  /** Takes the next call off the list. */
  #take(who: number): Call | undefined {
    const { waiting } = this.#world;
    const same = waiting.findIndex(({ process }) => process === this.#last);
    const index = who === 0 && same >= 0 ? same : this.#firstFrom(who);
    const [call] = waiting.splice(index, 1);
    this.#last = call?.process ?? this.#last;
    return call;
  }

  /** Where the first call waits of the actor of this number, or of the next that has one. */
  #firstFrom(who: number): number {
    const { waiting } = this.#world;
    const distance = ({ process }: Call) => (process.number - who + 2 * MAX_ACTORS) % MAX_ACTORS;
    let best = 0;
    for (const [index, call] of waiting.entries()) {
      if (distance(call) < distance(waiting[best] as Call)) best = index;
    }
    return best;
  }

  /** Of the calls that wait, none is left when a day has gone by: no request takes that long. */
  #beforehand(what: What): void {
    const world = this.#world;
    const delay = DELAYS[what] ?? 0;
    world.clock += delay;
    if (what === 'expired items vanish') expire(world);
    if (delay < REQUEST_MS) return;
    for (const { reject } of world.waiting.splice(0)) reject(this.#injected(new Error('it took too long')));
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

  #tell(timeline: string[], { process, label }: Call, what: What): void {
    const trouble = what === 'done' ? '' : ` [${what}]`;
    timeline.push(named(`${this.#world.steps} ${process.actor}: ${label()}${trouble}`));
  }

  #tellOutcome(timeline: string[], answer: unknown): void {
    const { committed } = (answer ?? {}) as { committed?: boolean };
    if (committed === false) timeline.push(`${timeline.pop()} -> lost the race`);
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
