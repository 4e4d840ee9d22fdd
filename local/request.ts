import type { IncomingMessage } from 'node:http';
import type { UnderlyingSource } from 'node:stream/web';
import { bodyIncomplete } from '../functions/oci/errors.ts';

/** How much of a body waits in memory for whoever reads it. */
const BUFFER_BYTES = 1024 * 1024;

/** The web-standard request of what Node received; `undefined` where it is none (a method or target that the
 *  standard refuses). A body that is cut fails with SIZE_INVALID; one that nobody reads is thrown away. */
export function requestOf(incoming: IncomingMessage): Request | undefined {
  const { method = 'GET', url = '/' } = incoming;
  const hasBody = method !== 'GET' && method !== 'HEAD';
  try {
    return new Request(url.startsWith('/') ? `http://registry${url}` : url, {
      method,
      headers: headersOf(incoming.rawHeaders),
      ...(hasBody && { body: bodyOf(incoming), duplex: 'half' }),
    });
  } catch {
    return undefined;
  }
}

function headersOf(raw: readonly string[]): [string, string][] {
  const headers: [string, string][] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    headers.push([raw[index] as string, raw[index + 1] as string]);
  }
  return headers;
}

function bodyOf(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  let open = true;
  const source: UnderlyingSource<Uint8Array> = {
    start(controller) {
      incoming.on('data', (chunk: Buffer) => {
        if (!open) return;
        controller.enqueue(chunk);
        if ((controller.desiredSize ?? 0) <= 0) incoming.pause();
      });
      incoming.on('end', () => {
        if (open) controller.close();
        open = false;
      });
      incoming.on('close', () => {
        if (open) controller.error(bodyIncomplete());
        open = false;
      });
      incoming.on('error', () => undefined); // told by 'close', which follows
      incoming.pause();
    },
    pull() {
      incoming.resume();
    },
    cancel() {
      open = false;
      incoming.resume();
    },
  };
  return new ReadableStream(source, new ByteLengthQueuingStrategy({ highWaterMark: BUFFER_BYTES }));
}
