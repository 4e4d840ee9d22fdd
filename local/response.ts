import type { IncomingMessage, ServerResponse } from 'node:http';

/** Bodies up to this size are sent in one piece. */
const SMALL_BYTES = 64 * 1024;

/** Two of these per download; a fresh one for every read would keep the garbage collector busier than the disk. */
const BUFFER_BYTES = 1024 * 1024;

/** Sends the response; resolves when Node has all of it. Rejects where the client has gone, or where the body fails or is not
 *  as long as the response says. */
export async function respond(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  response: Response,
): Promise<void> {
  const { status, statusText, headers, body } = response;
  outgoing.strictContentLength = true; // else a client would wait for the rest of a body that has ended
  outgoing.statusMessage = statusText; // where it is empty, Node has the usual words
  const length = Number(headers.get('content-length') ?? Number.NaN);
  const isHead = incoming.method === 'HEAD';
  if (!body || (isHead && !Number.isNaN(length))) {
    outgoing.writeHead(status, [...headers].flat()).end();
    await body?.cancel();
  } else if (length > SMALL_BYTES) {
    outgoing.writeHead(status, [...headers].flat());
    await pump(body, outgoing, Math.min(length, BUFFER_BYTES));
    outgoing.end();
  } else {
    const bytes = await response.bytes();
    if (Number.isNaN(length)) headers.set('Content-Length', `${bytes.length}`);
    outgoing.writeHead(status, [...headers].flat()).end(isHead ? undefined : bytes);
  }
}

/** Byte streams are read into one buffer while the other is on its way out; other streams bring their own. */
async function pump(body: ReadableStream<Uint8Array>, outgoing: ServerResponse, size: number): Promise<void> {
  const reader = byteReaderOf(body);
  if (reader) return pumpBuffers(reader, outgoing, size);
  for await (const chunk of body) await write(outgoing, chunk);
}

function byteReaderOf(body: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | undefined {
  try {
    return body.getReader({ mode: 'byob' });
  } catch {
    return undefined; // no byte stream
  }
}

async function pumpBuffers(
  reader: ReadableStreamBYOBReader,
  outgoing: ServerResponse,
  size: number,
): Promise<void> {
  const free = [new ArrayBuffer(size), new ArrayBuffer(size)];
  let written: Promise<void> = Promise.resolve();
  try {
    for (;;) {
      const { value, done } = await reader.read(new Uint8Array(free.shift() as ArrayBuffer));
      await written;
      if (done) return;
      written = write(outgoing, value).then(() => void free.push(value.buffer));
      written.catch(() => undefined); // told by the next turn
      if (free.length === 0) await written;
    }
  } catch (error) {
    await reader.cancel(error);
    throw error;
  }
}

/** Resolves when the bytes have left our hands; fails where the client has gone. */
function write(outgoing: ServerResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    outgoing.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}
