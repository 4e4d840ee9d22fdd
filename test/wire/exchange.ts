import type { Content } from './content.ts';
import type { Call } from './row.ts';

/** Anything that answers a request; `path` starts with `/`. Redirects are handed back, not followed. */
export interface Target {
  fetch(path: string, init: RequestInit): Promise<Response>;
}

/** What came back. `hops` holds the headers of every answer on the way, the final one last. */
export interface Answer {
  readonly status: number;
  readonly hops: readonly Headers[];
  readonly bytes: Uint8Array;
}

/** The values that the placeholders of a row stand for; see `Call`. */
export type Names = Map<string, string>;

const MAX_REDIRECTS = 5;

export function fill(template: string, names: Names): string {
  return template.replace(/\{(repo|other|upload|session|elsewhere|next)\}/g, (placeholder, name: string) => {
    const value = names.get(name);
    if (value === undefined) throw new Error(`no earlier answer gave ${placeholder}`);
    return value;
  });
}

/** Path and query of a Location or Link, relative or absolute. */
export function pathOf(location: string): string {
  const url = new URL(location, 'http://registry.test');
  return url.pathname + url.search;
}

/** Sends `call`, follows redirects by hand, and remembers the names that the answer gives. */
export async function exchange(target: Target, call: Call, names: Names): Promise<Answer> {
  const [method = '', template = ''] = call.send.split(/ (.*)/);
  const [path, ...queries] = fill(template, names).split('?');
  const init = { method, redirect: 'manual', ...requestBody(call) } satisfies RequestInit;
  let response = await target.fetch([path, queries.join('&')].filter(Boolean).join('?'), init);
  const hops = [response.headers];
  while (isRedirect(response) && hops.length <= MAX_REDIRECTS) {
    response = await follow(target, response, init);
    hops.push(response.headers);
  }
  remember(names, response);
  return { status: response.status, hops, bytes: new Uint8Array(await response.arrayBuffer()) };
}

function requestBody(call: Call): RequestInit {
  const headers = { ...call.headers };
  if (call.body === undefined) return { headers };
  const bytes = typeof call.body === 'string' ? new TextEncoder().encode(call.body) : call.body.bytes;
  if (!call.streamed) return { headers, body: bytes };
  return { headers, body: new Blob([bytes]).stream(), duplex: 'half' };
}

function isRedirect(response: Response): boolean {
  return [301, 302, 303, 307, 308].includes(response.status) && response.headers.has('location');
}

/** Storage on another host is asked directly; only what the registry itself says comes through `target`. */
async function follow(target: Target, response: Response, init: RequestInit): Promise<Response> {
  const location = response.headers.get('location') ?? '';
  await response.body?.cancel();
  return location.startsWith('/') ? await target.fetch(location, init) : await fetch(location, init);
}

function remember(names: Names, response: Response): void {
  const location = response.headers.get('location');
  if (location !== null && [202, 204, 416].includes(response.status)) {
    const upload = pathOf(location);
    names.set('upload', upload);
    names.set('elsewhere', upload.replace(fill('/{repo}/', names), fill('/{other}/', names)));
  }
  const session = response.headers.get('docker-upload-uuid');
  if (session !== null) names.set('session', session);
  const next = /<([^>]*)>; *rel="?next"?/.exec(response.headers.get('link') ?? '');
  if (next?.[1] !== undefined) names.set('next', pathOf(next[1]));
}

export function contentBytes(content: Content | ''): Uint8Array {
  return content === '' ? new Uint8Array() : content.bytes;
}
