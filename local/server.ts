import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../functions/app.ts';
import type { Sender } from '../functions/front-door.ts';
import { networkOf } from '../functions/identity/network.ts';
import { clientGone, RegistryError } from '../functions/oci/errors.ts';
import { registryBusy, tooManyRequests } from '../functions/oci/host-errors.ts';
import { answerBadRequests, badRequest, refusalOf } from './bad-requests.ts';
import { type Bounds, boundsFrom } from './bounds.ts';
import { BufferPool } from './buffer-pool.ts';
import type { Certificate } from './certificate.ts';
import { type Connection, Connections } from './connections.ts';
import { Gate, type Visitor } from './gate.ts';
import { Pace } from './pace.ts';
import { incomingBody, requestOf } from './request.ts';
import { respond } from './response.ts';
import { Stalls } from './stalls.ts';

export interface RunningServer {
  readonly url: string;
  /** Whether a request is under way, or one was since this was asked last that was not refused. */
  wasBusy(): boolean;
  /** Refuses new connections, gives the requests under way the time that they have to be answered, and cuts those that are
   *  not. */
  close(): Promise<void>;
  /** Shows this certificate to whoever connects from now on. Does nothing without TLS. */
  renew(tls: Tls): void;
}

type Tls = Pick<Certificate, 'cert' | 'key'>;

interface ServeOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** @default plain HTTP */
  readonly tls?: Tls;
  /** How many proxies in a row say who sent a request, and how, in the last entries of X-Forwarded-For and -Proto.
   *  @default 0 - whoever sends a request could say so */
  readonly proxies?: number;
  /** Whether `GET /` is answered with 200 by the server itself, for a watchdog beside it that knows no secret. It says
   *  that the process lives, not that AWS does: another machine would not help there. @default false */
  readonly answersWatchdog?: boolean;
  /** Whether clients come by way of CloudFront, whose addresses tell nothing of theirs. @default false */
  readonly behindFront?: boolean;
  /** @default those of a registry without settings */
  readonly bounds?: Bounds;
  /** Told what cut an answer short, where that was not the client, and to which request: `GET /v2/…`. @default nobody */
  readonly onError?: (error: unknown, request: string) => void;
}

/** Only silence ends the download of a layer of any size over a line of any speed. */
const IDLE_TIMEOUT_MS = 5 * 60_000;

/** Longer than clients and load balancers keep an idle connection, so that they close first. */
const KEEP_ALIVE_MS = 75_000;

/** A client that keeps one token asks for hundreds of scopes in one URL; podman asks for a thousand ranges of a blob. */
const MAX_HEAD_BYTES = 64 * 1024;

/** How exactly the time of a request's head is kept. */
const HEAD_CHECK_MS = 1000;

const CLOSE_IDLE_MS = 50;

/** What a request that is cut has to end in before the stores are closed under it. */
const LAST_MS = 1000;

/** Few clients send a request before they have the answer to the last. */
const MAX_PIPELINED = 100;

/** Serves the app over HTTP/1.1, with TLS or without, on Node's own server. Fails where the port is taken. */
export async function serve(app: App, options: ServeOptions): Promise<RunningServer> {
  const host = new Host(app, options);
  await host.listen();
  return host;
}

class Host implements RunningServer {
  readonly #app: App;
  readonly #options: ServeOptions;
  readonly #bounds: Bounds;
  readonly #server: Server;
  readonly #connections: Connections;
  readonly #gate: Gate;
  readonly #pace: Pace;
  readonly #stalls: Stalls;
  readonly #buffers = new BufferPool();
  readonly #underWay = new Set<Promise<void>>();
  #isAsked = false;
  readonly #answers = new WeakMap<Socket, ServerResponse>();
  url = '';

