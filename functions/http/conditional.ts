import { otherVersion } from '../oci/errors.ts';

/** Whether `If-None-Match` names this entity tag: the client has the content already.
 *  https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2 */
export function isKnown({ headers }: Request, entityTag: string): boolean {
  const header = headers.get('if-none-match')?.trim();
  if (header === undefined) return false;
  if (header === '*') return true;
  return header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === entityTag);
}

/** Fails where `If-Match` names other entity tags than this one. https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1 */
export function requireMatch({ headers }: Request, entityTag: string): void {
  const header = headers.get('if-match')?.trim();
  if (header === undefined || header === '*') return;
  if (!header.split(',').some((tag) => tag.trim() === entityTag)) throw otherVersion(entityTag);
}
