/** Whether `If-None-Match` names this entity tag: the client has the content already.
 *  https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2 */
export function isKnown({ headers }: Request, entityTag: string): boolean {
  const header = headers.get('if-none-match')?.trim();
  if (header === undefined) return false;
  if (header === '*') return true;
  return header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === entityTag);
}