  constructor(app: App, options: ServeOptions) {
    const { tls, proxies = 0, behindFront = false, bounds = boundsFrom({}) } = options;
    [this.#app, this.#options, this.#bounds] = [app, options, bounds];
    this.#server = create(tls, bounds, (incoming, outgoing) => this.#take(incoming, outgoing));
    answerBadRequests(this.#server, this.#answers);
    const { connections: all, connectionsPerAddress } = bounds;
    const perAddress = proxies > 0 || behindFront ? undefined : connectionsPerAddress;
    this.#connections = new Connections(this.#server, { all, perAddress });
    const { requests, requestsPerAddress, waitMs, paceMs } = bounds;
    this.#gate = new Gate({
      all: requests,
      perAddress: requestsPerAddress,
      patienceMs: waitMs,
      stallMs: paceMs,
    });
    this.#pace = new Pace(paceMs);
    this.#stalls = new Stalls(paceMs);
  }

  async listen(): Promise<void> {
    const { host, port, tls } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, resolve);
    });
    const { address, port: bound, family } = this.#server.address() as AddressInfo;
    this.url = `${tls ? 'https' : 'http'}://${family === 'IPv6' ? `[${address}]` : address}:${bound}`;
  }

  wasBusy(): boolean {
    const isBusy = this.#isAsked || this.#underWay.size > 0;
    this.#isAsked = false;
    return isBusy;
  }

  /** Connections fall idle one by one as their requests are answered; clients would keep them open. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => void this.#server.close(resolve));
    const timer = setInterval(() => this.#server.closeIdleConnections(), CLOSE_IDLE_MS);
    await Promise.race([closed, sleep(this.#bounds.stopMs, undefined, { ref: false })]);
    clearInterval(timer);
    this.#connections.destroyAll();
    await closed;
    await Promise.race([Promise.all(this.#underWay), sleep(LAST_MS, undefined, { ref: false })]);
    this.#pace.stop();
    this.#stalls.stop();
  }

  renew({ cert, key }: Tls): void {
    if (this.#server instanceof TlsServer) this.#server.setSecureContext({ cert, key });
  }

  #take(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const connection = this.#connections.begin(incoming.socket);
    if (!connection || connection.requests > MAX_PIPELINED) {
      incoming.socket.destroy();
      return;
    }
    const closed = new Promise<void>((resolve) => void outgoing.once('close', resolve));
    void closed.then(() => this.#connections.end(connection));
    if (!this.#server.listening || connection.surplus) outgoing.setHeader('Connection', 'close');
    if (this.#options.answersWatchdog && incoming.method === 'GET' && incoming.url === '/') {
      outgoing.end();
      return;
    }
    const answered = this.#answer(incoming, outgoing, { connection, closed }).catch((error: unknown) => {
      // Without the query, which may hold what nobody should read in a log.
      const [path] = (incoming.url ?? '').split('?');
      if (!incoming.socket.destroyed) this.#options.onError?.(error, `${incoming.method} ${path}`);
      outgoing.destroy(); // half an answer: a cut connection is the only honest end left
    });
    this.#underWay.add(answered);
    void answered.finally(() => this.#underWay.delete(answered));
  }

  async #answer(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    { connection, closed }: { readonly connection: Connection; readonly closed: Promise<void> },
  ): Promise<void> {
    const { tls, proxies = 0, behindFront = false } = this.#options;
    if (!(await hasTurn(incoming, outgoing))) return;
    this.#answers.set(incoming.socket, outgoing);
    const gone = untilGone(outgoing);
    const body = this.#bodyOf(incoming);
    // A connection that is closed under a client's upload loses it the answer: the rest is read, and lost.
    outgoing.on('finish', () => (body ? body.discard() : incoming.resume()));
    const refusal = refusalOf(incoming);
    const request = refusal ? undefined : requestOf(incoming, body, gone);
    if (!request) return respond(incoming, outgoing, badRequest(refusal), this.#buffers);
    const sender = senderOf(incoming, tls ? 'https' : 'http', proxies);
    // Who asks whether the process lives is told so, however many others wait.
    const entry: Entry =
      incoming.url === '/healthz'
        ? { is: 'admitted', leave: () => undefined }
        : await this.#admit(
            connection,
            this.#visitor(outgoing, behindFront ? undefined : networkOf(sender.address)),
            gone,
          );
    try {
      const refused = entry.is === 'refused' ? entry.error : undefined;
      const response = await this.#app(request, { ...sender, ...(refused && { refused }) });
      // Who is refused keeps no host awake: a stranger could for ever.
      if (response.status < 400) this.#isAsked = true;
      await respond(incoming, outgoing, response, this.#buffers);
      await closed;
    } finally {
      if (entry.is === 'admitted') entry.leave();
    }
  }

  #bodyOf(incoming: IncomingMessage) {
    const body = incomingBody(incoming);
    if (!body) return undefined;
    this.#pace.watch(body);
    incoming.once('close', () => this.#pace.forget(body));
    return body;
  }

  #visitor(outgoing: ServerResponse, address: string | undefined): Visitor {
    this.#stalls.watch(outgoing);
    const stalls = this.#stalls;
    return {
      address,
      get stalledMs() {
        return stalls.stalledMs(outgoing);
      },
      cut: () => outgoing.destroy(),
    };
  }

  async #admit({ surplus }: Connection, visitor: Visitor, gone: AbortSignal): Promise<Entry> {
    if (surplus)
      return { is: 'refused', error: surplus === 'ofAddress' ? tooManyRequests() : registryBusy() };
    try {
      return { is: 'admitted', leave: await this.#gate.enter(visitor, gone) };
    } catch (error) {
      if (error instanceof RegistryError) return { is: 'refused', error };
      throw error;
    }
  }
}

type Entry =
  | { readonly is: 'admitted'; readonly leave: () => void }
  | { readonly is: 'refused'; readonly error: RegistryError };

function create(tls: ServeOptions['tls'], { headMs }: Bounds, listener: RequestListener): Server {
  const settings = {
    requestTimeout: 0, // a layer may take as long as it likes
    headersTimeout: headMs,
    requireHostHeader: false, // else Node answers by itself
    maxHeaderSize: MAX_HEAD_BYTES,
    connectionsCheckingInterval: Math.min(HEAD_CHECK_MS, headMs),
    keepAliveTimeout: KEEP_ALIVE_MS,
  };
  const server = tls
    ? createTlsServer({ ...settings, handshakeTimeout: headMs, ...tls }, listener)
    : createServer(settings, listener);
  server.on('checkExpectation', listener); // for what is not 100-continue
  server.setTimeout(IDLE_TIMEOUT_MS);
  return server;
}

/** Of those that a client has sent one after the other without waiting, each has its turn: else they were open files by the hundred.
 *  Answers whether it came before the connection ended. */
