import { describe, expect, it } from 'vitest';
import { PLANTED_BUGS } from './planted-bugs.ts';
import type { Plant } from './plants.ts';
import { shrink, storyOf } from './shrink.ts';
import { type Outcome, simulate } from './simulate.ts';
import { planOf } from './tasks.ts';

/** The rarest of them shows within some twenty thousand seeds; CI runs more than thirty thousand. */
const SEEDS = 25_000;

async function firstFailure(make: () => Plant): Promise<Outcome | undefined> {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const plant = make();
    if (plant.concerns?.(planOf(seed)) === false) continue;
    const outcome = await simulate(seed, plant);
    if (outcome.violations.length > 0) return outcome;
  }
  return undefined;
}

describe('the simulation notices that', () => {
  const rare = 'a sweep removes edges whatever was touched meanwhile';
  const { [rare]: __, ...found } = PLANTED_BUGS;

  it.skip(
    `${rare}: not within 25,000 seeds since sweeps take what belonged to a deleted manifest, test/model finds it`,
  );

  it.each(Object.entries(found))('%s', { timeout: 300_000 }, async (_, make) => {
    const failure = await firstFailure(make);
    expect(failure?.violations.length).toBeGreaterThan(0);
    // The code as it is keeps its promises with that seed.
    expect((await simulate(failure?.plan.seed ?? 0)).violations).toEqual([]);
  });
});

const SHORTEST = [
  ['a push commits though a delete has ended it', 5],
  ['a close writes over the first chunk, which another one links', 4],
  ['a chunk is acknowledged before it is synced', 6],
] as const;

it.each(SHORTEST)(
  'tells the shortest story there is of this: %s',
  { timeout: 300_000 },
  async (name, most) => {
    const make = PLANTED_BUGS[name];
    const failure = make && (await firstFailure(make));
    if (!make || !failure) throw new Error('it was not found');
    const small = await shrink(failure, make());
    expect(small.violations[0]?.slice(0, 2)).toBe(failure.violations[0]?.slice(0, 2));
    const tasks = (outcome: Outcome) => outcome.plan.actors.flatMap((actor) => actor.tasks).length;
    expect(tasks(small)).toBeLessThanOrEqual(most);
    expect(small.timeline.length).toBeLessThan(120);
    expect(storyOf(small)).toContain(`SEED=${failure.plan.seed}`);
  },
);
