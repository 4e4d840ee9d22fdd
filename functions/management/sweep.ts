import * as z from 'zod';
import { repositoryOf } from '../handlers/call.ts';
import { recordDeletion } from '../identity/retention-audit.ts';
import type { Finding } from '../upkeep/finding.ts';
import { sweepRepository } from '../upkeep/sweep.ts';
import { upkeepText } from '../upkeep/upkeep-text.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { permitRepository } from './rights.ts';
import { FindingOut, findingOut, named } from './schemas.ts';

/** What one call does at most, well inside Lambda's 29 s; whoever asks again goes on. */
const SWEEP_MS = 10_000;

/** A dry run keeps nothing to go on from. */
const DRY_RUN_MS = 20_000;

/** Findings of one answer, which stays below a megabyte; a sweep does not stop for them. */
const MAX_FINDINGS = 2000;

const Sweep = named(
  'Sweep',
  z.strictObject({
    remaining: z
      .boolean()
      .describe('Whether time ran out: send the request again, and it goes on. A dry run ends there.'),
    findings: z.array(FindingOut).describe(`The first ${MAX_FINDINGS}.`),
    deleted: z.record(z.string(), z.int()).describe('How many of each kind went, or would go.'),
    notes: z
      .array(z.string())
      .describe('For people: what a policy waits for, and where a quota is nearly full.'),
    bytes: z.int().describe('Bytes of the blobs among them, which other repositories may still hold.'),
  }),
);

export const endpoints = {
  'sweep.run': endpoint({
    summary: 'Delete what nothing in a repository uses any more, or tell what would go',
    body: z.strictObject({ dryRun: z.boolean().optional().describe('Only tell. Default: false.') }),
    answer: Sweep,
    allow: (call) => permitRepository(call, 'admin'),
    async handle(call, { body: { dryRun = false } }) {
      const findings: Finding[] = [];
      const deleted: Record<string, number> = {};
      const notes: string[] = [];
      let bytes = 0;
      if (dryRun) call.about('dry run');
      const outcome = await sweepRepository(call.registry, repositoryOf(call), {
        ...call.lease,
        until: call.registry.now() + (dryRun ? DRY_RUN_MS : SWEEP_MS),
        dryRun,
        record: (repository, finding) => recordDeletion(call.registry, repository, finding),
        report(finding) {
          if (findings.length < MAX_FINDINGS) findings.push(finding);
          if (finding.action === 'keep') return;
          deleted[finding.kind] = (deleted[finding.kind] ?? 0) + 1;
          bytes += finding.size ?? 0;
        },
        tell: (line) => line.is !== 'deleted' && notes.push(upkeepText(line)),
      });
      return {
        remaining: outcome === 'remaining',
        findings: findings.map(findingOut),
        deleted,
        notes,
        bytes,
      };
    },
  }),
} satisfies Record<string, Endpoint>;