async function hasTurn(incoming: IncomingMessage, outgoing: ServerResponse): Promise<boolean> {
  if (!outgoing.socket) await Promise.race([once(outgoing, 'socket'), once(incoming, 'close')]);
  return Boolean(outgoing.socket);
}

/** Each proxy appends what it saw; whatever stands before the first one's word is what the client claims. */
function senderOf({ socket, headers }: IncomingMessage, scheme: Sender['scheme'], proxies: number): Sender {
  const told = (name: string) => {
    const entries = proxies > 0 ? `${headers[name] ?? ''}`.split(',') : [];
    // Some proxies put their word in the place of the one before.
    return entries.at(-Math.min(proxies, entries.length))?.trim();
  };
  return {
    requestId: randomUUID(),
    address: told('x-forwarded-for') || (socket.remoteAddress ?? 'unknown'),
    scheme: told('x-forwarded-proto') === 'https' ? 'https' : scheme,
  };
}

/** Fires where the connection ends before the answer did: by the client, which has to leave its side open until then (Node closes
 *  ours with it), by silence, or since the answer failed. */
function untilGone(outgoing: ServerResponse): AbortSignal {
  const gone = new AbortController();
  outgoing.on('close', () => {
    if (!outgoing.writableFinished) gone.abort(clientGone());
  });
  return gone.signal;
}
