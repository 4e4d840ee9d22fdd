import { type Choice, type Choices, RandomChoices, SameChoices } from './choices.ts';
import { Client, GivenUp } from './client.ts';
import { named } from './content.ts';
import { checkNothingIsLeft, windUp } from './ending.ts';
import { run } from './errands.ts';
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
  const world = new World(plan.seed, plant);
  const actors = new Map(plan.actors.map(({ name, tasks }) => [name, [...tasks]]));
  const startNext = (name: string) => {
    const task = actors.get(name)?.shift();
    if (!task || world.violations.length > 0) return;
    void perform(world, { actor: name, task, isDead: false }, plan.quarantineMs).then(() => startNext(name));
  };
  const onCrash = ({ actor }: Process) => startNext(actor);
  const check = () => checkInvariants(world);
  const scheduler = new Scheduler(world, choices, { onCrash, check, isTold });
  for (const name of actors.keys()) startNext(name);
  await scheduler.run(MAX_STEPS);
  if (world.violations.length === 0) await end(world, plan, { check, isTold });
  return { plan, steps: world.steps, violations: world.violations, timeline: scheduler.timeline };
}

/** Never fails: what a task runs into is judged here. A process that crashes never comes back. */
async function perform(world: World, process: Process, quarantineMs: number): Promise<void> {
  const client = new Client(world, process);
  try {
    await run(client, process.task, quarantineMs);
  } catch (error) {
    if (error instanceof GivenUp || client.isInjected(error)) return;
    world.violate(
      error instanceof Violation ? error.message : named(`5: ${process.task.is} fails: ${error}`),
    );
  }
}

/** When nothing more happens, what is of no use goes; all by itself, without troubles. */
async function end(
  world: World,
  { quarantineMs }: Plan,
  { check, isTold }: { check: () => void; isTold: boolean },
): Promise<void> {
  const task: Task = { is: 'sweep', repository: 'all' as never, isLater: false, isShort: false };
  const process: Process = { actor: 'in the end', task, isDead: false };
  const scheduler = new Scheduler(world, new SameChoices([]), { onCrash: () => undefined, check, isTold });
  const done = windUp(world, world.registryOf(process), quarantineMs).catch((error) => {
    world.violate(`5: the last sweep fails: ${error}`);
  });
  await scheduler.run(2 * MAX_STEPS);
  if (world.violations.length > 0) return;
  await done;
  checkNothingIsLeft(world);
}
