import type { Call } from '../handlers/call.ts';
import { ANONYMOUS, type Subject, type SubjectKind, subjectOf } from '../identity/principal.ts';
import { listSubjects, readSubjects } from '../identity/subjects.ts';
import { pageRequest } from './input.ts';

type Attributes = NonNullable<Awaited<ReturnType<typeof readSubjects>>[number]>;

export const iso = (milliseconds: number) => new Date(milliseconds).toISOString();

/** Who has done it is told to whoever has logged in: a job's name may be that of a private repository elsewhere. */
export function forCaller<T extends { readonly by?: unknown }>(
  { caller }: Call,
  shown: T,
): T | Omit<T, 'by'> {
  if (caller.principal !== ANONYMOUS) return shown;
  const { by: _, ...rest } = shown;
  return rest;
}

/** The end and the last use of a credential, as far as there are any. */
export const usesOf = ({ validUntil, lastUsedAt }: { validUntil?: number; lastUsedAt?: number }) => ({
  ...(validUntil !== undefined && { validUntil: iso(validUntil) }),
  ...(lastUsedAt !== undefined && { lastUsedAt: iso(lastUsedAt) }),
});

/** Ours: bytes of entries in one answer, below Lambda's 6 MB with room for one more. */
const MAX_BYTES = 1024 * 1024;

interface Part<T> {
  readonly entries: T[];
  readonly next?: string;
}

/** As many entries as fit into one answer; `next` is where the list goes on, in any case. */
export function fitting<T>(
  entries: readonly T[],
  next: string | undefined,
  lastOf: (entry: T) => string,
): Part<T> {
  let bytes = 0;
  for (const [index, entry] of entries.entries()) {
    bytes += Buffer.byteLength(JSON.stringify(entry));
    const isLast = index === entries.length - 1;
    if (bytes > MAX_BYTES && !isLast) return { entries: entries.slice(0, index + 1), next: lastOf(entry) };
  }
  return { entries: [...entries], ...(next !== undefined && { next }) };
}

/** A page of the users, robots or groups, each as `view` shows it. */
export async function subjectPage<T extends { readonly name: string }>(
  { registry }: Call,
  kind: SubjectKind,
  query: { n?: number | undefined; last?: string | undefined },
  view: (name: string, found: Attributes) => T,
): Promise<Part<T>> {
  const { entries: names, next } = await listSubjects(registry, kind, pageRequest(query));
  const subjects = names.map((name): Subject => subjectOf(kind, name));
  const found = await readSubjects(registry, subjects);
  const shown = names.flatMap((name, index) => {
    const attributes = found[index];
    return attributes ? [view(name, attributes)] : [];
  });
  return fitting(shown, next, ({ name }) => name);
}
