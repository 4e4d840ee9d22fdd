import { parameterInvalid } from '../oci/errors.ts';

/** The one value of a parameter, `undefined` where it is missing. Some clients send a parameter twice: the same
 *  value twice is fine, two values are refused with `conflict`. */
export function single(
  query: URLSearchParams,
  name: string,
  conflict: () => Error = () => parameterInvalid(`query parameter ${name} is given with different values`),
): string | undefined {
  const values = new Set(query.getAll(name));
  if (values.size > 1) throw conflict();
  return values.values().next().value;
}

/** `n` and `last` of a listing (end-8b); `n` past what fits in one answer is as good as the most that does. */
export function pageRequest(
  query: URLSearchParams,
  { defaultLimit, isEntry }: { defaultLimit: number; isEntry: (text: string) => boolean },
): { limit: number; last?: string } {
  const n = single(query, 'n');
  if (n !== undefined && !/^\d{1,15}$/.test(n)) throw parameterInvalid('n is not a number of entries');
  const last = single(query, 'last');
  if (last !== undefined && !isEntry(last)) throw parameterInvalid('last is not an entry of this list');
  return { limit: n === undefined ? defaultLimit : Number(n), ...(last !== undefined && { last }) };
}

/** The header that leads to the page after `last`, keeping the request's other parameters. Relative, so that
 *  it is right behind any proxy. https://www.rfc-editor.org/rfc/rfc8288 */
export function nextLink(path: string, query: URLSearchParams, last: string): { Link: string } {
  const next = new URLSearchParams(query);
  next.set('last', last);
  return { Link: `<${path}?${next}>; rel="next"` };
}
