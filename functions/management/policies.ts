import * as z from 'zod';
import type { Call } from '../handlers/call.ts';
import { inputInvalid, notFound } from '../oci/errors.ts';
import { deletePolicy, listPolicies, POLICY_NAME, type Policy, putPolicy } from '../registry/policies.ts';
import type { Retention as Retained } from '../registry/retention-policy.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { present } from './input.ts';
import { faultsIn } from './retention-checks.ts';
import { MAX_PATTERNS, oneOf, Retention, TagPatterns } from './retention-schema.ts';
import { requireAdmin } from './rights.ts';
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

const fields = {
  repositories: RepositoryPatterns.describe('Patterns of the repositories that it covers.'),
  exceptRepositories: RepositoryPatterns.optional().describe('Those that it does not cover all the same.'),
  retention: Retention.optional().describe('What is deleted by itself; nothing where absent.'),
  immutable: ImmutableTags.optional(),
  quota: Quota.optional(),
};

const NewPolicy = named(
  'NewPolicy',
  oneOf(fields, ['retention', 'immutable', 'quota']).superRefine(({ retention }, context) => {
    // What came as JSON has no field that is `undefined`, whatever the schema's type says.
    for (const { path, message } of retention ? faultsIn(retention as Retained) : [])
      context.addIssue({ code: 'custom', path: ['retention', ...path], message });
  }),
);
const PolicyOut = named('Policy', z.strictObject({ name: PolicyName, ...fields }));
const PolicyList = named('PolicyList', z.strictObject({ policies: z.array(PolicyOut) }));

/** What came as JSON has no field that is `undefined`, whatever the schema's type says. */
const asOut = (policy: Policy) => policy as unknown as z.infer<typeof PolicyOut>;

export const endpoints = {
  'policy.list': endpoint({
    summary: 'All policies: retention, immutable tags and quotas',
    answer: PolicyList,
    allow: requireAdmin,
    async handle({ registry }) {
      return { policies: (await listPolicies(registry)).map(asOut) };
    },
  }),
  'policy.get': endpoint({
    summary: 'A policy',
    answer: PolicyOut,
    allow: requireAdmin,
    async handle(call) {
      const name = nameIn(call);
      const policies = await listPolicies(call.registry);
      const found = policies.find((policy) => policy.name === name);
      return asOut(present(found, 'policy', name));
    },
  }),
  'policy.set': endpoint({
    summary: 'Make a policy, or change it: what it says from now on, in place of all it said',
    body: NewPolicy,
    answer: PolicyOut,
    problems: { 409: 'All policies together would take more than 64 KiB.' },
    allow: requireAdmin,
    async handle(call, { body }) {
      const name = call.params['policy'] ?? '';
      if (!POLICY_NAME.test(name))
        throw inputInvalid('path', [{ path: 'policy', message: 'cannot be the name of a policy' }]);
      const policy = { name, ...body } as Policy;
      await putPolicy(call.registry, policy);
      return asOut(policy);
    },
  }),
  'policy.delete': endpoint({
    summary: 'Delete a policy; what it covered stays as it is',
    allow: requireAdmin,
    async handle(call) {
      const name = nameIn(call);
      present((await deletePolicy(call.registry, name)) || undefined, 'policy', name);
    },
  }),
} satisfies Record<string, Endpoint>;

/** 404 for what can be the name of none. */
function nameIn({ params }: Call): string {
  const name = params['policy'] ?? '';
  if (!POLICY_NAME.test(name)) throw notFound(`policy: ${name.slice(0, 100)}`);
  return name;
}
