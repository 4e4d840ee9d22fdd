import type { IncomingMessage } from 'node:http';
import type { UnderlyingSource } from 'node:stream/web';
import { bodyIncomplete } from '../functions/oci/errors.ts';

/** How much of a body waits in memory for whoever reads it. */
const BUFFER_BYTES = 1024 * 1024;

export interface Received {
  readonly request: Request;
  /** Reads and throws away what of the body has not been read yet. */
  readonly discardBody: () => void;
}

/** The web-standard request of what Node received, whose signal is `signal`; `undefined` where it is none (a method or
 *  target that the standard refuses). A body that is cut fails with SIZE_INVALID. */
export function receive(incoming: IncomingMessage, signal: AbortSignal): Received | undefined {
  const { method = 'GET', url = '/' } = incoming;
  const hasBody = method !== 'GET' && method !== 'HEAD';
  const body = hasBody ? new IncomingBody(incoming) : undefined;
  try {
    const request = new Request(urlOf(url), {
      method,
      headers: headersOf(incoming.rawHeaders),
      ...(body && { body: body.stream, duplex: 'half' }),
    });
    // Not among the settings: then a Request makes a signal of its own that follows it, which takes twice as long as all the rest.
    Object.defineProperty(request, 'signal', { value: signal });
    return { request, discardBody: () => (body ? body.discard() : incoming.resume()) };
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

/** A body as a stream that takes no more from the socket than its reader keeps up with. */
class IncomingBody {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #incoming: IncomingMessage;
  #open = true;

  constructor(incoming: IncomingMessage) {
    this.#incoming = incoming;
    const source: UnderlyingSource<Uint8Array> = {
      start: (controller) => this.#listen(controller),
      pull: () => void incoming.resume(),
      cancel: () => this.discard(),
    };
    const strategy = new ByteLengthQueuingStrategy({ highWaterMark: BUFFER_BYTES });
    this.stream = new ReadableStream(source, strategy);
  }

  discard(): void {
    this.#open = false;
    this.#incoming.resume();
  }

  #listen(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#incoming.on('data', (chunk: Buffer) => {
      if (!this.#open) return;
      controller.enqueue(chunk);
      if ((controller.desiredSize ?? 0) <= 0) this.#incoming.pause();
    });
    this.#incoming.on('end', () => {
      if (this.#open) controller.close();
      this.#open = false;
    });
    this.#incoming.on('close', () => {
      if (this.#open) controller.error(bodyIncomplete());
      this.#open = false;
    });
    this.#incoming.on('error', () => undefined); // told by 'close', which follows
    this.#incoming.pause();
  }
}
