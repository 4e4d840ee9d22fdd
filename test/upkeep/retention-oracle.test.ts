import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Life, lives } from './retention-life.ts';
import { live, storyOf } from './retention-lived.ts';

const RUNS = Number(process.env['RETENTION_RUNS'] ?? 3000);
/** RETENTION_SEED=7 begins elsewhere. */
const SEED = Number(process.env['RETENTION_SEED'] ?? 1);

it('keeps and deletes of repositories that live what a plain reading of the page does, and a dry run says so', {
  timeout: 3_600_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(lives, async (life) => {
      const difference = await live(life);
      expect(difference && { ...difference, story: storyOf(life) }).toBeUndefined();
    }),
    { numRuns: RUNS, seed: SEED, reporter: tell },
  );
});

/** The worlds themselves are pages long. */
function tell({ failed, seed, errorInstance }: fc.RunDetails<[Life]>): void {
  if (failed)
    throw new Error(`seed ${seed}: ${(errorInstance as Error | undefined)?.message}`, {
      cause: errorInstance,
    });
}
