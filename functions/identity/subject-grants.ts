import { conflict } from '../oci/errors.ts';
import type { Registry } from '../registry/registry.ts';
import type { Attributes } from '../storage/table.ts';
import type { Authority, Grant } from './grants.ts';
import { keepAnAdmin } from './last-admin.ts';
import type { Subject } from './principal.ts';
import { changeSubject, grantsAttribute, grantsIn, readSubjects } from './subjects.ts';

/** Ours: grants that admins of the registry give to one subject; and as many again by each admin of less, of what that one
 *  administers. Each login and each decision reads them all. */
export const MAX_GRANTS = 100;

/** Ours: all that admins of less can give to one subject together; they cannot take the room of the registry's admins. */
const MAX_DELEGATED = 400;

/** The grants of a subject itself, not of its groups; `undefined` where there is no such subject. */
export async function grantsOf(registry: Registry, subject: Subject): Promise<readonly Grant[] | undefined> {
  const [found] = await readSubjects(registry, [subject]);
  return found && grantsIn(found);
}

/** Sets what a subject may do in the repositories of a pattern, in the name of somebody; answers whether the subject is
 *  there. */
export function setGrant(
  registry: Registry,
  subject: Subject,
  grant: Grant,
  granter: Authority,
): Promise<boolean> {
  const isDelegated = !granter.administers('*');
  return changeGrants(registry, subject, (grants) => {
    const at = grants.findIndex(({ pattern }) => pattern === grant.pattern);
    // Whose room it takes stays as it was.
    if (at >= 0) return grants.with(at, { ...grants[at], ...grant });
    const delegated = grants.filter((one) => one.delegated);
    const used = isDelegated
      ? delegated.filter(({ pattern }) => granter.administers(pattern)).length
      : grants.length - delegated.length;
    if (used >= MAX_GRANTS) throw conflict(`${subject} has ${MAX_GRANTS} grants, as many as there can be`);
    if (isDelegated && delegated.length >= MAX_DELEGATED)
      throw conflict(`${subject} has no room for another grant; an admin of the registry can give one`);
    return [...grants, isDelegated ? { ...grant, delegated: true } : grant];
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
