import { parameterInvalid } from '../oci/errors.ts';

/** The one value of a parameter, `undefined` where it is missing or empty, as some clients say that they have none. Some
 *  send a parameter twice: the same value twice is fine, two values are refused with `conflict`. */
export function single(
  query: URLSearchParams,
  name: string,
  conflict: () => Error = () => parameterInvalid(`query parameter ${name} is given with different values`),
): string | undefined {
  const values = new Set(query.getAll(name).filter((value) => value !== ''));
  if (values.size > 1) throw conflict();
  return values.values().next().value;
}

/** Longer than any entry of a list: what stands behind so many characters does not change what comes after it. */
const MAX_LAST = 512;

/** `n` and `last` of a listing (end-8b); `n` past what fits in one answer is as good as the most that does, and `last` need
 *  not be an entry: a page begins with what comes after it in byte order. */
export function pageRequest(query: URLSearchParams, defaultLimit: number): { limit: number; last?: string } {
  const n = single(query, 'n');
  if (n !== undefined && !/^\d{1,15}$/.test(n)) throw parameterInvalid('n is not a number of entries');
  const last = single(query, 'last')?.slice(0, MAX_LAST).toWellFormed();
  return { limit: n === undefined ? defaultLimit : Number(n), ...(last !== undefined && { last }) };
}

/** The header that leads to the page after `last`, keeping the request's other parameters. Relative, so that
 *  it is right behind any proxy. https://www.rfc-editor.org/rfc/rfc8288 */
export function nextLink(path: string, query: URLSearchParams, last: string): { Link: string } {
  const next = new URLSearchParams(query);
  next.set('last', last);
  return { Link: `<${path}?${next}>; rel="next"` };
}
