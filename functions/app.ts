import type { Authentication } from './auth/authentication.ts';
import { ANSWER_HEADERS } from './environment.ts';
import type { FrontDoor, Sender } from './front-door.ts';
import type { Readings } from './http/body.ts';
import { compressed } from './http/compressed.ts';
import { errorResponse } from './http/error-response.ts';
import { createRouter } from './http/router.ts';
import type { Names } from './http/web-pages.ts';
import type { RegistryError } from './oci/errors.ts';
import type { Registry } from './registry/registry.ts';
import type { Room } from './registry/room.ts';
import { ALL_ROUTES, OPEN_ROUTES, type Route } from './routes.ts';
import type { StreamGate } from './stream/gate.ts';
import type { Page } from './ui/page.ts';
import { DEFAULT_LEASE, type Lease } from './upkeep/lease.ts';
import { Visit } from './visit.ts';

export type { Reading, Readings } from './http/body.ts';
export { isUnrequested, withMethod } from './http/unrequested.ts';
export type { Names };

export type App = (request: Request, sender?: Sender) => Promise<Response>;

/** What a host can log of a request. */
export interface Answered {
  readonly request: Request;
  readonly response: Response;
  /** The route's name; absent where no route was found. */
  readonly operation?: string;
  /** As the path names it, which need not be a name at all. */
  readonly repository?: string;
  /** `user:alice`, `anonymous`; `everybody` in a registry without users. */
  readonly principal: string;
  readonly address: string;
  /** As the answer carries it; absent where the host gave none. */
  readonly requestId?: string;
  /** Milliseconds since 1970. */
  readonly started: number;
  /** Until the answer began; a body may go on after it. */
  readonly milliseconds: number;
  /** What went wrong where it is not the client's doing. */
  readonly cause?: unknown;
}

interface AppOptions {
  readonly registry: Registry;
  /** @default there is room without end */
  readonly room?: Room | undefined;
  /** @default none: a registry without users, where everybody may do everything */
  readonly authentication?: Authentication | undefined;
  /** The only way in. @default none: whoever reaches the host is let in */
  readonly front?: FrontDoor | undefined;
  /** Wakes the stream host. @default there is none that sleeps */
  readonly stream?: StreamGate | undefined;
  /** What it is called. @default with users whatever clients name as host; without, localhost */
  readonly names?: Names | undefined;
  /** Milliseconds after which a request that still loses races gives up, where its host ends it. @default only the races count */
  readonly racesMs?: number;
  /** The web page. @default none */
  readonly page?: Page | undefined;
  /** How long sweeps leave things alone. @default DEFAULT_LEASE */
  readonly lease?: Lease;
  /** The memory and the time for bodies that are read whole. @default without bounds */
  readonly readings?: Readings | undefined;
  /** Called once for each request, before the response is handed out. */
  readonly onAnswer?: (answered: Answered) => void;
}

/** Says in each answer what the log calls its request; docs/logs.md. */
export const REQUEST_ID = 'X-Request-Id';

const NOWHERE: Sender = { address: 'unknown', scheme: 'http' };

/** The registry over HTTP: finds the route, checks what the caller may do, and turns errors into answers. */
export function createApp({
  registry,
  room,
  authentication,
  front,
  stream,
  names = { hosts: [], any: authentication !== undefined },
  page,
  lease = DEFAULT_LEASE,
  racesMs,
  readings,
  onAnswer,
}: AppOptions): App {
  const match = createRouter<Route>(authentication ? ALL_ROUTES : OPEN_ROUTES);
  return async (request, hostsSender = NOWHERE) => {
    const started = registry.now();
    const told = front ? front.senderOf(request) : hostsSender;
    const sender = told ?? hostsSender;
    const visit = new Visit({
      registry,
      room,
      authentication,
      front,
      stream,
      names,
      page,
      lease,
      racesMs,
      readings,
      request,
      sender,
      isAdmitted: told !== undefined,
      refused: hostsSender.refused,
    });
    const { response: whole, cause } = await visit.answer(match);
    const isApi = new URL(request.url).pathname.startsWith('/api/');
    const response = isApi ? await compressed(request, whole) : whole;
    completeHeaders(response);
    const { requestId } = hostsSender;
    if (requestId !== undefined) response.headers.set(REQUEST_ID, requestId);
    const { operation, repository, principal } = visit;
    onAnswer?.({
      request,
      response,
      principal,
      address: sender.address,
      started,
      milliseconds: registry.now() - started,
      ...(requestId !== undefined && { requestId }),
      ...(operation !== undefined && { operation }),
      ...(repository !== undefined && { repository }),
      ...(cause !== undefined && { cause }),
    });
    return response;
  };
}

/** The answer of a host by itself, to what is no request for the app. */
export function refuse(error: RegistryError): Response {
  const response = errorResponse(error, '');
  completeHeaders(response);
  return response;
}

/** Puts on an answer what every answer carries, where it does not say otherwise itself, as the page does; a host does so where it answers by itself. An empty body has a length too,
 *  except where HTTP forbids to say so. */
export function completeHeaders({ status, headers, body }: Response): void {
  headers.set('Docker-Distribution-Api-Version', 'registry/2.0');
  for (const [name, value] of Object.entries(ANSWER_HEADERS))
    if (!headers.has(name)) headers.set(name, value);
  if (!body && status !== 204 && status !== 304 && !headers.has('content-length'))
    headers.set('Content-Length', '0');
}
