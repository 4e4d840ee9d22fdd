import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { ORIGINS } from '../../../functions/environment.ts';
import { Counters } from './counters.ts';
import { Faults } from './faults.ts';
import type { Origin } from './origins.ts';
import type { EdgeFunctions } from './runtime.ts';
import { type Front, type FrontOptions, startFront } from './server.ts';

/** What an origin was sent. */
interface Seen {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Scene {
  readonly front: Front;
  readonly counters: Counters;
  readonly faults: Faults;
  /** In the order of their arrival. */
  readonly seen: readonly Seen[];
}

type Listener = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

/** Functions that let everything through to the API as it is. */
export const TRANSPARENT: EdgeFunctions = {
  viewerRequest: async (sent) => ({ is: 'request', request: sent, origin: ORIGINS.api }),
  viewerResponse: async (_, response) => response,
};

/** A front door of its own for a test, with one origin that keeps what it is sent. */
export async function openScene(
  options: Partial<FrontOptions> & { origin?: Partial<Origin>; answer?: Listener } = {},
): Promise<Scene> {
  const { origin, answer, ...rest } = options;
  const seen: Seen[] = [];
  const keep = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const { method = '', url: target = '', headers } = incoming;
    seen.push({ method, target, headers, body: await buffer(incoming) });
    outgoing.setHeader('X-From', 'origin');
    outgoing.end('content');
  };
  const url = await listen(
    answer ?? ((incoming, outgoing) => void keep(incoming, outgoing).catch(() => outgoing.destroy())),
  );
  const counters = new Counters();
  const faults = new Faults();
  const origins = { [ORIGINS.api]: { url, answerMs: 5000, ...origin } };
  const front = await startFront({ edge: TRANSPARENT, origins, counters, faults, ...rest });
  onTestFinished(() => front.close());
  return { front, counters, faults, seen };
}

async function listen(listener: Listener): Promise<string> {
  const server = createServer({ maxHeaderSize: 64 * 1024 }, listener);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface Sent {
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string | Uint8Array;
}

/** A request as it is given, without what `fetch` adds to it, and with no redirect followed. */
export function send(url: string, call: string, { headers = {}, body }: Sent = {}): Promise<Answer> {
  const [method = '', path = ''] = call.split(' ');
  const { hostname, port } = new URL(url);
  const isFramed = body === undefined || 'transfer-encoding' in headers || 'content-length' in headers;
  const framing = isFramed ? {} : { 'content-length': `${Buffer.byteLength(body)}` };
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, method, headers: { ...framing, ...headers } });
    sent.on('response', (answer) => {
      const { statusCode: status = 0, headers: received } = answer;
      buffer(answer).then((bytes) => resolve({ status, headers: received, body: bytes }), reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
