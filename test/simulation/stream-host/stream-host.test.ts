import { describe, expect, it } from 'vitest';
import type { Operation } from '../../../functions/storage/table.ts';
import type { Alter } from './parts.ts';
import { simulate } from './simulate.ts';

// A stream host that sleeps: no upload that was let in finds it gone before its lease ends, and nothing runs, and is paid for, 45
// minutes after the last that happened. SEED=7 runs that one alone.

const { SEED } = process.env;
const SEEDS = SEED ? [Number(SEED)] : Array.from({ length: 400 }, (_, at) => at + 1);

it('keeps its lease, and is not left running, whatever crashes at any write', {
  timeout: 120_000,
}, async () => {
  let [admitted, boots, crashes] = [0, 0, 0];
  for (const seed of SEEDS) {
    const outcome = await simulate(seed);
    expect({ seed, violations: outcome.violations }).toEqual({ seed, violations: [] });
    admitted += outcome.admitted;
    boots += outcome.boots;
    crashes += outcome.crashes;
  }
  if (SEED) return;
  // Else nothing was tried.
  expect(admitted).toBeGreaterThan(SEEDS.length);
  expect(boots).toBeGreaterThan(SEEDS.length);
  expect(crashes).toBeGreaterThan(SEEDS.length);
});

const setsOf = (operation: Operation) => ('update' in operation ? (operation.set ?? {}) : {});

/** Without the conditions on an attribute. */
const heedless = (operation: Operation, attribute: string): Operation => ({
  ...operation,
  when: (operation.when ?? []).filter((one) => !('attribute' in one && one.attribute === attribute)),
});

const PLANTED: Readonly<Record<string, Alter>> = {
  'the host goes when it is idle, whatever its lease says': (process, operation) =>
    process.name === 'host' && setsOf(operation)['state'] === 'stopping'
      ? heedless(operation, 'until')
      : operation,
  'the gate lets in without a lease': (process, operation) => {
    if (process.name !== 'gate' || !('update' in operation) || !('until' in setsOf(operation)))
      return operation;
    const { until: _, ...set } = setsOf(operation);
    return { ...operation, set: { ...set, told: true } };
  },
  'nobody stops what hangs': (process, operation) =>
    process.name === 'job' && setsOf(operation)['state'] === 'stopping'
      ? { ...operation, when: [{ is: 'equals', attribute: 'state', value: 'never' }] }
      : operation,
};

describe('the simulation notices that', () => {
  it.each(Object.entries(PLANTED))('%s', { timeout: 120_000 }, async (_, alter) => {
    for (let seed = 1; seed <= 400; seed += 1) {
      const { violations } = await simulate(seed, alter);
      if (violations.length > 0) return;
    }
    expect.unreachable('nothing was noticed');
  });
});
