import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { request as secureRequest } from 'node:https';
import { version } from '../exchange.ts';

// What fetch cannot send: bodies without a length, lengths without a body, and names of other clients.

/** No byte went either way for so long. */
const SILENCE_MS = 120_000;
/** Answers that a probe reads are blobs of 5 MB at most, and errors. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;
/** How long to listen for an answer to the head of a request before the bulk of its body follows. */
const LISTEN_MS = 500;

export type Headers = Readonly<Record<string, string>>;

export interface Call {
  readonly method: string;
  readonly url: URL;
  readonly headers?: Headers;
  /** `chunks` without a length are sent chunked. A length without chunks promises a body that never comes. */
  readonly body?: { readonly chunks?: Iterable<Uint8Array>; readonly length?: number };
  /** Sends the first piece and listens a moment, so that an early refusal is read before the connection breaks. */
  readonly listens?: boolean;
  /** @default 120 s without a byte */
  readonly patienceMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** From the first byte sent to the head of the answer. */
  readonly milliseconds: number;
}

/** No answer came in time, to a request whose body never came. */
class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

/** One request on a connection of its own, exactly as it is described; redirects are answers. */
export function send(call: Call): Promise<Answer> {
  const { method, url, headers = {}, body = {}, signal, patienceMs = SILENCE_MS } = call;
  const open = url.protocol === 'https:' ? secureRequest : request;
  const started = performance.now();
  const outgoing = open(url, {
    method,
    agent: false,
    headers: { 'User-Agent': `stowage-doctor/${version}`, ...lengthOf(call), ...headers },
    ...(signal && { signal }),
  });
  return new Promise<Answer>((resolve, reject) => {
    let hasAnswered = false;
    outgoing.once('response', (incoming) => {
      hasAnswered = true;
      const milliseconds = performance.now() - started;
      read(incoming)
        .then((bytes) => resolve({ ...headOf(incoming), body: bytes, milliseconds }), reject)
        .finally(() => outgoing.destroy());
    });
    outgoing.setTimeout(patienceMs, () =>
      outgoing.destroy(new NoAnswer(`no answer within ${patienceMs / 1000} s`)),
    );
    // What breaks after the answer has begun is the rest of a body that nobody wants any more.
    outgoing.on('error', (error) => {
      if (!hasAnswered) reject(error);
    });
    if (body.length !== undefined && !body.chunks) outgoing.flushHeaders();
    else {
      const writing = { listens: call.listens ?? false, hasAnswered: () => hasAnswered };
      write(outgoing, body.chunks ?? [], writing).catch((error: Error) => outgoing.destroy(error));
    }
  });
}

function lengthOf({ method, body }: Call): Headers {
  if (body?.length !== undefined) return { 'Content-Length': `${body.length}` };
  if (body?.chunks) return { 'Transfer-Encoding': 'chunked' };
  return method === 'GET' || method === 'HEAD' ? {} : { 'Content-Length': '0' };
}

const headOf = ({ statusCode = 0, headers }: IncomingMessage) => ({ status: statusCode, headers });

async function read(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new Error(`an answer of more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

interface Writing {
  readonly listens: boolean;
  readonly hasAnswered: () => boolean;
}

async function write(outgoing: ClientRequest, chunks: Iterable<Uint8Array>, writing: Writing): Promise<void> {
  let sent = 0;
  for (const chunk of chunks) {
    if (sent === 1 && writing.listens) await oneOf(outgoing, ['response', 'close'], LISTEN_MS);
    if (writing.hasAnswered() || outgoing.destroyed) return;
    // Also where the answer came, or the connection went, before all was written.
    if (!outgoing.write(chunk)) await oneOf(outgoing, ['drain', 'response', 'close']);
    sent += 1;
  }
  outgoing.end();
}

/** Resolves with the first of these events, or after so long. */
function oneOf(outgoing: ClientRequest, events: readonly string[], milliseconds?: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      for (const event of events) outgoing.removeListener(event, done);
      resolve();
    };
    const timer = milliseconds === undefined ? undefined : setTimeout(done, milliseconds);
    for (const event of events) outgoing.on(event, done);
  });
}
