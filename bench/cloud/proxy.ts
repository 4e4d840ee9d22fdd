import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate, setTimeout } from 'node:timers/promises';

/** How far away a store is. */
export interface Distance {
  /** An answer begins this long after the whole request has come, or later where the store itself takes longer. */
  readonly latencyMs: number;
  /** Of each connection, either way. */
  readonly bytesPerSecond: number;
}

/** Requests that reached a store, by operation. */
export type CallCounts = Record<string, number>;

export interface Proxy {
  readonly url: string;
  /** @default none: as near as it is */
  distance: Distance | undefined;
  counts: CallCounts;
}

type Classify = (request: IncomingMessage) => string;

/** Less than this is slept over later. */
const SLEEP_MS = 2;
/** So few waiting requests may turn on a processor for the part of a millisecond that no timer can measure. */
const MAX_SPINNING = 4;

/** Passes requests on to `target`, from as far away as its distance says, and counts them. */
export async function startProxy(target: string, classify: Classify): Promise<Proxy> {
  const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  const proxy = { url: '', distance: undefined as Distance | undefined, counts: {} as CallCounts };
  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 600_000 }, (incoming, outgoing) => {
    const operation = classify(incoming);
    proxy.counts[operation] = (proxy.counts[operation] ?? 0) + 1;
    pass(incoming, outgoing, { target, agent, distance: proxy.distance }).catch(() => outgoing.destroy());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  proxy.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return proxy;
}

interface Way {
  readonly target: string;
  readonly agent: Agent;
  readonly distance: Distance | undefined;
}

async function pass(incoming: IncomingMessage, outgoing: ServerResponse, way: Way): Promise<void> {
  const { method = 'GET', url = '/', rawHeaders } = incoming;
  const onward = request(new URL(url, way.target), { method, agent: way.agent, setDefaultHeaders: false });
  for (let n = 0; n < rawHeaders.length; n += 2)
    onward.appendHeader(rawHeaders[n] ?? '', rawHeaders[n + 1] ?? '');
  const answered = once(onward, 'response') as Promise<[IncomingMessage]>;
  answered.catch(() => undefined);
  await carry(incoming, onward, way.distance);
  onward.end();
  const came = performance.now();
  const [answer] = await answered;
  if (way.distance) await until(came + way.distance.latencyMs + copyMs(incoming, way.distance));
  outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
  await carry(answer, outgoing, way.distance);
  outgoing.end();
}

/** What a store copies by itself goes no faster than what it is sent. */
function copyMs({ headers }: IncomingMessage, { bytesPerSecond }: Distance): number {
  const range = /^bytes=(\d+)-(\d+)$/.exec(String(headers['x-amz-copy-source-range'] ?? ''));
  return range ? ((Number(range[2]) - Number(range[1]) + 1) * 1000) / bytesPerSecond : 0;
}

interface Sink {
  write(chunk: Uint8Array): boolean;
  once(event: 'drain', listener: () => void): unknown;
}

/** All bytes, no faster than the distance allows. */
async function carry(
  source: IncomingMessage,
  sink: Sink & NodeJS.EventEmitter,
  distance?: Distance,
): Promise<void> {
  let due = performance.now();
  for await (const chunk of source as AsyncIterable<Uint8Array>) {
    if (distance) {
      due = Math.max(due, performance.now()) + (chunk.length * 1000) / distance.bytesPerSecond;
      const early = due - performance.now();
      if (early > SLEEP_MS) await setTimeout(early);
    }
    if (!sink.write(chunk)) await once(sink, 'drain');
  }
}

let spinning = 0;

/** To a tenth of a millisecond where few wait, to one where many do. */
async function until(time: number): Promise<void> {
  const whole = Math.floor(time - performance.now());
  if (whole > 0) await setTimeout(whole);
  if (spinning >= MAX_SPINNING) {
    if (time > performance.now()) await setTimeout(1);
    return;
  }
  spinning += 1;
  while (performance.now() < time) await setImmediate();
  spinning -= 1;
}
