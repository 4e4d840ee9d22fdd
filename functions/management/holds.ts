import * as z from 'zod';
import { type Call, repositoryOf } from '../handlers/call.ts';
import { parseDigest } from '../oci/digest.ts';
import { inputInvalid, notFound } from '../oci/errors.ts';
import {
  endHoldOn,
  holdManifest,
  isInForce,
  listRetentionHolds,
  type RetentionHold,
} from '../registry/retention-holds.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { iso } from './output.ts';
import { permitRepository } from './rights.ts';
import { FutureTime, named, Principal, Time } from './schemas.ts';

/** Ours: a sentence for whoever finds the hold in five years. */
const MAX_REASON = 500;

const Hold = named(
  'RetentionHold',
  z.strictObject({
    digest: z.string(),
    reason: z.string(),
    by: Principal.optional(),
    at: Time,
    until: Time.optional().describe('Absent where somebody has to end it.'),
    inForce: z.boolean().describe('False where its end has passed.'),
  }),
);
const HoldList = named('RetentionHoldList', z.strictObject({ holds: z.array(Hold) }));
const NewHold = named(
  'NewRetentionHold',
  z.strictObject({
    reason: z.string().trim().min(1).max(MAX_REASON).describe('Why it must not go, for people.'),
    until: FutureTime.optional().describe('The default is until somebody ends it.'),
  }),
);

const admin = (call: Call) => permitRepository(call, 'admin');

export const endpoints = {
  'hold.list': endpoint({
    summary: 'What retention must not delete of a repository, why, and until when',
    answer: HoldList,
    allow: admin,
    async handle(call) {
      const holds = await listRetentionHolds(call.registry, repositoryOf(call));
      return { holds: holds.map((hold) => holdOut(hold, call.registry.now())) };
    },
  }),
  'hold.set': endpoint({
    summary: 'Hold a manifest, what belongs to it, and the tags on it from retention, or change the hold',
    body: NewHold,
    problems: { 404: 'There is no such manifest.' },
    allow: admin,
    async handle(call, { body: { reason, until } }) {
      const end = until === undefined ? {} : { until: Date.parse(until) };
      if (end.until !== undefined && end.until <= call.registry.now())
        throw inputInvalid('body', [{ path: 'until', message: 'must lie in the future' }]);
      await holdManifest(call.registry, repositoryOf(call), { digest: digestOf(call), reason, ...end });
    },
  }),
  'hold.end': endpoint({
    summary: 'End a hold: retention may delete the manifest again',
    allow: admin,
    async handle(call) {
      const digest = digestOf(call);
      if (!(await endHoldOn(call.registry, repositoryOf(call), digest))) throw notFound(`hold: ${digest}`);
    },
  }),
} satisfies Record<string, Endpoint>;

function digestOf({ params }: Call) {
  const text = params['digest'] ?? '';
  const digest = parseDigest(text);
  if (!digest) throw inputInvalid('path', [{ path: 'digest', message: 'is no digest' }]);
  return digest;
}

function holdOut({ at, until, ...hold }: RetentionHold, now: number): z.infer<typeof Hold> {
  return {
    ...hold,
    at: iso(at),
    ...(until !== undefined && { until: iso(until) }),
    inForce: isInForce({ ...(until !== undefined && { until }) }, now),
  };
}
