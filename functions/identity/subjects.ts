import { subjectEntryKey, subjectIn, subjectKey, subjects } from '../registry/keys.ts';
import { type Page, type PageRequest, pageOf } from '../registry/pages.ts';
import { LOST, untilWon } from '../registry/races.ts';
import type { Registry } from '../registry/registry.ts';
import { type Attributes, absent, equals, type Operation } from '../storage/table.ts';
import type { Grant } from './grants.ts';
import { type Subject, type SubjectKind, subjectOf } from './principal.ts';

/** What users, robots and groups have in common. */
export interface SubjectItem {
  readonly subject: Subject;
  readonly name: string;
  readonly description: string;
  readonly grants: readonly Grant[];
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly createdBy: string;
  /** Raised by each change; who changes it does so on condition that nobody else did. */
  readonly version: number;
}

/** What a change of a subject makes of it; `undefined` leaves it as it is. */
export type Change = (found: Attributes) => Attributes | undefined;

/** Writes the item of a new subject and answers whether it is new. */
export async function createSubject(
  { table }: Registry,
  subject: Subject,
  attributes: Attributes,
): Promise<boolean> {
  const { committed } = await table.write([
    { put: subjectKey(subject), attributes: { ...attributes, version: 1 }, when: [absent] },
    { put: subjectEntryKey(subject), attributes: {} },
  ]);
  return committed;
}

/** Changes attributes of a subject, together with other items, and answers whether it is there. Two changes at once
 *  are made one after the other. */
export async function changeSubject(
  registry: Registry,
  subject: Subject,
  change: Change,
  more: readonly Operation[] = [],
): Promise<boolean> {
  return untilWon(registry, async () => {
    const found = await registry.table.get(subjectKey(subject));
    if (!found) return false;
    const set = change(found);
    if (set === undefined) return true;
    const { committed } = await registry.table.write([
      { update: subjectKey(subject), set, add: { version: 1 }, when: [unchanged(found)] },
      ...more,
    ]);
    return committed || LOST;
  });
}

/** Removes a subject, on condition that it is as it was found. */
export async function removeSubject(
  { table }: Registry,
  subject: Subject,
  found: Attributes,
): Promise<boolean> {
  const { committed } = await table.write([
    { remove: subjectKey(subject), when: [unchanged(found)] },
    { remove: subjectEntryKey(subject) },
  ]);
  return committed;
}

/** Names of the subjects of a kind, in byte order. */
export function listSubjects({ table }: Registry, kind: SubjectKind, page: PageRequest): Promise<Page> {
  const prefix = subjectOf(kind, '');
  return pageOf(page, async (limit) => {
    const after = page.last === undefined ? {} : { after: prefix + page.last };
    const items = await table.query({ ...subjects(prefix), ...after, limit, keysOnly: true });
    return items.map((item) => subjectIn(item).slice(prefix.length));
  });
}

export const unchanged = (found: Attributes) => equals('version', found['version'] as number);

export function subjectItemOf(subject: Subject, found: Attributes): SubjectItem {
  return {
    subject,
    name: subject.slice(subject.indexOf(':') + 1),
    description: (found['description'] as string | undefined) ?? '',
    grants: (found['grants'] as unknown as Grant[] | undefined) ?? [],
    createdAt: found['createdAt'] as number,
    createdBy: found['createdBy'] as string,
    version: found['version'] as number,
  };
}

/** Grants as an item holds them. */
export const grantsAttribute = (grants: readonly Grant[]) => grants as unknown as Attributes[string];
