import * as z from 'zod';
import type { Call } from '../handlers/call.ts';
import type { Authority, Grant as GrantItem } from '../identity/grants.ts';
import type { Subject } from '../identity/principal.ts';
import { grantsOf, MAX_GRANTS, removeGrant, setGrant } from '../identity/subject-grants.ts';
import { grantsIn, listAllSubjects, readSubjects } from '../identity/subjects.ts';
import { notFound } from '../oci/errors.ts';
import { type Endpoint, endpoint } from './endpoint.ts';
import { pageRequest, present } from './input.ts';
import { fitting } from './output.ts';
import { authorityOf, requireAdmin, requireAdminOf } from './rights.ts';
import { GrantActions, GrantPattern, Next, named, pageOf } from './schemas.ts';

const SubjectId = z
  .string()
  .regex(
    /^(user|robot|group):[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/,
    'must be user:, robot: or group: and a name, such as user:alice',
  )
  .describe('`user:alice`, `robot:ci` or `group:team-a`.');

const SubjectGrant = named(
  'SubjectGrant',
  z.strictObject({ subject: SubjectId, pattern: GrantPattern, actions: GrantActions }),
);
const GrantList = named('GrantList', z.strictObject({ grants: z.array(SubjectGrant), next: Next }));

const grantsOut = (subject: string, grants: readonly GrantItem[]): z.infer<typeof SubjectGrant>[] =>
  grants.map(({ pattern, actions }) => ({ subject, pattern, actions: [...actions] }));

export const endpoints = {
  'grant.list': endpoint({
    summary: 'The grants of one subject; or of all, in the order of the subjects, `n` subjects a page',
    query: z.strictObject({ subject: SubjectId.optional(), ...pageOf(SubjectId) }),
    answer: GrantList,
    problems: { 404: 'There is no such subject.' },
    allow: requireAdmin,
    async handle(call, { query }) {
      if (query.subject === undefined) return allGrants(call, query);
      const grants = present(
        await grantsOf(call.registry, query.subject as Subject),
        'subject',
        query.subject,
      );
      return { grants: grantsOut(query.subject, grants) };
    },
  }),
  'grant.set': endpoint({
    summary:
      'Set what a subject may do in the repositories of a pattern, in place of what it might before. Whether there is such a ' +
      'subject is told to admins of the registry only: others are answered alike, and nothing is set',
    body: SubjectGrant,
    answer: SubjectGrant,
    problems: {
      404: 'There is no such subject.',
      409: `It has ${MAX_GRANTS} grants of its like already, or nobody would be left who is admin of the registry.`,
    },
    async handle(call, { body }) {
      const { subject, pattern, actions } = body;
      call.about(`${subject} ${pattern}:${actions.join(',')}`);
      await requireAdminOf(call, pattern);
      const granter = await authorityOf(call);
      const isThere = await setGrant(call.registry, subject as Subject, { pattern, actions }, granter);
      if (!isThere) tellOnlyAdmins(call, granter, `subject: ${subject}`);
      return body;
    },
  }),
  'grant.remove': endpoint({
    summary:
      'Take away what a subject may do by a pattern. Whether it had such a grant is told to admins of the registry only',
    query: z.strictObject({ subject: SubjectId, pattern: GrantPattern }),
    problems: {
      404: 'There is no such grant.',
      409: 'Nobody would be left who is admin of the registry.',
    },
    async handle(call, { query: { subject, pattern } }) {
      call.about(`${subject} ${pattern}`);
      await requireAdminOf(call, pattern);
      if (!(await removeGrant(call.registry, subject as Subject, pattern)))
        tellOnlyAdmins(call, await authorityOf(call), `grant: ${subject} has none for ${pattern}`);
    },
  }),
} satisfies Record<string, Endpoint>;

/** Throws that there is no such thing; the trail has it where the caller may not know who exists. */
function tellOnlyAdmins(call: Call, granter: Authority, what: string): void {
  if (granter.administers('*')) throw notFound(what);
  call.about(`nothing was done, there is no such ${what}`);
}

async function allGrants(
  { registry }: Call,
  query: { n?: number | undefined; last?: string | undefined },
): Promise<z.infer<typeof GrantList>> {
  const { entries: subjects, next } = await listAllSubjects(registry, pageRequest(query));
  const found = await readSubjects(registry, subjects as Subject[]);
  const perSubject = subjects.map((subject, index) => ({
    subject,
    grants: grantsOut(subject, grantsIn(found[index] ?? {})),
  }));
  const page = fitting(perSubject, next, ({ subject }) => subject);
  return {
    grants: page.entries.flatMap(({ grants }) => grants),
    ...(page.next !== undefined && { next: page.next }),
  };
}
