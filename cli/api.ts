import { type Answer, exchange, refusalOf } from './exchange.ts';
import { Failure } from './failure.ts';
import { accessToken, type Credential } from './log-in.ts';

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
type Query = Readonly<Record<string, string | undefined>>;

interface Call {
  readonly method: Method;
  readonly query?: Query;
  readonly body?: unknown;
}

/** Entries that most lists give at most at a time; any may give fewer. */
const PAGE = 1000;

interface ListOptions {
  readonly query?: Query;
  /** @default all there are */
  readonly most?: number;
  /** Entries to ask for at a time. */
  readonly page?: number;
}

/** The management API of one registry, as one caller. */
export class Api {
  readonly url: string;
  readonly #credential: Credential | undefined;
  #token: Promise<string> | undefined;

  constructor(url: string, credential: Credential | undefined) {
    this.url = url;
    this.#credential = credential;
  }

  async get<T>(path: string, query: Query = {}): Promise<T> {
    return (await this.send(path, { method: 'GET', query })).body as T;
  }

  async post<T>(path: string, body: unknown): Promise<T> {
    return (await this.send(path, { method: 'POST', body })).body as T;
  }

  async put<T>(path: string, body?: unknown, query: Query = {}): Promise<T> {
    return (await this.send(path, { method: 'PUT', body, query })).body as T;
  }

  async patch<T>(path: string, body: unknown): Promise<T> {
    return (await this.send(path, { method: 'PATCH', body })).body as T;
  }

  async delete(path: string, query: Query = {}): Promise<Answer> {
    return this.send(path, { method: 'DELETE', query });
  }

  /** All pages of a list, up to `most` entries, and whether there are more. */
  async list<T>(
    path: string,
    plural: string,
    { query = {}, most = Number.POSITIVE_INFINITY, page = PAGE }: ListOptions = {},
  ): Promise<{ readonly entries: readonly T[]; readonly isCut: boolean }> {
    const entries: T[] = [];
    let last: string | undefined;
    do {
      const n = `${Math.min(page, most - entries.length)}`;
      const answer = await this.get<Record<string, unknown>>(path, { ...query, n, last });
      entries.push(...(answer[plural] as T[]));
      last = answer['next'] as string | undefined;
    } while (last !== undefined && entries.length < most);
    return { entries, isCut: last !== undefined };
  }

  /** Answers what has a status below 300; anything else is a `Failure`. */
  async send(path: string, { method, query = {}, body }: Call): Promise<Answer> {
    const url = new URL(`/api/v1${path}`, this.url);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    const answer = await exchange(url.href, {
      method,
      headers: {
        ...(await this.#authorization()),
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (answer.status === 401) {
      const why = this.#credential ? refusalOf(answer).message : `you are not logged in to ${this.url}`;
      throw new Failure(`${why}; log in: stowage login ${this.url}`);
    }
    if (isUnknownEndpoint(answer))
      throw new Failure(`${this.url} has nothing of this: it is open, so that it has no users, or too old`);
    if (answer.status >= 300) throw refusalOf(answer);
    if (answer.status === 200 && answer.body === undefined)
      throw new Failure(`${this.url} is no Stowage registry`);
    return answer;
  }

  async #authorization(): Promise<Record<string, string>> {
    if (!this.#credential) return {};
    this.#token ??= accessToken(this.url, this.#credential);
    return { Authorization: `Bearer ${await this.#token}` };
  }
}

/** Whether a registry lacks the endpoint itself, rather than what its path names. */
function isUnknownEndpoint({ status, body }: Answer): boolean {
  if (status !== 404) return false;
  const { detail = 'no such endpoint' } = (body ?? {}) as { detail?: string };
  return detail === 'no such endpoint';
}

/** A path whose parts may hold any character. */
export function pathOf(parts: TemplateStringsArray, ...names: readonly string[]): string {
  return String.raw({ raw: parts }, ...names.map(encodeURIComponent));
}
