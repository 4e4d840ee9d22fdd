import { describe, expect, it } from 'vitest';
import { explore } from './explorer.ts';
import { modelOf, type Scenario } from './start.ts';
import { tableOf } from './timeline.ts';

const MINUTES = 60_000;

/** Looks at every order of all steps of each scenario, and tells the shortest way to what is wrong. */
export function isSafe(scenarios: Record<string, Scenario>, states: Record<string, number>): void {
  describe('whatever the order of the steps, and whoever dies at any of them', () => {
    it.each(Object.entries(scenarios))(
      'nothing is lost and nothing left behind: %s',
      (name, scenario) => {
        const outcome = explore(modelOf(scenario));
        expect(outcome.violation && `${outcome.violation}\n${tableOf(outcome.timeline)}`).toBeUndefined();
        // As many as ever: a search that ends early would find nothing, too.
        expect(outcome.states).toBe(states[name]);
      },
      10 * MINUTES,
    );
  });
}
