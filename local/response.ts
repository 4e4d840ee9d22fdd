import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Sends the response; resolves when Node has all of it. Rejects where the client has gone or the body fails. */
export async function respond(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  response: Response,
): Promise<void> {
  const { status, headers, body } = response;
  if (!body) {
    outgoing.writeHead(status, [...headers].flat()).end();
  } else if (headers.has('content-length') && incoming.method !== 'HEAD') {
    outgoing.writeHead(status, [...headers].flat());
    await stream(body, outgoing);
    outgoing.end();
  } else {
    const bytes = await response.bytes();
    if (!headers.has('content-length')) headers.set('Content-Length', `${bytes.length}`);
    outgoing.writeHead(status, [...headers].flat()).end(incoming.method === 'HEAD' ? undefined : bytes);
  }
}

async function stream(body: ReadableStream<Uint8Array>, outgoing: ServerResponse): Promise<void> {
  const gone = new AbortController();
  outgoing.once('close', () => gone.abort());
  // Leaving the loop early cancels the body, which closes its file.
  for await (const chunk of body) {
    if (!outgoing.write(chunk)) await once(outgoing, 'drain', { signal: gone.signal });
  }
}
