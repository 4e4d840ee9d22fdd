import { conflict } from '../oci/errors.ts';
import type { Registry } from '../registry/registry.ts';
import type { Attributes } from '../storage/table.ts';
import type { Grant } from './grants.ts';
import { keepAnAdmin } from './last-admin.ts';
import type { Subject } from './principal.ts';
import { changeSubject, grantsAttribute, grantsIn, readSubjects } from './subjects.ts';

/** Ours: grants of one subject. Each login and each decision reads them all. */
export const MAX_GRANTS = 100;

/** The grants of a subject itself, not of its groups; `undefined` where there is no such subject. */
export async function grantsOf(registry: Registry, subject: Subject): Promise<readonly Grant[] | undefined> {
  const [found] = await readSubjects(registry, [subject]);
  return found && grantsIn(found);
}

/** Sets what a subject may do in the repositories of a pattern; answers whether the subject is there. */
export function setGrant(registry: Registry, subject: Subject, grant: Grant): Promise<boolean> {
  return changeGrants(registry, subject, (grants) => {
    const at = grants.findIndex(({ pattern }) => pattern === grant.pattern);
    if (at >= 0) return grants.with(at, grant);
    if (grants.length >= MAX_GRANTS)
      throw conflict(`${subject} has ${MAX_GRANTS} grants, as many as there can be`);
    return [...grants, grant];
  });
}

/** Takes away what a subject may do by a pattern; answers whether there was such a grant. */
export async function removeGrant(registry: Registry, subject: Subject, pattern: string): Promise<boolean> {
  let had = false;
  await changeGrants(registry, subject, (grants) => {
    const others = grants.filter((grant) => grant.pattern !== pattern);
    had = others.length < grants.length;
    return had ? others : undefined;
  });
  return had;
}

/** The last admin of the registry stays one. */
function changeGrants(
  registry: Registry,
  subject: Subject,
  change: (grants: readonly Grant[]) => readonly Grant[] | undefined,
): Promise<boolean> {
  const isUser = subject.startsWith('user:');
  return changeSubject(
    registry,
    subject,
    (found): Attributes | undefined => {
      const grants = change(grantsIn(found));
      return grants && { grants: grantsAttribute(grants) };
    },
    async (found, after) => (isUser ? keepAnAdmin(registry, subject, found, after) : []),
  );
}
