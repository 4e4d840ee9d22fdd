import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type App, completeHeaders } from '../functions/app.ts';
import type { Sender } from '../functions/front-door.ts';
import { clientGone } from '../functions/oci/errors.ts';
import { BufferPool } from './buffer-pool.ts';
import { receive } from './request.ts';
import { respond } from './response.ts';

export interface RunningServer {
  readonly url: string;
  /** Refuses new connections and resolves when every request under way has been answered. */
  close(): Promise<void>;
}

interface ServeOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** @default plain HTTP */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
  /** Whether a proxy says who sent a request, and how, in the last entries of X-Forwarded-For and -Proto.
   *  @default false - whoever sends a request could say so */
  readonly behindProxy?: boolean;
  /** Whether `GET /` is answered with 200 by the server itself, for a watchdog beside it that knows no secret. It says
   *  that the process lives, not that AWS does: another machine would not help there. @default false */
  readonly answersWatchdog?: boolean;
  /** Told what cut an answer short, where that was not the client, and to which request: `GET /v2/…`. @default nobody */
  readonly onError?: (error: unknown, request: string) => void;
}

/** A layer of any size over a line of any speed must get through: only silence ends a request. */
const IDLE_TIMEOUT_MS = 5 * 60_000;

/** Longer than clients and load balancers keep an idle connection, so that they close first. */
const KEEP_ALIVE_MS = 75_000;

const CLOSE_IDLE_MS = 50;

/** Serves the app over HTTP/1.1, with TLS or without, on Node's own server. Fails where the port is taken. */
export async function serve(app: App, options: ServeOptions): Promise<RunningServer> {
  const { tls, host, port, onError, behindProxy = false, answersWatchdog = false } = options;
  const buffers = new BufferPool();
  const server = create(tls, (incoming, outgoing) => {
    if (!server.listening) outgoing.setHeader('Connection', 'close');
    if (answersWatchdog && incoming.method === 'GET' && incoming.url === '/') {
      outgoing.end();
      return;
    }
    const sender = senderOf(incoming, tls ? 'https' : 'http', behindProxy);
    void answer((request) => app(request, sender), incoming, outgoing, onError, buffers);
  });
  await listen(server, host, port);
  const { address, port: bound, family } = server.address() as AddressInfo;
  const name = family === 'IPv6' ? `[${address}]` : address;
  return { url: `${tls ? 'https' : 'http'}://${name}:${bound}`, close: () => close(server) };
}

function create(tls: ServeOptions['tls'], listener: RequestListener): Server {
  const settings = { requestTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS };
  const server = tls ? createTlsServer({ ...settings, ...tls }, listener) : createServer(settings, listener);
  server.setTimeout(IDLE_TIMEOUT_MS);
  return server;
}

/** A proxy appends what it saw; whatever stands before that is what its client claims. */
function senderOf(
  { socket, headers }: IncomingMessage,
  scheme: Sender['scheme'],
  behindProxy: boolean,
): Sender {
  const last = (name: string) =>
    behindProxy ? `${headers[name] ?? ''}`.split(',').at(-1)?.trim() : undefined;
  return {
    address: last('x-forwarded-for') || (socket.remoteAddress ?? 'unknown'),
    scheme: last('x-forwarded-proto') === 'https' ? 'https' : scheme,
  };
}

async function answer(
  app: App,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  onError: ServeOptions['onError'],
  buffers: BufferPool,
): Promise<void> {
  try {
    // Of those that a client has sent one after the other without waiting, each has its turn: else they were open files by the hundred.
    if (!outgoing.socket) await once(outgoing, 'socket');
    const received = receive(incoming, untilGone(outgoing));
    // A connection that is closed under a client's upload loses it the answer: the rest is read, and lost.
    outgoing.on('finish', () => (received ? received.discardBody() : incoming.resume()));
    const response = received ? await app(received.request) : unreadable();
    await respond(incoming, outgoing, response, buffers);
  } catch (error) {
    // Without the query, which may hold what nobody should read in a log.
    const [path] = (incoming.url ?? '').split('?');
    if (!incoming.socket.destroyed) onError?.(error, `${incoming.method} ${path}`);
    outgoing.destroy(); // half an answer: a cut connection is the only honest end left
  }
}

/** What the standard knows no request for. */
function unreadable(): Response {
  const response = new Response(null, { status: 400 });
  completeHeaders(response);
  return response;
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

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve());
  });
}

/** Connections fall idle one by one as their requests are answered; clients would keep them open. */
function close(server: Server): Promise<void> {
  const timer = setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_MS);
  return new Promise((resolve, reject) => {
    server.close((error) => {
      clearInterval(timer);
      if (error) reject(error);
      else resolve();
    });
  });
}
