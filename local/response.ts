import type { IncomingMessage, ServerResponse } from 'node:http';
import type { BufferPool } from './buffer-pool.ts';
import { FileBody } from './file-body.ts';
import { sendFile } from './send-file.ts';

/** Bodies up to this size are sent in one piece. */
const SMALL_BYTES = 64 * 1024;

/** Sends the response; resolves when Node has all of it. Rejects where the client has gone, or where the body fails or is not
 *  as long as the response says. However it ends, the body is closed. */
export async function respond(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  response: Response,
  buffers: BufferPool,
): Promise<void> {
  const { body } = response;
  outgoing.strictContentLength = true; // else a client would wait for the rest of a body that has ended
  try {
    if (incoming.method === 'HEAD') await sendHead(outgoing, response);
    else await send(outgoing, response, buffers);
  } finally {
    if (body && !body.locked) await body.cancel().catch(() => undefined);
  }
}

async function sendHead(outgoing: ServerResponse, response: Response): Promise<void> {
  if (response.body && Number.isNaN(lengthOf(response))) await readBody(response);
  writeHead(outgoing, response).end();
}

async function send(outgoing: ServerResponse, response: Response, buffers: BufferPool): Promise<void> {
  const { body } = response;
  if (!body) {
    writeHead(outgoing, response).end();
  } else if (body instanceof FileBody) {
    await sendFile(body.range, writeHead(outgoing, response), buffers);
  } else if (lengthOf(response) > SMALL_BYTES) {
    await sendStream(body, writeHead(outgoing, response));
  } else {
    const bytes = await readBody(response);
    writeHead(outgoing, response).end(bytes);
  }
}

const lengthOf = ({ headers }: Response) => Number(headers.get('content-length') ?? Number.NaN);

/** All of a body, whose length is in the headers from then on. */
async function readBody(response: Response): Promise<Uint8Array> {
  const bytes = await response.bytes();
  if (Number.isNaN(lengthOf(response))) response.headers.set('Content-Length', `${bytes.length}`);
  return bytes;
}

/** Where there is no reason in the status line, Node has the usual words. */
function writeHead(outgoing: ServerResponse, { status, statusText, headers }: Response): ServerResponse {
  outgoing.statusMessage = statusText;
  return outgoing.writeHead(status, [...headers].flat());
}

async function sendStream(body: ReadableStream<Uint8Array>, outgoing: ServerResponse): Promise<void> {
  for await (const chunk of body) await write(outgoing, chunk);
  outgoing.end();
}

/** Resolves when the bytes have left our hands; fails where the client has gone. */
function write(outgoing: ServerResponse, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    outgoing.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}
