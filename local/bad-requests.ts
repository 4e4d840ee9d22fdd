import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { refuse } from '../functions/app.ts';
import { RegistryError } from '../functions/oci/errors.ts';
import { requestUnreadable } from '../functions/oci/host-errors.ts';

// What never becomes a request, and Node would answer with a status alone.

/** How long the rest of what is no request is read for. */
const LINGER_MS = 1000;

const CLOSE = { headers: { Connection: 'close' } };

const unreadable = () => requestUnreadable(CLOSE);

/** By Node's name of what went wrong. */
const REFUSALS: Readonly<Record<string, () => RegistryError>> = {
  HPE_HEADER_OVERFLOW: () =>
    new RegistryError('UNSUPPORTED', 'the headers of the request are larger than 64 KiB; send fewer', {
      status: 431,
      ...CLOSE,
    }),
  HPE_CHUNK_EXTENSIONS_OVERFLOW: () =>
    new RegistryError('SIZE_INVALID', 'the chunk extensions of the body are larger than 16 KiB', {
      status: 413,
      ...CLOSE,
    }),
  ERR_HTTP_REQUEST_TIMEOUT: () =>
    new RegistryError('UNSUPPORTED', 'the head of the request came too slowly; send it again', {
      status: 408,
      ...CLOSE,
    }),
};

/** Answers what is no request, with a body and headers as every answer has them, unless an answer on the same connection has
 *  begun; then its end is all that can be told. */
export function answerBadRequests(server: Server, underWay: WeakMap<Socket, ServerResponse>): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const refusal = REFUSALS[error.code ?? ''] ?? unreadable;
    if (socket.writable && !underWay.get(socket)?.headersSent)
      void textOf(refusal()).then((text) => end(socket, text));
    else socket.destroy();
  });
}

/** A connection that is closed over what the client still sends loses it the answer: that is read, and lost. */
function end(socket: Socket, text: string): void {
  socket.removeAllListeners('data').on('data', () => undefined);
  socket.end(text);
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
}

/** Why an HTTP request is none that the app can be asked; `undefined` where it is one. */
export function refusalOf({ httpVersion, headers }: IncomingMessage): RegistryError | undefined {
  const { expect, host } = headers;
  if (host === undefined && httpVersion === '1.1')
    return new RegistryError('UNSUPPORTED', 'the request has no Host header', { status: 400, ...CLOSE });
  if (expect !== undefined && !/(?:^|\W)100-continue(?:$|\W)/i.test(expect))
    return new RegistryError('UNSUPPORTED', 'Expect may be 100-continue, and nothing else', { status: 417 });
  return undefined;
}

/** The answer to that, or to what the standard knows no request for. */
export const badRequest = (refusal: RegistryError = unreadable()): Response => refuse(refusal);

/** As it goes over the wire. */
async function textOf(refusal: RegistryError): Promise<string> {
  const response = refuse(refusal);
  const body = await response.text();
  const { status, headers } = response;
  headers.set('Content-Length', `${Buffer.byteLength(body)}`);
  const lines = [...headers].map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`;
}
