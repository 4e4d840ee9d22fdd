import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Counters } from './counters.ts';
import type { Faults } from './faults.ts';
import { MAX_HEAD_BYTES } from './limits.ts';
import { type Origin, Origins } from './origins.ts';
import type { EdgeFunctions } from './runtime.ts';
import type { TrustedKey } from './signed-urls.ts';
import { Visit } from './visit.ts';

// CloudFront's distribution as lib/front-door.ts makes it, as far as clients, functions and origins can tell, over plain
// HTTP/1.1. What it does not have: TLS, HTTP/2 and 3, a cache (the default behaviour has none either).

export interface FrontOptions {
  /** @default - any free one */
  readonly port?: number;
  readonly edge: EdgeFunctions;
  /** By id, as the functions choose among them. */
  readonly origins: Readonly<Record<string, Origin>>;
  /** Whose signed URLs the behaviour of `/blobs/*` takes. @default - there is no such behaviour */
  readonly downloads?: TrustedKey;
  /** The hosts that it answers for. @default - any */
  readonly names?: readonly string[];
  readonly counters: Counters;
  readonly faults: Faults;
}

export interface Front {
  readonly url: string;
  /** Resolves when every request under way has been answered. */
  close(): Promise<void>;
}

/** As long as CloudFront keeps the idle connection of a client, about. */
const KEEP_ALIVE_MS = 60_000;

const CLOSE_IDLE_MS = 50;

/** Starts the front door on this machine. */
export async function startFront(options: FrontOptions): Promise<Front> {
  const origins = new Origins();
  const settings = { keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0, maxHeaderSize: 4 * MAX_HEAD_BYTES };
  const server = createServer(settings, (incoming: IncomingMessage, outgoing: ServerResponse) => {
    new Visit({ ...options, connections: origins, incoming, outgoing }).answer().catch((error: unknown) => {
      // Of a client that has gone, nobody has to be told.
      if (!incoming.socket.destroyed) process.stderr.write(`stowage: the front door failed: ${error}\n`);
      outgoing.destroy();
    });
  });
  await once(server.listen(options.port ?? 0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      const timer = setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_MS);
      server.close();
      await once(server, 'close');
      clearInterval(timer);
      origins.close();
    },
  };
}
