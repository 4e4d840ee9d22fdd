import type { Problem } from '../../../api/types.ts';

/** What the API refused, or a network that is not there (`status` 0). */
export class ApiError extends Error {
  readonly status: number;
  /** Seconds to wait, where the answer says so. */
  readonly retryAfter: number | undefined;

  constructor(status: number, detail: string, retryAfter?: number) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** Calls the management API, as whoever is logged in in this browser: `api('GET /me')`. Throws `ApiError`. */
export async function api<T>(line: string, body?: unknown): Promise<T> {
  const [method = 'GET', path = ''] = line.split(/ (.*)/s);
  const response = await send(method, path, body);
  if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T;
  const problem = (await response.json().catch(() => undefined)) as Problem | undefined;
  const wait = Number(response.headers.get('retry-after'));
  throw new ApiError(response.status, problem?.detail ?? response.statusText, wait > 0 ? wait : undefined);
}

async function send(method: string, path: string, body: unknown): Promise<Response> {
  try {
    return await fetch(`/api/v1${path}`, {
      method,
      // No page of another origin can send this without asking first.
      headers: { 'Stowage-Page': '1', ...(body !== undefined && { 'Content-Type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      cache: 'no-store',
    });
  } catch (error) {
    throw new ApiError(0, error instanceof Error ? error.message : String(error));
  }
}

/** A list of many pages, read to its end, or until there are `most` entries. */
export async function allPages<P extends { readonly next?: string }, T>(
  path: string,
  entriesOf: (page: P) => readonly T[],
  most = 20_000,
): Promise<T[]> {
  const all: T[] = [];
  let last: string | undefined;
  do {
    const separator = path.includes('?') ? '&' : '?';
    const page: P = await api(
      `GET ${path}${last === undefined ? '' : `${separator}last=${encodeURIComponent(last)}`}`,
    );
    all.push(...entriesOf(page));
    last = page.next;
  } while (last !== undefined && all.length < most);
  return all;
}
