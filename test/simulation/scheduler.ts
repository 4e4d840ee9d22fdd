import { tooBusy } from '../../functions/oci/host-errors.ts';
import { type Choice, type Choices, DELAYS, MAX_ACTORS, type What } from './choices.ts';
import { named } from './content.ts';
import type { Process } from './requests.ts';
import { type Call, idOf, type World } from './world.ts';

/** Longer than any request. */
const REQUEST_MS = 24 * 60 * 60 * 1000;

/** Runs whatever waits, one call at a time, as `choices` say, until nobody waits or a promise is broken. */
export class Scheduler {
  readonly #world: World;
  readonly #choices: Choices;
  readonly #onCrash: (process: Process, isPowerCut: boolean) => Promise<void>;
  readonly #check: () => void;
  readonly #timeline: string[] | undefined;
  #last: Process | undefined;

  constructor(
    world: World,
    choices: Choices,
    given: {
      readonly onCrash: (process: Process, isPowerCut: boolean) => Promise<void>;
      /** Called after every step. */
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
      await this.#step(this.#choices.next());
      await settled();
      this.#check();
    }
  }

  async #step({ who, what }: Choice): Promise<void> {
    const world = this.#world;
    world.steps += 1;
    this.#beforehand(what);
    const call = this.#take(who);
    if (!call) return;
    if (this.#timeline) this.#tell(this.#timeline, call, what);
    const { request } = call;
    if (what === 'its clock goes back') setBack(world, request.process);
    if (what === 'its client gives up') {
      // What was asked of the store is under way.
      request.giveUp(world.inject(new Error('the gateway gave up')));
      world.waiting.push(call);
    } else if (BEFORE.has(what)) await this.#crash(request.process, what);
    else if (!this.#refuses(call, what) && !(await this.#divides(call, what))) {
      await this.#perform(call, what);
    }
  }

  /** Whether it has come to nothing. */
  #refuses({ reject, busy, failure }: Call, what: What): boolean {
    const world = this.#world;
    // A machine's own disk and database say what they have done.
    const fails = what === 'fails' || (what === 'answer lost' && world.kind === 'directory');
    if (what === 'busy') reject(world.inject(busy?.() ?? tooBusy()));
    else if (fails) reject(world.inject(failure?.() ?? new Error('it failed')));
    return what === 'busy' || fails;
  }

  /** Whether there is more to come of it. */
  async #divides(call: Call, what: What): Promise<boolean> {
    const { waiting } = this.#world;
    if (what === 'in two' && call.short) call.resolve(call.short());
    else if (what === 'in two' && call.inTwo) waiting.push({ ...call, ...(await call.inTwo()) });
    else if (what === 'sent twice' && call.isRepeatable) {
      await call.run().catch(() => undefined);
      waiting.push({ ...call, label: () => `once more: ${call.label()}` });
    } else if (what === 'again, and late' && call.isRepeatable) {
      waiting.push(call);
      this.#world.carryOutLate(call);
    } else return false;
    return true;
  }

  async #perform(call: Call, what: What): Promise<void> {
    const world = this.#world;
    try {
      const answer = await call.run();
      if (this.#timeline) this.#tellOutcome(this.#timeline, answer);
      if (AFTER.has(what)) await this.#crash(call.request.process, what);
      else if (what === 'answer lost') call.reject(world.inject(new Error('the answer was lost')));
      else call.resolve(answer);
    } catch (error) {
      if (this.#timeline) this.#timeline.push(`${this.#timeline.pop()} -> ${error}`);
      call.reject(error);
    }
  }

  /** Takes the next call off the list. */
  #take(who: number): Call | undefined {
    const { waiting } = this.#world;
    const same = waiting.findIndex(({ request }) => request.process === this.#last);
    const index = who === 0 && same >= 0 ? same : this.#firstFrom(who);
    const [call] = waiting.splice(index, 1);
    this.#last = call?.request.process ?? this.#last;
    return call;
  }

  /** Where the first call waits of the actor of this number, or of the next that has one. */
  #firstFrom(who: number): number {
    const { waiting } = this.#world;
    const distance = ({ request: { process } }: Call) => (process.number - who + 2 * MAX_ACTORS) % MAX_ACTORS;
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
    for (const { reject } of world.waiting.splice(0)) reject(world.inject(new Error('it took too long')));
  }

  async #crash(process: Process, what: What): Promise<void> {
    const world = this.#world;
    world.faults += 1;
    const isPowerCut = what === 'power cut before it' || what === 'power cut after it';
    await this.#onCrash(process, isPowerCut);
    world.waiting.splice(0, world.waiting.length, ...world.waiting.filter(isAlive));
  }

  #tell(timeline: string[], { request, label }: Call, what: What): void {
    const trouble = what === 'done' ? '' : ` [${what}]`;
    timeline.push(named(`${this.#world.steps} ${request.process.actor}: ${label()}${trouble}`));
  }

  #tellOutcome(timeline: string[], answer: unknown): void {
    const { committed } = (answer ?? {}) as { committed?: boolean };
    if (committed === false) timeline.push(`${timeline.pop()} -> lost the race`);
  }
}

const BEFORE: ReadonlySet<What> = new Set(['crash before it', 'power cut before it']);
const AFTER: ReadonlySet<What> = new Set(['crash after it', 'power cut after it']);

/** By an hour. */
const SKEW_MS = 60 * 60 * 1000;

/** The clock of a process's host. */
function setBack(world: World, process: Process): void {
  world.faults += 1;
  if (world.kind === 'directory') world.skewMs = -SKEW_MS;
  else process.skewMs = -SKEW_MS;
}

const isAlive = ({ request }: Call) => !request.process.isDead;

/** Removes what the table and the bucket may: items whose `expiresAt` has passed, and what is left of uploads. */
export function expire({ table, clock, bucket, stored }: World): void {
  bucket.tidy();
  stored.expire(clock);
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
