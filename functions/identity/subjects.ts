import { subjectEntryKey, subjectIn, subjectKey, subjects } from '../registry/keys.ts';
import { type Page, type PageRequest, pageOf } from '../registry/pages.ts';
import { LOST, untilWon } from '../registry/races.ts';
import type { Registry } from '../registry/registry.ts';
import { type Attributes, absent, equals, MAX_OPERATIONS, type Operation } from '../storage/table.ts';
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

/** Writes the item of a new subject, together with other items, and answers whether it is new. */
export async function createSubject(
  { table }: Registry,
  subject: Subject,
  attributes: Attributes,
  more: readonly Operation[] = [],
): Promise<boolean | typeof LOST> {
  const outcome = await table.write([
    { put: subjectKey(subject), attributes: { ...attributes, version: 1 }, when: [absent] },
    { put: subjectEntryKey(subject), attributes: {} },
    ...more,
  ]);
  if (outcome.committed) return true;
  return outcome.failed.includes(0) ? false : LOST;
}

/** What a change writes besides, decided on what it finds and makes of it; refuses the change by throwing. */
export type Besides = (found: Attributes, after: Attributes) => Promise<readonly Operation[]>;

/** Changes attributes of a subject, together with other items, and answers whether it is there. Two changes at once
 *  are made one after the other. */
export async function changeSubject(
  registry: Registry,
  subject: Subject,
  change: Change,
  besides: Besides = async () => [],
): Promise<boolean> {
  return untilWon(registry, async () => {
    const found = await registry.table.get(subjectKey(subject));
    if (!found) return false;
    const set = change(found);
    if (set === undefined) return true;
    const { committed } = await registry.table.write([
      { update: subjectKey(subject), set, add: { version: 1 }, when: [unchanged(found)] },
      ...(await besides(found, { ...found, ...set })),
    ]);
    return committed || LOST;
  });
}

/** Removes a subject, on condition that it is as it was found. */
export async function removeSubject(
  { table }: Registry,
  subject: Subject,
  found: Attributes,
  more: readonly Operation[] = [],
): Promise<boolean> {
  const { committed } = await table.write([
    { remove: subjectKey(subject), when: [unchanged(found)] },
    { remove: subjectEntryKey(subject) },
    ...more,
  ]);
  return committed;
}

/** Names of the subjects of a kind, in byte order. */
export function listSubjects(registry: Registry, kind: SubjectKind, page: PageRequest): Promise<Page> {
  return listWithPrefix(registry, subjectOf(kind, ''), page);
}

/** Subjects of every kind: groups, robots, users. */
export function listAllSubjects(registry: Registry, page: PageRequest): Promise<Page> {
  return listWithPrefix(registry, '', page);
}

function listWithPrefix({ table }: Registry, prefix: string, page: PageRequest): Promise<Page> {
  return pageOf(page, async (limit) => {
    const after = page.last === undefined ? {} : { after: prefix + page.last };
    const items = await table.query({ ...subjects(prefix), ...after, limit, keysOnly: true });
    return items.map((item) => subjectIn(item).slice(prefix.length));
  });
}

/** What the items of subjects hold, in the order of the subjects; `undefined` for one that is not there. */
export async function readSubjects(
  { table }: Registry,
  wanted: readonly Subject[],
): Promise<(Attributes | undefined)[]> {
  const found: (Attributes | undefined)[] = [];
  for (let start = 0; start < wanted.length; start += MAX_OPERATIONS) {
    const keys = wanted.slice(start, start + MAX_OPERATIONS).map(subjectKey);
    found.push(...(await table.getMany(keys)));
  }
  return found;
}

export const unchanged = (found: Attributes) => equals('version', found['version'] as number);

export function subjectItemOf(subject: Subject, found: Attributes): SubjectItem {
  return {
    subject,
    name: subject.slice(subject.indexOf(':') + 1),
    description: (found['description'] as string | undefined) ?? '',
    grants: grantsIn(found),
    createdAt: found['createdAt'] as number,
    createdBy: found['createdBy'] as string,
    version: found['version'] as number,
  };
}

export const grantsIn = ({ grants }: Attributes) => (grants as unknown as Grant[] | undefined) ?? [];

/** Grants as an item holds them. */
export const grantsAttribute = (grants: readonly Grant[]) => grants as unknown as Attributes[string];
