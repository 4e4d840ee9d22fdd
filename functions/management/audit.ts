import * as z from 'zod';
import {
  AUDIT_POSITION,
  type AuditRecord,
  type Deletion,
  isAuditPosition,
  listAudit,
} from '../identity/audit.ts';
import { AUDIT_RETENTION_SECONDS } from '../limits.ts';
import { parseRepositoryName } from '../oci/reference.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { pageRequest } from './input.ts';
import { iso } from './output.ts';
import { authorityOf, requireAdmin } from './rights.ts';
import { Next, named, Principal, pageOf, RepositoryText, Time, Why, whyOut } from './schemas.ts';

const DAY_MS = 24 * 60 * 60_000;

/** Ours: a record may hold 2 KB that a client sent, and an answer of Lambda 6 MB. */
const MAX_RECORDS = 500;

const Operation = z
  .string()
  .regex(
    /^[a-z]{1,30}(?:\.[a-z]{1,30})?$/,
    'must be an operation such as manifest.put, or a kind such as manifest',
  );

const NO_POSITION = 'is not where a page ended';

const Outcome = z.enum(['allowed', 'refused', 'failed']);

const DeletionOut = named(
  'Deletion',
  z.strictObject({
    kind: z.enum(['tag', 'manifest']),
    tag: z.string().optional(),
    digest: z.string(),
    size: z.int().optional().describe('Bytes of the manifest.'),
    ...Why,
    reason: z.string(),
  }),
);

const Entry = named(
  'AuditRecord',
  z.strictObject({
    time: Time,
    principal: Principal.describe(
      'Who it was; `?alice` for whoever claimed to be and was not, `?many names` where that were too many for a record each, ' +
        '`retention:team-a` for what a policy deleted.',
    ),
    operation: z.string().describe('`manifest.put`, `user.create`, `token.issue`'),
    outcome: Outcome,
    status: z.int().describe('Of the answer.'),
    repository: z.string().optional(),
    target: z.string().optional().describe('What it was about: a path, a subject, a scope.'),
    deletion: DeletionOut.optional().describe('Of `retention.delete`: what a policy deleted, and why.'),
    address: z.string().describe('Empty where nobody asked for it: a policy did it.'),
    userAgent: z.string(),
    count: z
      .int()
      .optional()
      .describe('How many refused logins within a minute the record stands for. The default is 1.'),
  }),
);
const AuditList = named('AuditList', z.strictObject({ records: z.array(Entry), next: Next }));

const query = z.strictObject({
  since: Time.optional().describe('The default is a week ago; the trail goes back a year.'),
  until: Time.optional().describe('Not included. The default is now.'),
  principal: z.string().optional(),
  repository: RepositoryText.optional().describe('Whoever is admin of it may ask.'),
  outcome: Outcome.optional(),
  operation: Operation.optional().describe('`manifest.put`, or `manifest` for all of its kind.'),
  without: Operation.optional().describe(
    'Leaves out what was allowed of this operation, such as `token.issue`.',
  ),
  ...pageOf(z.string().regex(AUDIT_POSITION, NO_POSITION).refine(isAuditPosition, NO_POSITION)),
});

export const endpoints = {
  'audit.list': endpoint({
    summary: 'The audit trail, the newest first: changes, logins and refusals',
    query,
    answer: AuditList,
    async handle(call, { query: { since, until, n, last, ...filter } }) {
      const name = filter.repository === undefined ? undefined : parseRepositoryName(filter.repository);
      const isRepositoryAdmin = name !== undefined && (await authorityOf(call)).may('admin', name);
      if (!isRepositoryAdmin) await requireAdmin(call);
      const now = call.registry.now();
      const eldest = now - AUDIT_RETENTION_SECONDS * 1000 - DAY_MS;
      const { records, next } = await listAudit(call.registry, {
        since: Math.max(since === undefined ? now - 7 * DAY_MS : Date.parse(since), eldest),
        until: Math.min(until === undefined ? now + 1 : Date.parse(until), now + DAY_MS),
        ...filter,
        limit: Math.min(pageRequest({ n }).limit, MAX_RECORDS),
        after: last,
      });
      return { records: records.map(recordOut), ...(next !== undefined && { next }) };
    },
  }),
} satisfies { readonly [operation: string]: Endpoint };

const recordOut = ({
  time,
  repository,
  target,
  deletion,
  ...record
}: AuditRecord): z.infer<typeof Entry> => ({
  time: iso(time),
  principal: record.principal,
  operation: record.operation,
  outcome: record.outcome,
  status: record.status,
  ...(repository !== undefined && { repository }),
  ...(target !== undefined && { target }),
  ...(deletion !== undefined && { deletion: deletionOut(deletion) }),
  ...(record.count !== undefined && { count: record.count }),
  address: record.address,
  userAgent: record.userAgent,
});

const deletionOut = ({ ageMs, lastPulledAt, ...deletion }: Deletion): z.infer<typeof DeletionOut> => ({
  ...deletion,
  ...whyOut({ ageMs, lastPulledAt }),
});
