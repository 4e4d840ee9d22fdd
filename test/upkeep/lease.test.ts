import { expect, it } from 'vitest';
import { DEFAULT_LEASE, leaseFrom } from '../../functions/upkeep/lease.ts';

const HOUR_MS = 60 * 60 * 1000;
const nothing = { epochSeconds: undefined, quarantineSeconds: undefined, unsafe: undefined };

it('is a day, and seven days of quarantine, unless something else is said', () => {
  expect(leaseFrom(nothing)).toEqual(DEFAULT_LEASE);
  expect(leaseFrom({ ...nothing, epochSeconds: '', quarantineSeconds: '' })).toEqual(DEFAULT_LEASE);
  expect(DEFAULT_LEASE).toEqual({ epochMs: 24 * HOUR_MS, quarantineMs: 7 * 24 * HOUR_MS });
});

it('goes down to an hour, and to no quarantine at all', () => {
  const lease = leaseFrom({ ...nothing, epochSeconds: '3600', quarantineSeconds: '0' });
  expect(lease).toEqual({ epochMs: HOUR_MS, quarantineMs: 0 });
});

it.each(['3599', '0', '1h', '-1', '1e9', ' 3600'])('is not taken from %j', (epochSeconds) => {
  expect(() => leaseFrom({ ...nothing, epochSeconds })).toThrow(
    /an epoch is a number of seconds, at least 3600/,
  );
});

it('is shorter for tests only', () => {
  expect(leaseFrom({ ...nothing, epochSeconds: '5', unsafe: '1' })).toMatchObject({ epochMs: 5000 });
  expect(() => leaseFrom({ ...nothing, epochSeconds: '0', unsafe: '1' })).toThrow(/at least 1/);
  expect(() => leaseFrom({ ...nothing, quarantineSeconds: '7d' })).toThrow(/the quarantine/);
});
