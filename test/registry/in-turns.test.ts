import fc from 'fast-check';
import { expect, it } from 'vitest';
import { inTurns, sortedInSteps } from '../../functions/registry/in-turns.ts';
import { openFixture } from './fixture.ts';

it('a long list is sorted as by one sort, in many steps', async () => {
  const { registry } = await openFixture();
  let steps = 0;
  const giveWay = async () => {
    steps += 1;
  };
  const counting = { ...registry, giveWay };
  const byRank = (a: { rank: number }, b: { rank: number }) => a.rank - b.rank;
  const long = fc.array(fc.integer({ min: 0, max: 500 }), { size: 'max', maxLength: 20_000 });
  await fc.assert(
    fc.asyncProperty(long, async (ranks) => {
      const items = ranks.map((rank, index) => ({ rank, index }));
      expect(await inTurns(counting, sortedInSteps(items, byRank))).toEqual(items.toSorted(byRank));
    }),
    { numRuns: 10, examples: [[[]], [Array.from({ length: 20_001 }, (_, n) => (n * 7919) % 10_007)]] },
  );
  expect(steps).toBeGreaterThan(1);
});
