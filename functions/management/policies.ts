import * as z from 'zod';
import type { Call } from '../handlers/call.ts';
import { inputInvalid, notFound } from '../oci/errors.ts';
import { deletePolicy, listPolicies, POLICY_NAME, type Policy, putPolicy } from '../registry/policies.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { present } from './input.ts';
import { requireAdmin } from './rights.ts';
import { GrantPattern, named, PolicyName } from './schemas.ts';

/** Ours; more would be a mistake, or another policy. */
const MAX_PATTERNS = 100;
const MAX_TAG_RULES = 50;
const MAX_DAYS = 36_500;
const MAX_PULLED_DAYS = 365;
const MAX_COUNT = 1_000_000;

const RepositoryPatterns = z
  .array(GrantPattern.describe('A repository name in which `*` stands for any characters.'))
  .min(1)
  .max(MAX_PATTERNS);
const TagPattern = z
  .string()
  .regex(/^[a-zA-Z0-9_*][a-zA-Z0-9._*-]{0,127}$/)
  .describe('A tag in which `*` stands for any characters.');
const TagPatterns = z.array(TagPattern).min(1).max(MAX_PATTERNS);
const Days = z.int().min(1).max(MAX_DAYS);
/** How long pulls are remembered, and a margin. */
const PulledDays = z.int().min(1).max(MAX_PULLED_DAYS);

/** Fields of which at least one must be there: an object without any of them is a mistake. */
function oneOf<S extends z.ZodRawShape>(shape: S, keys: readonly (string & keyof S)[]) {
  const text = `needs at least one of ${keys.join(', ')}`;
  return z
    .strictObject(shape)
    .refine((value) => keys.some((key) => value[key as keyof typeof value] !== undefined), text);
}

const TagRule = oneOf(
  {
    match: TagPatterns,
    keepLast: z
      .int()
      .min(1)
      .max(MAX_COUNT)
      .optional()
      .describe('The last so many of the tags that match, by the time they were put where they are.'),
    keepNewerThanDays: Days.optional().describe('Those put where they are within so many days.'),
    keepPulledWithinDays: PulledDays.optional().describe('Those pulled within so many days.'),
  },
  ['keepLast', 'keepNewerThanDays', 'keepPulledWithinDays'],
).describe('A tag that matches stays while one of these, or another rule that matches, keeps it.');

const Retention = oneOf(
  {
    pins: TagPatterns.optional().describe('Tags that are never deleted by themselves.'),
    tags: z.array(TagRule).min(1).max(MAX_TAG_RULES).optional(),
    untaggedAfterDays: z
      .int()
      .min(0)
      .max(MAX_DAYS)
      .optional()
      .describe('An untagged manifest that belongs to nothing goes after so many days.'),
  },
  ['pins', 'tags', 'untaggedAfterDays'],
);

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
  retention: Retention.optional().describe('What is deleted by itself; nothing where absent.'),
  immutable: ImmutableTags.optional(),
  quota: Quota.optional(),
};

const NewPolicy = named('NewPolicy', oneOf(fields, ['retention', 'immutable', 'quota']));
/** As `NewPolicy`, with its name. */
export const NamedPolicy = named(
  'NamedPolicy',
  oneOf({ name: PolicyName, ...fields }, ['retention', 'immutable', 'quota']),
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
      const name = policyNameIn(call);
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
      const name = policyNameIn(call);
      present((await deletePolicy(call.registry, name)) || undefined, 'policy', name);
    },
  }),
} satisfies Record<string, Endpoint>;

/** 404 for what can be the name of none. */
export function policyNameIn({ params }: Call): string {
  const name = params['policy'] ?? '';
  if (!POLICY_NAME.test(name)) throw notFound(`policy: ${name.slice(0, 100)}`);
  return name;
}
