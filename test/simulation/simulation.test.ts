import { describe, expect, it } from 'vitest';
import { simulate } from './simulate.ts';

describe('whatever happens at once', () => {
  it('keeps every promise', async () => {
    for (let seed = 1; seed <= 200; seed += 1) {
      expect((await simulate(seed)).violations).toEqual([]);
    }
  });
});
