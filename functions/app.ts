import { type Access, everything } from './auth/access.ts';
import { type Call, repositoryOf } from './handlers/call.ts';
import { errorResponse } from './http/error-response.ts';
import { createRouter } from './http/router.ts';
import {
  endpointUnknown,
  methodUnsupported,
  nameInvalid,
  RegistryError,
  unauthorized,
} from './oci/errors.ts';
import type { Registry } from './registry/registry.ts';
import { ROUTES, type Route } from './routes.ts';

export type App = (request: Request) => Promise<Response>;

/** What a host can log of a request. */
export interface Answered {
  readonly request: Request;
  readonly response: Response;
  /** The route's name; absent where no route was found. */
  readonly operation?: string;
  /** Milliseconds since 1970. */
  readonly started: number;
  /** Until the answer began; a body may go on after it. */
  readonly milliseconds: number;
  /** What went wrong where it is not the client's doing. */
  readonly cause?: unknown;
}

type Outcome = Pick<Answered, 'response' | 'operation' | 'cause'>;

interface AppOptions {
  readonly registry: Registry;
  /** Called once for each request, before the response is handed out. */
  readonly onAnswer?: (answered: Answered) => void;
}

/** The registry over HTTP: finds the route, checks what the caller may do, and turns errors into answers. */
export function createApp({ registry, onAnswer }: AppOptions): App {
  const match = createRouter<Route>(ROUTES);
  const access: Access = everything;

  async function answer(request: Request): Promise<Outcome> {
    let operation: string | undefined;
    try {
      const url = new URL(request.url);
      const found = match(request.method, decodedPath(url.pathname));
      if (found.is === 'unknown') throw endpointUnknown();
      if (found.is === 'wrongMethod') throw methodUnsupported(found.allow);
      operation = found.endpoint.operation;
      const call = { request, params: found.params, query: url.searchParams, registry, access };
      authorize(found.endpoint, call);
      return { operation, response: await found.endpoint.handler(call) };
    } catch (error) {
      const cause = error instanceof RegistryError ? {} : { cause: error };
      return { ...(operation && { operation }), response: errorResponse(error), ...cause };
    }
  }

  return async (request) => {
    const started = registry.now();
    const outcome = await answer(request);
    completeHeaders(outcome.response);
    onAnswer?.({ request, started, milliseconds: registry.now() - started, ...outcome });
    return outcome.response;
  };
}

/** What every answer carries. An empty body has a length too, except where HTTP forbids to say so. */
function completeHeaders({ status, headers, body }: Response): void {
  headers.set('Docker-Distribution-Api-Version', 'registry/2.0');
  if (!body && status !== 204 && status !== 304 && !headers.has('content-length'))
    headers.set('Content-Length', '0');
}

function authorize({ action }: Route, call: Call): void {
  if (action && !call.access.may(action, repositoryOf(call))) throw unauthorized();
}

/** API Gateway hands out paths decoded; every host does, so that all answer alike. */
function decodedPath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw nameInvalid(path);
  }
}
