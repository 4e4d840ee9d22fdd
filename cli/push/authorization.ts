import { type Answer, exchange, refusalOf } from '../exchange.ts';
import { Failure } from '../failure.ts';
import type { Credential } from '../log-in.ts';
import { isLoopback } from '../values.ts';

const CLIENT = 'stowage-cli';

/** A token this close to its end is not begun with. */
const MARGIN_MS = 30_000;

/** What a token says of its own life where it says nothing, by the specification. */
const DEFAULT_LIFE_SECONDS = 60;

/** How a registry wants to be asked, by its own challenge. */
type Challenge =
  | { readonly is: 'basic' }
  | { readonly is: 'bearer'; readonly realm: string; readonly service: string | undefined };

interface Proof {
  readonly header: string;
  readonly expiresAt: number;
}

interface Asking {
  readonly url: string;
  readonly scope: string;
  readonly credential: Credential | undefined;
  readonly signal: AbortSignal;
}

/** The Authorization of one caller for one repository, renewed whenever it ends.
 *  https://distribution.github.io/distribution/spec/auth/token/ */
export class Authorization {
  readonly #asking: Asking;
  #challenge: Challenge | undefined;
  #proof: Proof | undefined;
  #renewal: Promise<void> | undefined;

  constructor(asking: Asking) {
    this.#asking = asking;
  }

  /** What to send; nothing until the registry has asked. */
  async header(): Promise<string | undefined> {
    const proof = this.#proof;
    if (proof && proof.expiresAt <= Date.now()) await this.#renew(proof);
    return this.#proof?.header;
  }

  /** What a request is answered that is sent with what proves who asks: again where the answer says that it wants something else. */
  async send<T extends Pick<Answer, 'status' | 'headers'>>(
    attempt: (header: string | undefined) => Promise<T>,
  ): Promise<T> {
    const used = await this.header();
    const answer = await attempt(used);
    if (answer.status !== 401 || !(await this.#answer(answer.headers, used))) return answer;
    return attempt(await this.header());
  }

  /** After a 401 to a request with `used`: whether there is something better to send. */
  async #answer(headers: Headers, used: string | undefined): Promise<boolean> {
    const proof = this.#proof;
    if (proof && proof.header !== used) return true;
    const challenge = challengeIn(headers.get('www-authenticate') ?? '');
    if (!challenge) return false;
    this.#challenge = challenge;
    await this.#renew(proof);
    return this.#proof !== undefined && this.#proof.header !== used;
  }

  /** Several requests that find the same proof stale wait for one fresh one. */
  async #renew(stale: Proof | undefined): Promise<void> {
    if (this.#proof !== stale) return;
    this.#renewal ??= this.#prove().then(
      (proof) => {
        this.#proof = proof;
        this.#renewal = undefined;
      },
      (error: unknown) => {
        this.#renewal = undefined;
        throw error;
      },
    );
    await this.#renewal;
  }

  async #prove(): Promise<Proof> {
    const { credential, url } = this.#asking;
    if (this.#challenge?.is === 'bearer') return this.#askForToken(this.#challenge);
    if (credential?.is === 'password') {
      return { header: basic(credential), expiresAt: Number.POSITIVE_INFINITY };
    }
    throw new Failure(`${url} wants a password; log in with docker login`);
  }

  async #askForToken({ realm, service }: { readonly realm: string; readonly service: string | undefined }) {
    const { credential, scope, signal, url } = this.#asking;
    const target = new URL(realm, url);
    expectSafe(target);
    const query = { ...(service !== undefined && { service }), scope };
    const answer = await (credential?.is === 'refresh token'
      ? exchange(target.href, { method: 'POST', body: refreshForm(credential.refreshToken, query), signal })
      : exchange(withQuery(target, query), {
          signal,
          headers: credential ? { Authorization: basic(credential) } : {},
        }));
    if (answer.status === 401 || answer.status === 403) throw this.#refusedLogin(answer);
    if (answer.status !== 200) throw refusalOf(answer);
    return proofIn(answer, url);
  }

  #refusedLogin(answer: Answer): Failure {
    const { message } = refusalOf(answer);
    return new Failure(`${message}; log in: stowage login ${this.#asking.url}`);
  }
}

const basic = ({ username, password }: { readonly username: string; readonly password: string }) =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

const refreshForm = (refreshToken: string, query: Readonly<Record<string, string>>) =>
  new URLSearchParams({
    ...query,
    grant_type: 'refresh_token',
    refresh_token: refreshToken,
    client_id: CLIENT,
  });

function withQuery(target: URL, query: Readonly<Record<string, string>>): string {
  for (const [name, value] of Object.entries(query)) target.searchParams.set(name, value);
  return target.href;
}

/** A registry says where passwords go; never in the clear over a network. */
function expectSafe({ protocol, hostname, origin }: URL): void {
  if (protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname))) return;
  throw new Failure(`it asks to log in at ${origin}, where passwords would cross a network in the clear`);
}

function proofIn({ body }: Answer, url: string): Proof {
  const { token, access_token: other, expires_in: life } = (body ?? {}) as Readonly<Record<string, unknown>>;
  const text = token ?? other;
  if (typeof text !== 'string') throw new Failure(`${url} gives out no token`);
  const seconds = typeof life === 'number' && life > 0 ? life : DEFAULT_LIFE_SECONDS;
  // A token of a very short life is used for half of it.
  const margin = Math.min(MARGIN_MS, seconds * 500);
  return { header: `Bearer ${text}`, expiresAt: Date.now() + seconds * 1000 - margin };
}

/** Bearer is preferred where both are offered. */
function challengeIn(header: string): Challenge | undefined {
  const bearer = /\bBearer\s+(.*)$/i.exec(header)?.[1];
  if (bearer === undefined) return /\bBasic\b/i.test(header) ? { is: 'basic' } : undefined;
  const parameters = new Map(
    [...bearer.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
  );
  const realm = parameters.get('realm');
  return realm === undefined ? undefined : { is: 'bearer', realm, service: parameters.get('service') };
}
