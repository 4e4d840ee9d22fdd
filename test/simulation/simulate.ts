import type { RepositoryName } from '../../functions/oci/reference.ts';
import { policiesKey } from '../../functions/registry/keys.ts';
import type { Retention } from '../../functions/registry/policies.ts';
import { type Choice, type Choices, RandomChoices, SameChoices } from './choices.ts';
import { Client } from './client.ts';
import { named } from './content.ts';
import { checkNothingIsLeft, windUp } from './ending.ts';
import { perform } from './errands.ts';
import { checkInvariants } from './invariants.ts';
import type { Plant } from './plants.ts';
import { Random } from './random.ts';
import { Scheduler } from './scheduler.ts';
import { type Plan, planOf, type Task } from './tasks.ts';
import { type Process, Violation, World } from './world.ts';

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
  const world = new World(plan.seed, { plant, hasPolicy: plan.retention !== undefined });
  if (plan.retention) await setPolicy(world, plan.retention);
  const timeline: string[] = [];
  const run = new Run(world, plan.quarantineMs, isTold ? timeline : undefined);
  await run.all([{ name: 'before', tasks: plan.before }], new SameChoices([]));
  await run.all(plan.actors, choices);
  const { steps } = world;
  await run.end();
  return { plan, steps, violations: world.violations, timeline };
}

/** Before anything happens. */
async function setPolicy({ table }: World, retention: Retention): Promise<void> {
  const policies = JSON.stringify([{ name: 'few', repositories: ['*'], retention }]);
  await table.write([{ put: policiesKey, attributes: { policies, version: 1, quotasSince: 0 } }]);
}

/** What happens in one world, phase after phase, until a promise is broken. */
class Run {
  readonly #world: World;
  readonly #quarantineMs: number;
  readonly #timeline: string[] | undefined;

  constructor(world: World, quarantineMs: number, timeline: string[] | undefined) {
    [this.#world, this.#quarantineMs, this.#timeline] = [world, quarantineMs, timeline];
  }

  /** All at once, as `choices` say. */
  async all(actors: Plan['actors'], choices: Choices): Promise<void> {
    const queues = actors.map(({ tasks }) => [...tasks]);
    const startNext = (number: number) => {
      const [task, actor] = [queues[number - 1]?.shift(), actors[number - 1]?.name];
      if (!task || actor === undefined || this.#isBroken()) return;
      const process = { actor, number, task, isDead: false };
      void this.#perform(process).then(() => {
        if (!process.isDead) startNext(number);
      });
    };
    const scheduler = this.#scheduler(choices, ({ number }) => startNext(number));
    for (const index of actors.keys()) startNext(index + 1);
    await scheduler.run(MAX_STEPS);
  }

  /** When nothing more happens, what is of no use goes. */
  async end(): Promise<void> {
    const world = this.#world;
    if (this.#isBroken()) return;
    const task: Task = { is: 'sweep', repository: 'all' as RepositoryName, isLater: false, isShort: false };
    const process: Process = { actor: 'in the end', number: 1, task, isDead: false };
    const done = windUp(world, world.registryOf(process), this.#quarantineMs).catch((error) => {
      world.violate(`5: the last sweep fails: ${error}`);
    });
    await this.#scheduler(new SameChoices([])).run(2 * MAX_STEPS);
    if (this.#isBroken()) return;
    await done;
    checkNothingIsLeft(world);
  }

  #scheduler(choices: Choices, onCrash: (process: Process) => void = () => undefined): Scheduler {
    const check = () => checkInvariants(this.#world);
    return new Scheduler(this.#world, choices, { onCrash, check, timeline: this.#timeline });
  }

  /** Never fails: what a task runs into is judged here. A process that crashes never comes back. */
  async #perform(process: Process): Promise<void> {
    const client = new Client(this.#world, process);
    try {
      await perform(client, process.task, this.#quarantineMs);
    } catch (error) {
      if (client.isInjected(error)) return;
      const text = error instanceof Violation ? error.message : `5: ${process.task.is} fails: ${error}`;
      this.#world.violate(named(text));
    }
  }

  #isBroken(): boolean {
    return this.#world.violations.length > 0;
  }
}
