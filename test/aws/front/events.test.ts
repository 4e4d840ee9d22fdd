import { afterAll, expect, it, onTestFinished, vi } from 'vitest';
import { MAX_INLINE_BYTES } from '../../../functions/limits.ts';
import { resourcesOf, synthesize } from '../../stack/synthesize.ts';
import type { ObjectCreated } from '../s3/server.ts';
import { matches, type Pattern, S3Events, UPLOAD_EVENTS } from './events.ts';
import { Faults } from './faults.ts';

const CREATED: ObjectCreated = {
  reason: 'PutObject',
  key: 'blobs/1',
  size: MAX_INLINE_BYTES + 1,
  eTag: 'e',
  sequencer: '01',
};

vi.spyOn(process.stderr, 'write').mockReturnValue(true);
afterAll(() => vi.restoreAllMocks());

function openEvents(handler: (event: unknown) => Promise<unknown>, faults = new Faults()): S3Events {
  const events = new S3Events({ bucket: 'stowage', region: 'us-east-1', faults, delayMs: 1, handler });
  onTestFinished(() => events.close());
  return events;
}

it('hands the function what the rule of the stack would hand it', () => {
  const rules = [...resourcesOf(synthesize(), 'AWS::Events::Rule').values()];
  const rule = rules.find(({ Properties }) => Properties.EventPattern !== undefined);
  const { detail, ...pattern } = rule?.Properties.EventPattern ?? {};
  const { bucket, ...details } = detail ?? {};
  expect(bucket).toBeDefined();
  const account = JSON.stringify({ Ref: 'AWS::AccountId' });
  const found = JSON.parse(
    JSON.stringify({ ...pattern, detail: details }).replace(account, '"123456789012"'),
  );
  expect(found).toEqual(UPLOAD_EVENTS);
});

it('tells of large blobs that came in one PUT, in the form of an event of EventBridge, and of nothing else', async () => {
  const told: unknown[] = [];
  const events = openEvents(async (event) => told.push(event));
  events.tell({ ...CREATED, size: MAX_INLINE_BYTES });
  events.tell({ ...CREATED, key: 'keys/ring' });
  events.tell({ ...CREATED, reason: 'CompleteMultipartUpload' });
  events.tell(CREATED);
  await vi.waitFor(() => expect(told).toHaveLength(1));
  expect(told).toMatchObject([
    {
      'detail-type': 'Object Created',
      source: 'aws.s3',
      detail: {
        bucket: { name: 'stowage' },
        object: { key: 'blobs/1', size: MAX_INLINE_BYTES + 1, etag: 'e', sequencer: '01' },
        reason: 'PutObject',
      },
    },
  ]);
});

it.each([5.0e9, 5.0e9 + 1, 5.37e9])(
  'tells of a blob of %d bytes, a number that EventBridge may not compare',
  async (size) => {
    const told: unknown[] = [];
    const events = openEvents(async (event) => told.push(event));
    events.tell({ ...CREATED, size, requester: 'cloudfront.amazonaws.com' });
    await vi.waitFor(() => expect(told).toHaveLength(1));
  },
);

it('tries again where the function fails', async () => {
  const handler = vi.fn(async () => undefined).mockRejectedValueOnce(new Error('throttled'));
  openEvents(handler).tell(CREATED);
  await vi.waitFor(() => expect(handler).toHaveBeenCalledTimes(2), { timeout: 5000 });
});

it('loses or delays events where it is told to', async () => {
  const faults = new Faults();
  const handler = vi.fn(async () => undefined);
  const events = openEvents(handler, faults);
  faults.set({ 'events-lost': true });
  events.tell(CREATED);
  faults.set({ 'events-lost': false, 'events-delayed': 200 });
  const started = performance.now();
  events.tell(CREATED);
  await vi.waitFor(() => expect(handler).toHaveBeenCalledTimes(1), { timeout: 5000 });
  expect(performance.now() - started).toBeGreaterThan(150);
});

it('reads patterns as EventBridge does: every field named, any of its values', () => {
  const pattern: Pattern = { a: ['x', { prefix: 'y' }], b: { c: [{ numeric: ['>', 3] }] } };
  expect(matches(pattern, { a: 'x', b: { c: 4 }, d: 1 })).toBe(true);
  expect(matches(pattern, { a: 'yes', b: { c: 4 } })).toBe(true);
  expect(matches(pattern, { a: 'z', b: { c: 4 } })).toBe(false);
  expect(matches(pattern, { a: 'x', b: { c: 3 } })).toBe(false);
  expect(matches(pattern, { a: 'x' })).toBe(false);
});
