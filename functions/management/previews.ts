import * as z from 'zod';
import type { Call } from '../handlers/call.ts';
import { repositoryOf } from '../handlers/call.ts';
import { inputInvalid, nameUnknown, notFound } from '../oci/errors.ts';
import { parseRepositoryName, type RepositoryName } from '../oci/reference.ts';
import { listPolicies, type Policy } from '../registry/policies.ts';
import { findRepository } from '../registry/repositories.ts';
import {
  beginPreview,
  type PreviewPage,
  type PreviewRequest,
  previewRequest,
  readPreview,
} from '../upkeep/preview.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { NamedPolicy } from './policies.ts';
import { mayGovern, requirePolicy, requireSomeAdmin } from './policy-rights.ts';
import { authorityOf, permitRepository } from './rights.ts';
import { FindingOut, findingOut, Next, named, RepositoryText } from './schemas.ts';

const MAX_POLICIES = 50;

const NewPreview = named(
  'NewPreview',
  z.strictObject({
    policies: z
      .array(NamedPolicy)
      .min(1)
      .max(MAX_POLICIES)
      .describe('As they would be set, beside all that are there or in their place.'),
    repository: RepositoryText.optional().describe('Only this one. The default is all that they cover.'),
    all: z.boolean().optional().describe('Also tell what stays. The default is false.'),
  }),
);
const Preview = named('Preview', z.strictObject({ id: z.string() }));

const Counts = z
  .strictObject({
    repositories: z.int().describe('That were looked at to their end.'),
    tags: z.int().describe('That would go.'),
    manifests: z.int().describe('That would go.'),
    bytes: z
      .int()
      .describe(
        'Of the images that would go; layers that several have count with each, so no more than this is freed.',
      ),
    kept: z.int().describe('Tags and manifests that stay; 0 where these are not told.'),
  })
  .describe('With the pages before.');

const Found = named('PreviewFinding', z.strictObject({ repository: z.string(), ...FindingOut.shape }));
const PreviewPageOut = named(
  'PreviewPage',
  z.strictObject({
    findings: z.array(Found),
    counts: Counts,
    at: z.string().optional().describe('The repository that it has come to.'),
    next: Next,
  }),
);
const RetentionPlan = named(
  'RetentionPlan',
  z.strictObject({
    findings: z
      .array(FindingOut)
      .describe(
        'First tags, then manifests; each kept or deleted, with its reason. What belongs to a manifest is told as kept with its ' +
          '`owner`, and once more where that goes.',
      ),
    counts: Counts,
    next: Next,
  }),
);

/** A page takes some seconds, and may have no findings and still have a next one. */
const page = z
  .string()
  .regex(/^\d{1,6}$/)
  .optional()
  .describe(
    'The `next` of the page before. A page takes some seconds, and may be empty and still have a `next`.',
  );

export const endpoints = {
  'preview.begin': endpoint({
    summary:
      'Ask what policies would delete if they were set now; nothing is deleted or set. Who is admin of all that they cover may',
    body: NewPreview,
    status: 201,
    answer: Preview,
    allow: requireSomeAdmin,
    async handle(call, { body }) {
      const isTeams = !(await authorityOf(call)).administers('*');
      const policies = body.policies.map(
        (policy) => ({ ...policy, ...(isTeams && { isTeams }) }) as unknown as Policy,
      );
      requireOnce(policies);
      const present = await listPolicies(call.registry);
      for (const policy of policies) {
        await requirePolicy(call, { ...policy, isTeams: true });
        const before = present.find(({ name }) => name === policy.name);
        if (before) await requirePolicy(call, before);
      }
      const name = body.repository === undefined ? undefined : parseRepositoryName(body.repository);
      if (name !== undefined && !(await authorityOf(call)).may('admin', name)) throw nameUnknown(name);
      const request = previewRequest(present, policies, {
        repository: name,
        tellsKept: body.all ?? false,
      });
      return { id: await beginPreview(call.registry, request) };
    },
  }),
  'preview.get': endpoint({
    summary:
      'A page of what policies would delete, looked at now; whoever may ask for the preview may read it, for a day',
    query: z.strictObject({ last: page }),
    answer: PreviewPageOut,
    allow: requireSomeAdmin,
    async handle(call, { query }) {
      const { findings, counts, at, next } = await pageOf(call, call.params['preview'] ?? '', query.last);
      return {
        findings: findings.map(({ repository, ...finding }) => ({ repository, ...findingOut(finding) })),
        counts,
        ...(at !== undefined && { at }),
        ...(next !== undefined && { next: `${next}` }),
      };
    },
  }),
  'retention.plan': endpoint({
    summary: 'What the policies would keep and delete of a repository at this moment; nothing is deleted',
    query: z.strictObject({
      n: z.string().optional().describe('Means nothing: a page is as long as it is.'),
      last: z
        .string()
        .regex(/^[0-9a-f-]{36}:\d{1,6}$/)
        .optional()
        .describe(
          'The `next` of the page before. A page takes some seconds, and may be empty and still have a `next`.',
        ),
    }),
    answer: RetentionPlan,
    allow: (call) => permitRepository(call, 'admin'),
    async handle(call, { query }) {
      const name = repositoryOf(call);
      if (!(await findRepository(call.registry, name))) throw nameUnknown(name);
      const [id = await beginFor(call, name), number] = query.last?.split(':') ?? [];
      const { findings, counts, next } = await pageOf(call, id, number, name);
      return {
        findings: findings.map(({ repository: _, ...finding }) => findingOut(finding)),
        counts,
        ...(next !== undefined && { next: `${id}:${next}` }),
      };
    },
  }),
} satisfies Record<string, Endpoint>;

async function beginFor({ registry }: Call, repository: RepositoryName): Promise<string> {
  const policies = await listPolicies(registry);
  return beginPreview(registry, previewRequest(policies, [], { repository, tellsKept: true }));
}

/** 404 for whoever may not, or no longer, ask for that: they are not told that it exists. */
async function pageOf(
  call: Call,
  id: string,
  number: string | undefined,
  of?: RepositoryName,
): Promise<PreviewPage> {
  const authority = await authorityOf(call);
  const mayRead = ({ asked, repository }: PreviewRequest) =>
    (of === undefined || repository === of) &&
    asked.every((policy) => mayGovern(authority, policy)) &&
    (repository === undefined || authority.may('admin', repository));
  const found = await readPreview(call.registry, {
    id: id.slice(0, 100),
    page: Number(number ?? 0),
    lease: call.lease,
    mayRead,
  });
  if (!found) throw notFound('preview: it is over, or this page was passed; ask for a new one');
  return found;
}

/** Of two of one name nobody knows which is meant. */
function requireOnce(policies: readonly Policy[]): void {
  const names = policies.map(({ name }) => name);
  const index = names.findIndex((name, at) => names.indexOf(name) !== at);
  if (index >= 0) throw inputInvalid('body', [{ path: `policies.${index}.name`, message: 'is there twice' }]);
}
