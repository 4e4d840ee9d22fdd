import { conflict } from '../oci/errors.ts';
import { subjectKey } from '../registry/keys.ts';
import type { Registry } from '../registry/registry.ts';
import type { Attributes, Operation } from '../storage/table.ts';
import { authorityOf } from './grants.ts';
import { type Subject, subjectOf } from './principal.ts';
import { grantsIn, listSubjects, readSubjects, unchanged } from './subjects.ts';

/** Ours: users read at once while another admin is looked for. */
const READ_AT_ONCE = 100;

/** What must hold for a user to be changed or removed (`after` is `undefined`): somebody stays who is admin of
 *  everything by grants of their own and can log in. Of two admins who remove each other, one is refused. */
export async function keepAnAdmin(
  registry: Registry,
  subject: Subject,
  before: Attributes,
  after: Attributes | undefined,
): Promise<readonly Operation[]> {
  if (!isAdmin(before) || isAdmin(after)) return [];
  const other = await otherAdmin(registry, subject);
  if (!other) throw conflict(`${subject} is the last admin of the registry; make another one first`);
  return [other];
}

const isAdmin = (user: Attributes | undefined) =>
  user !== undefined && user['disabled'] !== true && authorityOf(grantsIn(user)).administers('*');

/** Checks that another admin, who is one now, is unchanged. */
async function otherAdmin(registry: Registry, except: Subject): Promise<Operation | undefined> {
  for (let last: string | undefined; ; ) {
    const page = await listSubjects(registry, 'user', {
      limit: READ_AT_ONCE,
      ...(last !== undefined && { last }),
    });
    const subjects = page.entries.map((name) => subjectOf('user', name));
    const found = await readSubjects(registry, subjects);
    for (const [index, subject] of subjects.entries()) {
      const user = found[index];
      if (user && subject !== except && isAdmin(user))
        return { check: subjectKey(subject), when: [unchanged(user)] };
    }
    last = page.next;
    if (last === undefined) return undefined;
  }
}
