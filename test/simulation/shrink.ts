import type { Choice } from './choices.ts';
import { named } from './content.ts';
import type { Plant } from './plants.ts';
import { type Outcome, replay } from './simulate.ts';
import { type Plan, taskText } from './tasks.ts';

const TAME: Choice = { who: 0, what: 'done' };

interface Case {
  readonly plan: Plan;
  readonly choices: readonly Choice[];
}

/** A smaller run that breaks the same promise: with fewer tasks, fewer changes of who goes on, and less trouble. */
export async function shrink(failed: Outcome, plant: Plant = {}): Promise<Outcome> {
  const broken = failed.violations[0]?.slice(0, 2);
  let best: Case = failed;
  const isBroken = async (smaller: Case) => {
    const { violations } = await replay(smaller.plan, smaller.choices, { plant });
    return violations.some((text) => text.slice(0, 2) === broken);
  };
  for (let isSmaller = true; isSmaller; ) {
    isSmaller = false;
    for await (const smaller of smallerThan(() => best)) {
      if (!(await isBroken(smaller))) continue;
      best = smaller;
      isSmaller = true;
    }
  }
  return replay(best.plan, best.choices, { plant, isTold: true });
}

const SIMPLE: readonly Partial<Plan>[] = [{ drainSkewMs: 0 }, { policy: undefined }, { isDirect: false }];

function* simplerThan(best: () => Case): Generator<Case> {
  for (const simple of SIMPLE) {
    const { plan, choices } = best();
    const simpler = { ...plan, ...simple };
    if (JSON.stringify(simpler) !== JSON.stringify(plan)) yield { plan: simpler, choices };
  }
}

/** Each is made from what is the smallest when it is asked for. */
function* smallerThan(best: () => Case): Generator<Case> {
  for (let size = best().choices.length; size >= 1; size = Math.floor(size / 2)) {
    for (let start = 0; start < best().choices.length; start += size) {
      const { plan, choices } = best();
      const part = choices.slice(start, start + size);
      if (part.every((choice) => choice.who === 0 && choice.what === 'done')) continue;
      yield {
        plan,
        choices: choices.map((choice, at) => (at >= start && at < start + size ? TAME : choice)),
      };
    }
  }
  yield* simplerThan(best);
  for (let at = best().plan.before.length - 1; at >= 0; at -= 1) {
    const { plan, choices } = best();
    yield { plan: { ...plan, before: plan.before.toSpliced(at, 1) }, choices };
  }
  for (const [index, { tasks }] of best().plan.actors.entries()) {
    for (let at = tasks.length - 1; at >= 0; at -= 1) {
      const { plan, choices } = best();
      const actors = plan.actors.map((actor, other) =>
        other === index ? { ...actor, tasks: actor.tasks.toSpliced(at, 1) } : actor,
      );
      yield { plan: { ...plan, actors }, choices };
    }
  }
}

/** The first digits are enough to tell them apart. */
const UUID = /([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** What somebody needs who is to mend it: who did what, step by step, and how to see it again. */
export function storyOf({ plan, violations, timeline }: Outcome): string {
  const tasks = [{ name: 'before', tasks: plan.before }, ...plan.actors].flatMap(({ name, tasks: all }) =>
    all.map((task) => named(`${name}: ${taskText(task)}`)),
  );
  const { kind, policy, isDirect, drainSkewMs } = plan;
  const about = JSON.stringify({ kind, policy, isDirect, drainSkewMs });
  const again = `again: SEED=${plan.seed} npx vitest run test/simulation`;
  const steps = timeline.map((line) => line.replaceAll(UUID, '$1'));
  return [...violations, '', about, ...tasks, '', ...steps, '', again].join('\n');
}
