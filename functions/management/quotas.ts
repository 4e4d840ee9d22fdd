import * as z from 'zod';
import { repositoryOf } from '../handlers/call.ts';
import { listPolicies } from '../registry/policies.ts';
import { type QuotaUse, quotaUse, sharedUse } from '../registry/quotas.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { iso } from './output.ts';
import { mayGovern, requireSomeAdmin } from './policy-rights.ts';
import { permitRepository } from './rights.ts';
import { named, PolicyName, Time } from './schemas.ts';

const QuotaUseOut = named(
  'QuotaUse',
  z.strictObject({
    policy: z.string(),
    scope: z
      .enum(['each', 'together'])
      .describe('Of the repository by itself, or of all that the policy covers.'),
    kind: z.enum(['bytes', 'tags']),
    limit: z.int(),
    used: z.int().optional().describe('At least what there is; absent where nothing was counted yet.'),
    percent: z.number().optional().describe('Of the limit, rounded down.'),
    countedAt: Time.optional().describe('What was deleted since then may still count.'),
  }),
);
const QuotaList = named('QuotaList', z.strictObject({ quotas: z.array(QuotaUseOut) }));

export const endpoints = {
  'repository.quota': endpoint({
    summary: 'How much of its quotas a repository uses, the smallest of each kind',
    query: z.strictObject({
      fresh: z
        .enum(['true', 'false'])
        .optional()
        .describe(
          'Count the repository itself once more, if that was not done within a minute. The default is false.',
        ),
    }),
    answer: QuotaList,
    allow: (call) => permitRepository(call, 'admin'),
    async handle(call, { query: { fresh } }) {
      const uses = await quotaUse(call.registry, repositoryOf(call), { fresh: fresh === 'true' });
      return { quotas: uses.map(useOut) };
    },
  }),
  'quota.list': endpoint({
    summary: 'How much is used of the quotas that the repositories of a policy have together',
    query: z.strictObject({ policy: PolicyName.optional() }),
    answer: QuotaList,
    allow: requireSomeAdmin,
    async handle(call, { query }) {
      const authority = await requireSomeAdmin(call);
      const policies = (await listPolicies(call.registry)).filter(
        (policy) =>
          policy.quota?.together &&
          (query.policy === undefined || policy.name === query.policy) &&
          mayGovern(authority, policy),
      );
      const uses = await Promise.all(policies.map((policy) => sharedUse(call.registry, policy)));
      return { quotas: uses.flat().map(useOut) };
    },
  }),
} satisfies Record<string, Endpoint>;

const useOut = ({ countedAt, ...use }: QuotaUse): z.infer<typeof QuotaUseOut> => ({
  ...use,
  ...(use.used !== undefined && {
    percent: use.limit === 0 ? 100 : Math.floor((100 * use.used) / use.limit),
  }),
  ...(countedAt !== undefined && { countedAt: iso(countedAt) }),
});
