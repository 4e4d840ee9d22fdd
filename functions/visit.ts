import { everybody, stranger } from './auth/access.ts';
import type { Authentication, Bearer } from './auth/authentication.ts';
import { demand, loginFirst } from './auth/challenge.ts';
import { type FrontDoor, goToFrontDoor, type Sender } from './front-door.ts';
import { type Call, repositoryOf } from './handlers/call.ts';
import type { Readings } from './http/body.ts';
import { errorResponse, warningOf } from './http/error-response.ts';
import type { Match, Params } from './http/router.ts';
import { HOST, type Names, refusePages } from './http/web-pages.ts';
import { type AuditRecord, recordAudit } from './identity/audit.ts';
import { AuditEntry } from './identity/audit-entry.ts';
import { endpointUnknown, methodUnsupported, nameInvalid, RegistryError } from './oci/errors.ts';
import { parseRepositoryName } from './oci/reference.ts';
import type { Registry } from './registry/registry.ts';
import type { Room } from './registry/room.ts';
import { registryUntil } from './registry/until.ts';
import type { Route } from './routes.ts';
import type { StreamGate } from './stream/gate.ts';
import type { Page } from './ui/page.ts';
import type { Lease } from './upkeep/lease.ts';

/** What load balancers ask, without a login. */
const PROBES = ['/healthz', '/readyz'];

interface VisitOptions {
  readonly registry: Registry;
  readonly room: Room | undefined;
  readonly authentication: Authentication | undefined;
  readonly front: FrontDoor | undefined;
  readonly stream: StreamGate | undefined;
  readonly names: Names;
  readonly page: Page | undefined;
  readonly lease: Lease;
  readonly racesMs: number | undefined;
  readonly readings: Readings | undefined;
  readonly request: Request;
  readonly sender: Sender;
  /** Whether it came through the front door, where there is one. */
  readonly isAdmitted: boolean;
  readonly refused: RegistryError | undefined;
}

/** One request on its way through the registry, and what is known of it so far. */
export class Visit {
  operation: string | undefined;
  repository: string | undefined;
  principal: string = stranger.principal;
  readonly #options: VisitOptions;
  readonly #registry: Registry;
  readonly #failed = new AbortController();
  #route: Route | undefined;
  #target: string | undefined;
  /** Of what is to be in the trail however it ends. */
  #entry: AuditEntry | undefined;

