import type { RepositoryName } from '../../functions/oci/reference.ts';
import { policiesKey } from '../../functions/registry/keys.ts';
import { confirmPolicy } from '../../functions/registry/policy-confirmations.ts';
import { type Choice, type Choices, RandomChoices, SameChoices } from './choices.ts';
import { Client } from './client.ts';
import { named } from './content.ts';
import { checkNothingIsLeft, windUp } from './ending.ts';
import { perform } from './errands.ts';
import { checkChanges } from './invariants.ts';
import type { Plant } from './plants.ts';
import { Random } from './random.ts';
import { type Process, Request, serve } from './requests.ts';
import { Scheduler } from './scheduler.ts';
import { type Plan, planOf, type Task } from './tasks.ts';
import { Violation, World } from './world.ts';

/** What became of a run. `choices` takes the same way again. */
export interface Outcome {
  readonly plan: Plan;
  readonly choices: readonly Choice[];
  readonly steps: number;
  /** Promises that were broken; empty where all is well. */
  readonly violations: readonly string[];
  /** One line a step, where it was asked for. */
  readonly timeline: readonly string[];
}

/** Longer, and somebody goes round in circles. */
const MAX_STEPS = 20_000;

/** The run that follows from the seed. */
export async function simulate(seed: number, plant: Plant = {}): Promise<Outcome> {
  const choices = new RandomChoices(new Random(seed ^ 0x5eed));
  const outcome = await follow(planOf(seed), choices, { plant });
  return { ...outcome, choices: choices.taken };
}

/** A run that was taken before. */
export async function replay(
  plan: Plan,
  choices: readonly Choice[],
  options: { plant?: Plant; isTold?: boolean } = {},
): Promise<Outcome> {
  return { ...(await follow(plan, new SameChoices(choices), options)), choices };
}

async function follow(
  plan: Plan,
  choices: Choices,
  { plant = {}, isTold = false }: { plant?: Plant; isTold?: boolean },
): Promise<Omit<Outcome, 'choices'>> {
  Error.stackTraceLimit = isTold ? 20 : 0; // most errors are part of the play
  const world = new World(plan.seed, { ...plan, plant, isClockWrong: plan.drainSkewMs > 0 });
  if (plan.policy) await setPolicy(world);
  await world.stores.open();
  const timeline: string[] = [];
  const run = new Run(world, plan, isTold ? timeline : undefined);
  await run.all([{ name: 'before', tasks: plan.before }], new SameChoices([]));
  await run.all(plan.actors, choices);
  const { steps } = world;
  await run.end();
  return { plan, steps, violations: world.violations, timeline };
}

/** Before anything happens; confirmed, so that it acts at once. */
async function setPolicy({ table, policy, clock }: World): Promise<void> {
  const few = { name: 'few', repositories: ['*'], ...policy };
  const policies = JSON.stringify([few]);
  await confirmPolicy({ table, now: () => clock }, few.name, few);
  await table.write([{ put: policiesKey, attributes: { policies, version: 1, quotasSince: 0 } }]);
}

/** What happens in one world, phase after phase, until a promise is broken. */
class Run {
  readonly #world: World;
  readonly #plan: Plan;
  readonly #timeline: string[] | undefined;
  readonly #running = new Set<Process>();

  constructor(world: World, plan: Plan, timeline: string[] | undefined) {
    [this.#world, this.#plan, this.#timeline] = [world, plan, timeline];
  }

  /** All at once, as `choices` say. */
  async all(actors: Plan['actors'], choices: Choices): Promise<void> {
    const queues = actors.map(({ tasks }) => [...tasks]);
    const startNext = (number: number) => {
      const [task, actor] = [queues[number - 1]?.shift(), actors[number - 1]?.name];
      if (!task || actor === undefined || this.#isBroken()) return;
      const skewMs = task.is === 'drain' ? this.#plan.drainSkewMs : 0;
      const process = { actor, number, task, isDead: false, skewMs };
      this.#running.add(process);
      void this.#perform(process).then(() => {
        this.#running.delete(process);
        if (!process.isDead) startNext(number);
      });
    };
    const onCrash = async (process: Process, isPowerCut: boolean) => {
      for (const { number } of await this.#crash(process, isPowerCut)) startNext(number);
    };
    const scheduler = this.#scheduler(choices, onCrash);
    for (const index of actors.keys()) startNext(index + 1);
    await scheduler.run(MAX_STEPS);
  }

  /** Answers who has died: on one machine all, with what they had in memory; and with the power, what was not synced. */
  async #crash(process: Process, isPowerCut: boolean): Promise<readonly Process[]> {
    const world = this.#world;
    const dead = world.kind === 'directory' ? [...this.#running] : [process];
    for (const each of dead) {
      each.isDead = true;
      this.#running.delete(each);
    }
    process.isDead = true;
    if (world.kind === 'directory') await world.restart(isPowerCut);
    return dead;
  }

  /** When nothing more happens, what is of no use goes. */
  async end(): Promise<void> {
    const world = this.#world;
    if (this.#isBroken()) return;
    const task: Task = { is: 'sweep', repository: 'all' as RepositoryName, isLater: false, isShort: false };
    const process: Process = { actor: 'in the end', number: 1, task, isDead: false, skewMs: 0 };
    const act = () => windUp(world, world.registryOf(process), this.#plan.quarantineMs);
    try {
      await serve(new Request(process, { isAlone: true }), act);
    } catch (error) {
      world.violate(`5: the last sweep fails: ${(error as Error).stack}`);
    }
    checkChanges(world);
    checkNothingIsLeft(world);
  }

  #scheduler(
    choices: Choices,
    onCrash = async (_: Process, __: boolean): Promise<void> => undefined,
  ): Scheduler {
    const check = () => checkChanges(this.#world);
    return new Scheduler(this.#world, choices, { onCrash, check, timeline: this.#timeline });
  }

  /** Never fails: what a task runs into is judged here. A process that crashes never comes back. */
  async #perform(process: Process): Promise<void> {
    const client = new Client(this.#world, process);
    try {
      await serve(new Request(process), () => perform(client, process.task, this.#plan.quarantineMs));
    } catch (error) {
      if (client.isInjected(error)) return;
      const text =
        error instanceof Violation ? error.message : `5: ${process.task.is} fails: ${(error as Error).stack}`;
      this.#world.violate(named(text));
    }
  }

  #isBroken(): boolean {
    return this.#world.violations.length > 0;
  }
}
