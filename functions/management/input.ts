import type { Call } from '../handlers/call.ts';
import { SUBJECT_NAME } from '../identity/principal.ts';
import { inputInvalid, notFound } from '../oci/errors.ts';
import type { PageRequest } from '../registry/pages.ts';

/** The user, robot, group or issuer that the path names; 404 for what can be the name of none. */
export function nameOf({ params }: Call, kind: 'user' | 'robot' | 'group' | 'issuer'): string {
  const name = params[kind] ?? '';
  if (!SUBJECT_NAME.test(name)) throw notFound(`${kind}: ${name.slice(0, 100)}`);
  return name;
}

/** 404 where there is none. */
export function present<T>(found: T | undefined, kind: string, name: string): T {
  if (found === undefined) throw notFound(`${kind}: ${name}`);
  return found;
}

/** Milliseconds; 400 for a time that has passed. */
export function future(
  { registry }: Call,
  validUntil: string | undefined,
  path = 'validUntil',
): number | undefined {
  if (validUntil === undefined) return undefined;
  const time = Date.parse(validUntil);
  if (time > registry.now()) return time;
  throw inputInvalid('body', [{ path, message: 'must lie in the future' }]);
}

const DEFAULT_ENTRIES = 100;

export function pageRequest({ n, last }: { n?: number | undefined; last?: string | undefined }): PageRequest {
  return { limit: n ?? DEFAULT_ENTRIES, ...(last !== undefined && { last }) };
}
