import type { IncomingMessage } from 'node:http';
import type { EdgeRequest, EdgeResponse, EdgeValue, EdgeValues } from './edge-event.ts';

/** What a function is shown of a request: names of headers in lower case, path and query as they were sent. */
export function requestEventOf(incoming: IncomingMessage): EdgeRequest {
  const { path, query } = targetOf(incoming);
  const { cookie, ...headers } = valuesOf(headerPairs(incoming.rawHeaders));
  const cookies = textsOf(cookie).flatMap((text) => pairsIn(text, /; */));
  return {
    method: incoming.method ?? 'GET',
    uri: path,
    querystring: valuesOf(pairsIn(query, '&')),
    headers,
    cookies: valuesOf(cookies),
  };
}

/** What a function is shown of an origin's answer. */
export function responseEventOf({ statusCode = 0, rawHeaders }: IncomingMessage): EdgeResponse {
  return { statusCode, headers: valuesOf(headerPairs(rawHeaders)) };
}

/** The target of a request, taken apart at its first question mark and not decoded. */
export function targetOf({ url = '/' }: IncomingMessage): { readonly path: string; readonly query: string } {
  const target = url.replace(/^https?:\/\/[^/?]*/i, '');
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  return { path: path === '' ? '/' : path, query: mark < 0 ? '' : target.slice(mark + 1) };
}

/** The query that CloudFront makes of what a function hands back; with its question mark, unless it is empty. */
export function queryOf(querystring: EdgeValues): string {
  const pairs = Object.entries(querystring).flatMap(([name, entry]) =>
    textsOf(entry).map((value) => `${name}=${value}`),
  );
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

/** Headers in the order of their names, each value by itself. */
export function pairsOf(values: EdgeValues): [name: string, value: string][] {
  return Object.entries(values).flatMap(([name, entry]) =>
    textsOf(entry).map((value): [string, string] => [name, value]),
  );
}

/** The `Cookie` of the cookies that a function hands back; `undefined` without any. */
export function cookieOf(cookies: EdgeValues): string | undefined {
  return (
    pairsOf(cookies)
      .map((pair) => pair.join('='))
      .join('; ') || undefined
  );
}

function textsOf(entry: EdgeValue | undefined): string[] {
  if (!entry) return [];
  return entry.multiValue ? entry.multiValue.map(({ value }) => value) : [entry.value];
}

function headerPairs(raw: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    pairs.push([`${raw[index]}`.toLowerCase(), `${raw[index + 1]}`]);
  }
  return pairs;
}

/** `a=1`, `a=` and `a` are parameters of the name `a`; the latter two have an empty value. */
function pairsIn(text: string, separator: string | RegExp): [string, string][] {
  return text
    .split(separator)
    .filter((part) => part !== '')
    .map((part) => {
      const equals = part.indexOf('=');
      return equals < 0 ? [part, ''] : [part.slice(0, equals), part.slice(equals + 1)];
    });
}

/** What is repeated has its first value as `value`, and all of them in `multiValue`. */
function valuesOf(pairs: readonly (readonly [string, string])[]): EdgeValues {
  const values = new Map<string, EdgeValue>();
  for (const [name, value] of pairs) {
    const before = values.get(name);
    if (!before) values.set(name, { value });
    else before.multiValue = [...(before.multiValue ?? [{ value: before.value }]), { value }];
  }
  return Object.fromEntries(values);
}
