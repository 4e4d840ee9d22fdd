import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { App } from '../functions/app.ts';
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
  /** Told what cut an answer short after it had begun, where that was not the client. @default nobody */
  readonly onError?: (error: unknown) => void;
}

/** A layer of any size over a line of any speed must get through: only silence ends a request. */
const IDLE_TIMEOUT_MS = 5 * 60_000;

/** Longer than clients and load balancers keep an idle connection, so that they close first. */
const KEEP_ALIVE_MS = 75_000;

const CLOSE_IDLE_MS = 50;

/** Serves the app over HTTP/1.1 on Node's own server. Fails where the port is taken. */
export async function serve(app: App, options: ServeOptions): Promise<RunningServer> {
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS });
  server.setTimeout(IDLE_TIMEOUT_MS);
  server.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    if (!server.listening) outgoing.setHeader('Connection', 'close');
    void answer(app, incoming, outgoing, options.onError);
  });
  await listen(server, options.host, options.port);
  const { address, port: bound } = server.address() as AddressInfo;
  return { url: `http://${address}:${bound}`, close: () => close(server) };
}

async function answer(
  app: App,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  onError?: (error: unknown) => void,
): Promise<void> {
  try {
    const received = receive(incoming);
    // A connection that is closed under a client's upload loses it the answer: the rest is read, and lost.
    outgoing.on('finish', () => (received ? received.discardBody() : incoming.resume()));
    const response = received ? await app(received.request) : new Response(null, { status: 400 });
    await respond(incoming, outgoing, response);
  } catch (error) {
    if (!incoming.socket.destroyed) onError?.(error);
    outgoing.destroy(); // half an answer: a cut connection is the only honest end left
  }
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
