import * as z from 'zod';
import { repositoryOf } from '../handlers/call.ts';
import type { Finding } from '../upkeep/finding.ts';
import { planOf } from '../upkeep/retention.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { pageRequest } from './input.ts';
import { permitRepository } from './rights.ts';
import { FindingOut, Next, named, pageOf } from './schemas.ts';

/** Findings of one answer: some 400 KB. */
const MAX_FINDINGS = 1000;

const RetentionPlan = named(
  'RetentionPlan',
  z.strictObject({
    findings: z
      .array(FindingOut)
      .describe('First tags, then manifests; each kept or deleted, with its reason.'),
    next: Next,
  }),
);

export const endpoints = {
  'retention.plan': endpoint({
    summary: 'What the policies would keep and delete of a repository at this moment; nothing is deleted',
    query: z.strictObject(pageOf(z.string().regex(/^\d{1,9}$/, 'is not where a page ended'), MAX_FINDINGS)),
    answer: RetentionPlan,
    allow: (call) => permitRepository(call, 'admin'),
    async handle(call, { query }) {
      const findings = await planOf(call.registry, repositoryOf(call), call.lease);
      const start = Number(query.last ?? 0);
      const { limit } = pageRequest(query);
      const page: readonly Finding[] = findings.slice(start, start + limit);
      const isCut = start + page.length < findings.length && page.length > 0;
      return { findings: [...page], ...(isCut && { next: `${start + page.length}` }) };
    },
  }),
} satisfies Record<string, Endpoint>;
