import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Credential } from '../log-in.ts';
import { EVERY_FAMILY, type Family } from './families.ts';
import { failed, notHere } from './finding.ts';
import { type Answer, type Call, type Headers, send } from './http.ts';
import { describe, errorOf, type IssuedToken, tokenForm, tokenIn } from './tokens.ts';

export interface DeploymentOptions {
  readonly url: string;
  readonly credential: Credential | undefined;
  readonly repository: string;
  /** No body is larger. */
  readonly largest: number;
  /** How long an event may take. */
  readonly patienceMs: number;
  /** What the front door stands before. */
  readonly origin?: string | undefined;
  readonly signal?: AbortSignal;
}

/** How a body was sent, and whether it was taken: what clients can push is derived from it. */
export interface Attempt {
  readonly way: 'PUT' | 'PATCH' | 'chunked PATCH';
  /** Of which families; by their user agent, where the front door decides by it. */
  readonly families: readonly Family[];
  readonly bytes: number;
  readonly isTaken: boolean;
  /** Why not. */
  readonly says?: string;
}

interface Request {
  readonly headers?: Headers;
  readonly body?: NonNullable<Call['body']>;
  readonly listens?: boolean;
  readonly patienceMs?: number;
  /** Whose token: of the login for pull, push and delete; for pull alone; or none. @default 'push' */
  readonly as?: 'push' | 'pull' | 'nobody';
}

/** Docker gives up after so long. */
const WAKING_MS = 175_000;
const RETRY_MS = 1000;

/** What took longer has waited for something. */
const AT_ONCE_MS = 2000;

const ACTIONS = { push: 'pull,push,delete', pull: 'pull' } as const;

/** The registry that is examined, as one caller, and what has been learnt of it. */
export class Deployment {
  readonly url: URL;
  readonly repository: string;
  readonly options: DeploymentOptions;
  readonly attempts: Attempt[] = [];
  readonly #tokens = new Map<string, IssuedToken>();
  readonly #made = new Map<string, Promise<unknown>>();
  /** Whether there may be something to delete. */
  hasPushed = false;
  /** The longest that an upload waited for a stream host that slept. */
  longestWaitMs = 0;
  #isOpen: boolean | undefined;
  #hasFront: boolean | undefined;

  constructor(options: DeploymentOptions) {
    this.url = new URL(options.url);
    this.repository = options.repository;
    this.options = options;
  }

  /** One request to the registry; `target` is a path below its URL, or a Location it gave. */
  async call(method: string, target: string, request: Request = {}): Promise<Answer> {
    const { as = 'push', headers, ...rest } = request;
    const url = new URL(target, this.url);
    const authorization = as === 'nobody' ? {} : await this.authorization(as);
    return this.send({ method, url, headers: { ...authorization, ...headers }, ...rest });
  }

  send(call: Call): Promise<Answer> {
    return send({ signal: this.options.signal, ...call });
  }

  /** A path of the repository. */
  path(rest: string): string {
    return `/v2/${this.repository}/${rest}`;
  }

  async authorization(as: 'push' | 'pull'): Promise<Headers> {
    const token = await this.token(as);
    return token ? { Authorization: `Bearer ${token.text}` } : {};
  }

  /** A token for the repository; `undefined` where everybody may do everything. */
  async token(as: 'push' | 'pull'): Promise<IssuedToken | undefined> {
    if (await this.#open()) return undefined;
    const known = this.#tokens.get(as);
    if (known && known.renewAfter > Date.now()) return known;
    const fresh = tokenIn(await this.askForToken([`repository:${this.repository}:${ACTIONS[as]}`]));
    this.#tokens.set(as, fresh);
    return fresh;
  }

  async askForToken(scopes: readonly string[]): Promise<Answer> {
    const { credential } = this.options;
    if (!credential) throw new Error(`not logged in: stowage login ${this.url.origin}`);
    return this.send(tokenForm(this.url, credential, scopes));
  }

  /** Why nothing can be pushed, if so. */
  async hindrance(): Promise<string | undefined> {
    try {
      const token = await this.token('push');
      if (!token || this.mayDo(token, 'push')) return undefined;
      return `this login may not push to ${this.repository}; name a repository where it may with --repository`;
    } catch (error) {
      return (error as Error).message;
    }
  }

  mayDo({ claims }: IssuedToken, action: 'push' | 'delete'): boolean {
    const entry = claims.access?.find(({ name }) => name === this.repository);
    return entry?.actions.includes(action) ?? false;
  }

  /** Opens an upload and answers its Location as it was given. */
  async startUpload(headers: Headers = {}): Promise<string> {
    const answer = await this.#startAwake(headers);
    const { location } = answer.headers;
    this.hasPushed ||= answer.status === 202;
    if (answer.status === 202 && location) return location;
    throw failed(`POST of an upload was answered ${describe(answer)}, not 202 with a Location`, {
      affects: EVERY_FAMILY,
      means: 'nothing can be pushed',
      cure: 'look at the logs of the registry at this time',
    });
  }

  /** As clients do, asks again for as long as docker does while a stream host is woken for the upload. */
  async #startAwake(headers: Headers): Promise<Answer> {
    const began = performance.now();
    for (;;) {
      const answer = await this.call('POST', this.path('blobs/uploads/'), { headers });
      const waited = performance.now() - began;
      const isStarting = answer.status === 429 && errorOf(answer).code === 'UNAVAILABLE';
      if (isStarting && waited < WAKING_MS) {
        await setTimeout(RETRY_MS, undefined, { signal: this.options.signal });
        continue;
      }
      if (waited > AT_ONCE_MS) this.longestWaitMs = Math.max(this.longestWaitMs, waited);
      return answer;
    }
  }

  /** What several probes need, made by the first of them. */
  once<T>(name: string, make: () => Promise<T>): Promise<T> {
    const made = (this.#made.get(name) as Promise<T> | undefined) ?? make();
    this.#made.set(name, made);
    return made;
  }

  /** Whether uploads go past the registry: their Location carries a token for the front door. */
  async hasFront(): Promise<boolean> {
    this.#hasFront ??= uploadTokenIn(await this.startUpload()) !== undefined;
    return this.#hasFront;
  }

  async requireFront(): Promise<void> {
    if (await this.hasFront()) return;
    throw notHere('there is no front door: this registry takes bodies of any size itself');
  }

  async #open(): Promise<boolean> {
    this.#isOpen ??= (await this.send({ method: 'GET', url: new URL('/v2/', this.url) })).status === 200;
    return this.#isOpen;
  }
}

/** The token of an upload's Location. */
export function uploadTokenIn(location: string): string | undefined {
  return new URL(location, 'http://registry.invalid').searchParams.get('token') ?? undefined;
}

export const freshRepository = () => `doctor/${randomBytes(6).toString('hex')}`;
