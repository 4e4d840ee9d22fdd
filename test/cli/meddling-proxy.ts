import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';

/** What becomes of a request instead of being passed on. */
export type Meddling =
  /** The connection ends once so many bytes of the body were passed on. */
  | { readonly is: 'cut'; readonly afterBytes: number }
  | {
      readonly is: 'answer';
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    }
  /** Passed on as another URL, or with another answer. */
  | {
      readonly is: 'rewrite';
      readonly url?: string;
      readonly answer?: (body: string) => string;
    }
  /** Passed on, after a while. */
  | { readonly is: 'delay'; readonly ms: number };

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly authorization: string | undefined;
  readonly length: string | undefined;
}

interface Proxy {
  readonly url: string;
  readonly seen: readonly Seen[];
  /** The most uploads that were under way at once. */
  readonly mostPuts: number;
}

/** Stands before a registry, or a store that has signed its own name, and meddles with what `meddle` says. */
export async function startProxy(
  target: string,
  meddle: (seen: Seen, nth: number) => Meddling | undefined,
): Promise<Proxy> {
  const seen: Seen[] = [];
  const state = { puts: 0, mostPuts: 0 };
  const server = createServer(async (incoming, outgoing) => {
    const { method = '', url = '', headers } = incoming;
    const one = { method, url, authorization: headers.authorization, length: headers['content-length'] };
    seen.push(one);
    if (isUpload(one)) {
      state.puts += 1;
      state.mostPuts = Math.max(state.mostPuts, state.puts);
      outgoing.on('close', () => {
        state.puts -= 1;
      });
    }
    const meddling = meddle(one, seen.filter((other) => other.method === method).length);
    if (meddling?.is === 'delay') await sleep(meddling.ms);
    if (meddling?.is === 'answer') answer(incoming, outgoing, meddling);
    else pass(incoming, outgoing, target, meddling);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    get mostPuts() {
      return state.mostPuts;
    },
  };
}

export const isUpload = ({ method, url }: Seen) => method === 'PUT' && url.includes('/blobs/uploads/');

function answer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  meddling: Meddling & { is: 'answer' },
): void {
  incoming.resume();
  outgoing.writeHead(meddling.status, { 'Content-Type': 'application/json', ...meddling.headers });
  outgoing.end(meddling.body ?? '');
}

function pass(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  target: string,
  meddling?: Meddling,
): void {
  const { method = '' } = incoming;
  const rewriting = meddling?.is === 'rewrite' ? meddling : undefined;
  const cutAfter = meddling?.is === 'cut' ? meddling.afterBytes : undefined;
  const url = new URL(rewriting?.url ?? incoming.url ?? '', target);
  const headers = { ...incoming.headers, ...(url.search.includes('X-Amz-Signature') && { host: url.host }) };
  const onward = request(url, { method, headers }, (response) => {
    const { 'content-length': length, ...kept } = response.headers;
    if (!rewriting?.answer) {
      outgoing.writeHead(response.statusCode ?? 502, {
        ...kept,
        ...(length !== undefined && { 'content-length': length }),
      });
      response.pipe(outgoing);
      return;
    }
    outgoing.writeHead(response.statusCode ?? 502, kept);
    void text(response).then((body) => outgoing.end(rewriting.answer?.(body)));
  });
  onward.on('error', () => outgoing.destroy());
  outgoing.on('close', () => onward.destroy());
  if (cutAfter === undefined) incoming.pipe(onward);
  else cut(incoming, onward, cutAfter);
}

function cut(incoming: IncomingMessage, onward: ReturnType<typeof request>, afterBytes: number): void {
  let passed = 0;
  incoming.on('data', (chunk: Buffer) => {
    onward.write(chunk);
    passed += chunk.length;
    if (passed < afterBytes) return;
    onward.destroy();
    incoming.destroy();
  });
}
