import * as z from 'zod';
import { listPolicies } from '../registry/policies.ts';
import { confirmPolicy, listWaiting, type Waiting } from '../registry/policy-confirmations.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { present } from './input.ts';
import { iso } from './output.ts';
import { policyNameIn } from './policies.ts';
import { requirePolicy, requireSomeAdmin } from './policy-rights.ts';
import { named, PolicyName, Time } from './schemas.ts';

/** Ours: as many as people look at. */
const MAX_WAITING = 1000;

const WaitingOut = named(
  'Waiting',
  z.strictObject({
    policy: z.string(),
    repository: z.string(),
    since: Time,
    until: Time.describe('It acts by itself with the first sweep from about then on.'),
    tags: z.int().describe('That would go.'),
    ofTags: z.int(),
    images: z.int().describe('Manifests that would go, without those that belong to others.'),
    ofImages: z.int(),
  }),
);
const WaitingList = named('WaitingList', z.strictObject({ waiting: z.array(WaitingOut) }));

export const endpoints = {
  'policy.confirm': endpoint({
    summary: 'Let a policy act as it is now, however much it deletes; void once it changes',
    allow: requireSomeAdmin,
    async handle(call) {
      const name = policyNameIn(call);
      const policies = await listPolicies(call.registry);
      const policy = present(
        policies.find((one) => one.name === name),
        'policy',
        name,
      );
      await requirePolicy(call, policy);
      await confirmPolicy(call.registry, name, policy);
    },
  }),
  'policy.waiting': endpoint({
    summary: `Where a changed policy would delete so much that it waits to be confirmed; the first ${MAX_WAITING}`,
    query: z.strictObject({ policy: PolicyName.optional() }),
    answer: WaitingList,
    allow: requireSomeAdmin,
    async handle(call, { query: { policy } }) {
      const authority = await requireSomeAdmin(call);
      const waiting = await listWaiting(call.registry, policy, MAX_WAITING);
      return {
        waiting: waiting.filter(({ repository }) => authority.may('admin', repository)).map(waitingOut),
      };
    },
  }),
} satisfies Record<string, Endpoint>;

const waitingOut = ({ since, until, ...waiting }: Waiting): z.infer<typeof WaitingOut> => ({
  policy: waiting.policy,
  repository: waiting.repository,
  since: iso(since),
  until: iso(until),
  tags: waiting.tags,
  ofTags: waiting.ofTags,
  images: waiting.images,
  ofImages: waiting.ofImages,
});
