import fc from 'fast-check';
import { expect, it } from 'vitest';
import { lives } from './retention-life.ts';
import { live, storyOf } from './retention-lived.ts';

it('some repositories keep of what they hold what the page says; many are let live by retention-oracle.test.ts', async () => {
  for (const life of fc.sample(lives, { numRuns: 40 })) {
    const difference = await live(life);
    expect(difference && { ...difference, story: storyOf(life) }).toBeUndefined();
  }
});
