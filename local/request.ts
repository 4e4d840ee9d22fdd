import type { IncomingMessage } from 'node:http';
import type { UnderlyingSource } from 'node:stream/web';
import { isUnrequested, withMethod } from '../functions/app.ts';
import { bodyIncomplete, bodyTooSlow } from '../functions/oci/errors.ts';
import type { Paced } from './pace.ts';

/** The web-standard request of what Node received, whose signal is `signal`; `undefined` where it is none (a method or
 *  target that the standard refuses). */
export function requestOf(
  incoming: IncomingMessage,
  body: IncomingBody | undefined,
  signal: AbortSignal,
): Request | undefined {
  const { method = 'GET', url = '/' } = incoming;
  const takesBody = method !== 'GET' && method !== 'HEAD' && !isUnrequested(method);
  try {
    const rest = {
      headers: headersOf(incoming.rawHeaders),
      ...(takesBody && body && { body: body.stream, duplex: 'half' as const }),
    };
    const request = withMethod(method, (method) => new Request(urlOf(url), { method, ...rest }));
    // Not among the settings: then a Request makes a signal of its own that follows it, which takes twice as long as all the rest.
    Object.defineProperty(request, 'signal', { value: signal });
    return request;
  } catch {
    return undefined;
  }
}

/** A path that a URL would resolve to another one. */
const MOVING = /\\|\/(?:\.|%2e){1,2}(?:\/|$)/i;

/** The URL of a target. Its path reaches the app as it was sent, as it does behind API Gateway: what is authorized must not
 *  be another repository than a proxy in front has seen. */
function urlOf(target: string): string {
  const [, path, query] = /^(?:https?:\/\/[^/?#]*)?(\/[^?#]*)(\?[^#]*)?/i.exec(target) ?? [];
  if (path === undefined) return target;
  const kept = MOVING.test(path) ? `/${path.slice(1).replaceAll(/[/\\]/g, encodeURIComponent)}` : path;
  return `http://registry${kept}${query ?? ''}`;
}

function headersOf(raw: readonly string[]): [string, string][] {
  const headers: [string, string][] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    headers.push([raw[index] as string, raw[index + 1] as string]);
  }
  return headers;
}

/** The body of a request, where it has one. */
export function incomingBody(incoming: IncomingMessage): IncomingBody | undefined {
  const { 'content-length': length, 'transfer-encoding': coding } = incoming.headers;
  return coding === undefined && Number(length ?? 0) === 0 ? undefined : new IncomingBody(incoming);
}

/** A body as a stream that takes no more from the socket than its reader keeps up with. One that is cut fails with SIZE_INVALID. */
class IncomingBody implements Paced {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #incoming: IncomingMessage;
  #received = 0;
  #isOpen = true;
  #fail: (error: Error) => void = () => undefined;

  constructor(incoming: IncomingMessage) {
    this.#incoming = incoming;
    const source: UnderlyingSource<Uint8Array> = {
      start: (controller) => this.#listen(controller),
      pull: () => this.#resume(),
      cancel: () => this.discard(),
    };
    // Nothing waits in it: the socket has its own buffers, and thousands of bodies may come at once.
    this.stream = new ReadableStream(source, { highWaterMark: 0 });
  }

  get received(): number {
    return this.#received;
  }

  get isWanted(): boolean {
    return !this.#incoming.isPaused();
  }

  /** Has whoever reads it fail, and ends the connection where nobody does. */
  cut(): void {
    if (this.#isOpen) this.#fail(bodyTooSlow());
    else this.#incoming.socket.destroy();
  }

  /** Reads and throws away what has not been read yet. */
  discard(): void {
    this.#isOpen = false;
    this.#resume();
  }

  /** The socket too: else it reads one piece ahead, of each of thousands. */
  #pause(): void {
    this.#incoming.pause();
    this.#incoming.socket.pause();
  }

  #resume(): void {
    this.#incoming.resume();
    this.#incoming.socket.resume();
  }

  #listen(controller: ReadableStreamDefaultController<Uint8Array>): void {
    const end = (close: () => void) => {
      if (this.#isOpen) close();
      this.#isOpen = false;
    };
    this.#fail = (error) => end(() => controller.error(error));
    this.#incoming.on('data', (chunk: Buffer) => {
      this.#received += chunk.length;
      if (!this.#isOpen) return;
      controller.enqueue(chunk);
      if ((controller.desiredSize ?? 0) <= 0) this.#pause();
    });
    this.#incoming.on('end', () => end(() => controller.close()));
    this.#incoming.on('close', () => this.#fail(bodyIncomplete()));
    this.#incoming.on('error', () => undefined); // told by 'close', which follows
    this.#incoming.pause();
  }
}