  constructor(options: VisitOptions) {
    this.#options = options;
    const { registry, request, racesMs } = options;
    const signal = AbortSignal.any([request.signal, this.#failed.signal]);
    this.#registry = registryUntil(registry, signal, racesMs);
  }

  async answer(match: (method: string, path: string) => Match<Route>) {
    try {
      const response = await this.#handle(match);
      await this.#audit(response.status);
      return { response, cause: undefined };
    } catch (error) {
      return this.#refuse(error);
    }
  }

  async #handle(match: (method: string, path: string) => Match<Route>): Promise<Response> {
    const { request, front, isAdmitted, refused, names, page, authentication } = this.#options;
    if (refused) throw refused;
    if (!isAdmitted) throw goToFrontDoor(authentication?.publicUrl);
    const url = new URL(request.url);
    const isProbe = PROBES.includes(url.pathname);
    const shown = await page?.answer(request, readablePath(request));
    // Whatever links to the page may: what it shows, it asks for itself.
    refusePages(request, this.#host, { names, isOpen: !authentication && !shown, isProbe });
    if (shown) {
      this.operation = 'page.get';
      return shown;
    }
    const found = match(request.method, decodedPath(url.pathname));
    if (found.is === 'unknown') throw endpointUnknown();
    if (found.is === 'wrongMethod') throw methodUnsupported(request.method, found.allow);
    const { endpoint, params } = found;
    this.#route = endpoint;
    this.operation = endpoint.operation;
    this.repository = params['name'];
    const { caller } = await this.#authorize(endpoint, params, url.searchParams);
    const { sender, lease, readings, room, stream } = this.#options;
    if (isPush(endpoint)) room?.require();
    const registry = { ...this.#registry, actor: caller.principal, table: this.#auditedTable(endpoint) };
    const host = this.#saidHost ?? '';
    const call = {
      request,
      params,
      query: url.searchParams,
      registry,
      caller,
      authentication,
      room,
      stream,
      lease,
      host,
      origin: this.#origin(authentication),
      readings,
    };
    const about = (target: string) => {
      this.#target = target;
    };
    const loggedIn = (principal: string) => {
      this.principal = principal;
    };
    const whole = { ...call, uploads: front?.uploads, address: sender.address, about, loggedIn };
    try {
      return await endpoint.handler(whole);
    } catch (error) {
      throw this.#hasToLogIn(endpoint, error) ?? error;
    }
  }

  /** Who has not logged in hears of what it cannot see that it has to, whether it exists or not. */
  #hasToLogIn({ need }: Route, error: unknown): RegistryError | undefined {
    const { authentication } = this.#options;
    const isHidden = error instanceof RegistryError && error.code === 'NAME_UNKNOWN';
    const isStranger = need === 'view' && this.principal === stranger.principal;
    if (!authentication || !isHidden || !isStranger) return undefined;
    return loginFirst(this.repository ?? '', this.#origin(authentication));
  }

  async #authorize(
    { need, path }: Route,
    params: Params,
    query: URLSearchParams,
  ): Promise<Pick<Call, 'caller'>> {
    const { authentication, request } = this.#options;
    const isAction = need === 'pull' || need === 'push' || need === 'delete';
    const repository = isAction ? repositoryOf({ params }) : undefined;
    if (!authentication) {
      this.principal = everybody.principal;
      return { caller: everybody };
    }
    if (need === 'nothing') return { caller: stranger };
    const bearer: Bearer = await authentication.bearerOf(
      request,
      this.#registry,
      path.startsWith('/api/') ? this.#origin(authentication) : undefined,
    );
    this.principal = bearer.caller.principal;
    const also = parseRepositoryName(query.get('from') ?? '');
    await demand(bearer, { need, repository, also, origin: this.#origin(authentication) });
    return bearer;
  }

  /** What the client named as host. */
  get #host(): string | null {
    const { request, sender } = this.#options;
    return sender.host ?? request.headers.get('host');
  }

  /** The same, where it can be one. */
  get #saidHost(): string | undefined {
    const said = HOST.exec(this.#host ?? '')?.[0];
    return URL.canParse(`http://${said}`) ? said : undefined;
  }

  /** Where clients reach the registry; what a request names as its host is only good for its own answer. */
  #origin(authentication: Authentication | undefined): string {
    return authentication?.publicUrl ?? `${this.#options.sender.scheme}://${this.#saidHost ?? 'localhost'}`;
  }

  /** What the handler has begun, and does not wait for since something else has failed, ends with it. */
  async #refuse(error: unknown): Promise<{ response: Response; cause: unknown }> {
    this.#failed.abort(error);
    const path = readablePath(this.#options.request);
    const response = this.#errorResponse(error, path);
    const isTold = error instanceof RegistryError;
    if (!isTold && !this.#entry?.isWritten) return { response, cause: error };
    // What the client is told is the log's, too, with more of it where it is not the client's doing.
    const isClients = isTold && error.status < 500 && error.cause === undefined;
    const fault = isClients ? undefined : error;
    if (isTold && error.status === 403 && this.#options.request.method === 'HEAD')
      response.headers.set('Warning', warningOf(error));
    try {
      await this.#audit(response.status);
      return { response, cause: fault };
    } catch (cause) {
      return { response: this.#errorResponse(cause, path), cause };
    }
  }

  #errorResponse(error: unknown, path: string): Response {
    return errorResponse(this.#options.room?.refusalOf(error) ?? error, path);
  }

  /** A trail with holes is none: where it cannot be written, the request fails. Strangers are only let in where
   *  nothing is to be told of them. */
  async #audit(status: number): Promise<void> {
    const { registry, authentication } = this.#options;
    const isTold = status === 403 || (this.#route?.audited && status !== 401);
    if (!authentication || !isTold || !this.operation) return;
    const record = this.#record(this.operation, status);
    await (this.#entry ? this.#entry.settle(record) : recordAudit(registry, record));
  }

  /** Where the trail is to have what is done, the table does nothing without it. */
  #auditedTable({ audited, operation }: Route): Registry['table'] {
    if (audited === undefined || !this.#options.authentication) return this.#registry.table;
    this.#entry = new AuditEntry(this.#registry, () => this.#record(operation, audited));
    return this.#entry.table;
  }

  #record(operation: string, status: number): AuditRecord {
    const { registry, request, sender } = this.#options;
    return {
      time: registry.now(),
      principal: this.principal,
      operation,
      outcome: status === 403 ? 'refused' : status < 400 ? 'allowed' : 'failed',
      status,
      repository: this.repository,
      target: this.#target ?? readablePath(request),
      address: sender.address,
      userAgent: request.headers.get('user-agent') ?? '',
    };
  }
}

/** What adds to the registry; a cancelled upload does not. */
const isPush = ({ need, method }: Route) => need === 'push' && ['POST', 'PATCH', 'PUT'].includes(method);

/** As `decodedPath`, also for one that is not readable. */
function readablePath({ url }: Request): string {
  const { pathname } = new URL(url);
  try {
    return decodeURIComponent(pathname);
  } catch {
    return pathname;
  }
}

/** API Gateway hands out paths decoded; every host does, so that all answer alike. */
function decodedPath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw nameInvalid(path);
  }
}
