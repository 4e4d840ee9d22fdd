import * as z from 'zod';
import { type DownloadLimit, usedOf } from '../registry/download-limits.ts';
import { listPolicies, type Policy } from '../registry/policies.ts';
import type { Registry } from '../registry/registry.ts';
import { monthOf, trafficIn } from '../registry/traffic.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { requireAdmin } from './rights.ts';
import { named } from './schemas.ts';

const amounts = { downloads: z.int().describe('Of blobs.'), bytes: z.int() };

const Traffic = named(
  'Traffic',
  z.strictObject({
    month: z.string().describe('`2026-11`, in UTC.'),
    repositories: z.array(z.strictObject({ repository: z.string(), ...amounts })),
    principals: z.array(z.strictObject({ principal: z.string(), ...amounts })),
    limits: z
      .array(
        z.strictObject({
          policy: z.string(),
          of: z.enum(['anonymous', 'all']),
          limit: z.int().describe('Bytes a day.'),
          used: z.int().describe('Today, with what processes have taken in advance.'),
          percent: z.number().describe('Of the limit, rounded down.'),
        }),
      )
      .describe('Those of policies that many have together.'),
  }),
);

export const endpoints = {
  'traffic.get': endpoint({
    summary:
      'What was downloaded in a month, by repository and by principal, and what of limits is taken today',
    query: z.strictObject({
      month: z
        .string()
        .regex(/^\d{4}-(0[1-9]|1[0-2])$/)
        .optional()
        .describe('`2026-11`; the default is that of now. Kept for a year.'),
    }),
    answer: Traffic,
    allow: requireAdmin,
    async handle({ registry }, { query }) {
      await registry.downloads?.flush(registry);
      const month = query.month ?? monthOf(registry.now());
      const { repositories, principals } = await trafficIn(registry, month);
      const policies = await listPolicies(registry);
      return {
        month,
        repositories: repositories.map(({ name: repository, ...amount }) => ({ repository, ...amount })),
        principals: principals.map(({ name: principal, ...amount }) => ({ principal, ...amount })),
        limits: await Promise.all(policies.flatMap(sharedLimits).map((limit) => takenOf(registry, limit))),
      };
    },
  }),
} satisfies Record<string, Endpoint>;

type Shared = DownloadLimit & { readonly of: 'anonymous' | 'all' };

const sharedLimits = ({ name: policy, downloads = {} }: Policy): Shared[] =>
  (['anonymous', 'all'] as const).flatMap((of) => {
    const limit = downloads[of];
    return limit === undefined ? [] : [{ policy, of, limit }];
  });

async function takenOf(registry: Registry, limit: Shared) {
  const used = await usedOf(registry, limit);
  return { ...limit, used, percent: limit.limit === 0 ? 100 : Math.floor((100 * used) / limit.limit) };
}
