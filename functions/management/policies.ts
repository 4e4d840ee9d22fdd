import * as z from 'zod';
import type { Call } from '../handlers/call.ts';
import { inputInvalid, notFound } from '../oci/errors.ts';
import {
  deletePolicy,
  listPolicies,
  POLICY_NAME,
  type Policy,
  putPolicy,
  TEAM_FIELDS,
} from '../registry/policies.ts';
import type { Retention as Retained } from '../registry/retention-policy.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { present } from './input.ts';
import { mayGovern, requirePolicy, requireSomeAdmin } from './policy-rights.ts';
import { faultsIn } from './retention-checks.ts';
import { MAX_PATTERNS, oneOf, Retention, TagPatterns } from './retention-schema.ts';
import { authorityOf } from './rights.ts';
import { GrantPattern, named, PolicyName } from './schemas.ts';

const RepositoryPatterns = z
  .array(GrantPattern.describe('A repository name in which `*` stands for any characters.'))
  .min(1)
  .max(MAX_PATTERNS);

const ImmutableTags = z
  .strictObject({ tags: TagPatterns, except: TagPatterns.optional() })
  .describe('Tags that stay on the manifest they were first put on, and are not deleted by clients.');

const QuotaLimits = oneOf(
  {
    bytes: z.int().min(0).optional().describe('Of the blobs of a repository, each counted once in it.'),
    tags: z.int().min(0).optional(),
  },
  ['bytes', 'tags'],
);
const Quota = oneOf(
  {
    each: QuotaLimits.optional().describe('Of each repository by itself.'),
    together: QuotaLimits.optional().describe('Of all repositories of the policy together.'),
  },
  ['each', 'together'],
);

const DayBytes = z.int().min(0).optional();
const DownloadLimits = oneOf(
  {
    anonymous: DayBytes.describe('By whoever has no login, all of them together.'),
    principal: DayBytes.describe('By each user, robot or job by itself.'),
    all: DayBytes.describe('By everybody together.'),
  },
  ['anonymous', 'principal', 'all'],
).describe(
  'Bytes of blobs that may be downloaded in a day (UTC) from all repositories of the policy together; then `GET` of a blob is ' +
    '429 with `Retry-After`.',
);

const fields = {
  repositories: RepositoryPatterns.describe('Patterns of the repositories that it covers.'),
  exceptRepositories: RepositoryPatterns.optional().describe('Those that it does not cover all the same.'),
  retention: Retention.optional().describe('What is deleted by itself; nothing where absent.'),
  immutable: ImmutableTags.optional(),
  quota: Quota.optional(),
  downloads: DownloadLimits.optional(),
  sparseIndexes: z
    .literal(true)
    .optional()
    .describe('An index may be pushed of which platforms are missing; they may come later, or never.'),
  teams: z
    .array(z.enum(TEAM_FIELDS))
    .optional()
    .describe(
      'All that policies may say of these repositories which admins of less than the registry set; only admins of the registry ' +
        'say so. The default is everything.',
    ),
};

const SAYING = ['retention', 'immutable', 'quota', 'downloads', 'sparseIndexes', 'teams'] as const;

/** What contradicts itself, or deletes everything, is told with its place. */
const checked = <S extends z.ZodType<{ readonly retention?: unknown }>>(policy: S) =>
  policy.superRefine(({ retention }, context) => {
    // What came as JSON has no field that is `undefined`, whatever the schema's type says.
    for (const { path, message } of retention ? faultsIn(retention as Retained) : [])
      context.addIssue({ code: 'custom', path: ['retention', ...path], message });
  });

const NewPolicy = named('NewPolicy', checked(oneOf(fields, SAYING)));
/** As `NewPolicy`, with its name. */
export const NamedPolicy = named('NamedPolicy', checked(oneOf({ name: PolicyName, ...fields }, SAYING)));
const PolicyOut = named(
  'Policy',
  z.strictObject({
    name: PolicyName,
    isTeams: z.boolean().optional().describe('Set by admins of less than the registry.'),
    ...fields,
  }),
);
const PolicyList = named('PolicyList', z.strictObject({ policies: z.array(PolicyOut) }));

const AtOnce = z.strictObject({
  atOnce: z
    .enum(['true', 'false'])
    .optional()
    .describe(
      'Whether what holds then acts however much it deletes. The default is false: more than a hundred tags or images of a ' +
        'repository, or more than a tenth, wait for `POST /policies/<policy>/confirm`, for a day at most.',
    ),
});

/** What came as JSON has no field that is `undefined`, whatever the schema's type says. */
const asOut = ({ retainsSince: _, ...policy }: Policy) => policy as unknown as z.infer<typeof PolicyOut>;

const policyOf = async (registry: Call['registry'], name: string) =>
  (await listPolicies(registry)).find((policy) => policy.name === name);

export const endpoints = {
  'policy.list': endpoint({
    summary: 'All policies: retention, immutable tags, quotas, limits of downloads and sparse indexes',
    answer: PolicyList,
    allow: requireSomeAdmin,
    async handle(call) {
      const authority = await authorityOf(call);
      const policies = await listPolicies(call.registry);
      return { policies: policies.filter((policy) => mayGovern(authority, policy)).map(asOut) };
    },
  }),
  'policy.get': endpoint({
    summary: 'A policy',
    answer: PolicyOut,
    allow: requireSomeAdmin,
    async handle(call) {
      const name = policyNameIn(call);
      const authority = await authorityOf(call);
      const found = await policyOf(call.registry, name);
      return asOut(present(found && mayGovern(authority, found) ? found : undefined, 'policy', name));
    },
  }),
  'policy.set': endpoint({
    summary: 'Make a policy, or change it: what it says from now on, in place of all it said',
    query: AtOnce,
    body: NewPolicy,
    answer: PolicyOut,
    problems: {
      409: 'All policies together would take more than 64 KiB, or those of teams more than 16 KiB.',
    },
    allow: requireSomeAdmin,
    async handle(call, { query: { atOnce }, body }) {
      const name = call.params['policy'] ?? '';
      if (!POLICY_NAME.test(name))
        throw inputInvalid('path', [{ path: 'policy', message: 'cannot be the name of a policy' }]);
      const isTeams = !(await authorityOf(call)).administers('*');
      const policy = { name, ...(isTeams && { isTeams }), ...body } as unknown as Policy;
      await requirePolicy(call, { ...policy, isTeams: true });
      const permit = async (before: Policy | undefined) => before && requirePolicy(call, before);
      await permit(await policyOf(call.registry, name));
      await putPolicy(call.registry, policy, { permit, confirms: atOnce === 'true' });
      return asOut(policy);
    },
  }),
  'policy.delete': endpoint({
    summary: 'Delete a policy; what it covered stays as it is',
    query: AtOnce,
    allow: requireSomeAdmin,
    async handle(call, { query: { atOnce } }) {
      const name = policyNameIn(call);
      const permit = async (before: Policy | undefined) => before && requirePolicy(call, before);
      const isThere = await deletePolicy(call.registry, name, { permit, confirms: atOnce === 'true' });
      present(isThere || undefined, 'policy', name);
    },
  }),
} satisfies Record<string, Endpoint>;

/** 404 for what can be the name of none. */
export function policyNameIn({ params }: Call): string {
  const name = params['policy'] ?? '';
  if (!POLICY_NAME.test(name)) throw notFound(`policy: ${name.slice(0, 100)}`);
  return name;
}
