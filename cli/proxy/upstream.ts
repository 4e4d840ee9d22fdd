import { denied, RegistryError } from '../../functions/oci/errors.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import { USER_AGENT } from '../exchange.ts';
import { Failure, PassingFailure } from '../failure.ts';
import type { Credential } from '../log-in.ts';
import { Authorization } from '../push/authorization.ts';
import { Repository } from '../push/repository.ts';

interface UpstreamOptions {
  /** Of the registry, without a slash at the end. */
  readonly url: string;
  readonly credential: Credential | undefined;
  readonly signal: AbortSignal;
}

/** A request that goes on to the registry as it is. */
export interface Passed {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Headers;
  readonly body?: Uint8Array<ArrayBuffer> | undefined;
  /** What the token for it must allow. */
  readonly scope: string;
}

/** Of a request what the registry has to know; who asks there is us. */
const REQUEST_HEADERS = ['accept', 'content-type', 'range', 'if-none-match', 'if-range'];

/** Of an answer what is about our connection, or about the login that clients do without here. */
const OUR_HEADERS = ['connection', 'keep-alive', 'transfer-encoding', 'www-authenticate', 'content-encoding'];

/** So many names are remembered with their tokens. */
const MAX_AUTHORIZATIONS = 1000;

/** The registry behind the proxy, as the login that the proxy has sees it. */
export class Upstream {
  readonly #options: UpstreamOptions;
  readonly #authorizations = new Map<string, Authorization>();

  constructor(options: UpstreamOptions) {
    this.#options = options;
  }

  repository(name: RepositoryName): Repository {
    const { url, signal } = this.#options;
    return new Repository({ url, name, signal, authorization: this.#authorization(pushScope(name)) });
  }

  /** The registry's answer, of which redirects are for the client to follow. DENIED where the proxy's login does not do. */
  async pass({ method, path, headers, body, scope }: Passed): Promise<Response> {
    const { url, signal } = this.#options;
    const kept = REQUEST_HEADERS.flatMap((name) => {
      const value = headers.get(name);
      return value === null ? [] : [[name, value] as const];
    });
    const answer = await this.#authorization(scope)
      .send((header) => {
        const proof = header === undefined ? {} : { Authorization: header };
        const sent = {
          ...Object.fromEntries(kept),
          ...proof,
          'User-Agent': USER_AGENT,
          'Accept-Encoding': 'identity',
        };
        return fetch(`${url}${path}`, {
          ...{ method, signal, headers: sent, redirect: 'manual' },
          ...(body && { body }),
        });
      })
      .catch((error: unknown) => {
        throw refusalFor(error, url);
      });
    if (answer.status === 401) {
      await answer.body?.cancel();
      throw denied(`the registry lets the login of this proxy not in: stowage login ${url}`);
    }
    return new Response(answer.body, { status: answer.status, headers: this.#headersOf(answer) });
  }

  #headersOf({ headers }: Response): Headers {
    const passed = new Headers(headers);
    for (const name of OUR_HEADERS) passed.delete(name);
    const location = headers.get('location');
    // To another place of the registry a client would not find by way of us; what is ours it asks us for.
    if (location?.startsWith('/') && !location.startsWith('/v2/'))
      passed.set('location', new URL(location, this.#options.url).href);
    return passed;
  }

  #authorization(scope: string): Authorization {
    const known = this.#authorizations.get(scope);
    if (known) return known;
    const authorization = new Authorization({ ...this.#options, scope });
    this.#authorizations.set(scope, authorization);
    const [eldest] = this.#authorizations.keys();
    if (this.#authorizations.size > MAX_AUTHORIZATIONS && eldest !== undefined)
      this.#authorizations.delete(eldest);
    return authorization;
  }
}

export const pushScope = (name: string) => `repository:${name}:pull,push`;

/** What a client is told of a registry that could not be asked, or that refused: a 5xx where trying again may help. */
export function refusalFor(error: unknown, url: string): unknown {
  if (error instanceof PassingFailure || error instanceof TypeError) {
    const why = error instanceof PassingFailure ? error.message : `cannot reach ${url}: ${causeOf(error)}`;
    return new RegistryError('UNKNOWN', why, { status: 503 });
  }
  return error instanceof Failure ? denied(error.message) : error;
}

const causeOf = ({ cause, message }: Error) => (cause instanceof Error ? cause.message || message : message);
