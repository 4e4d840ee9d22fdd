import type { ServerResponse } from 'node:http';
import type { BufferPool } from './buffer-pool.ts';
import type { FileRange } from './file-body.ts';

/** Sends all of a range as the body of an answer. A buffer is held from the moment it is read into until the socket has taken it.
 *  Fails where the client has gone or the file cannot be read. */
export async function sendFile(
  range: FileRange,
  outgoing: ServerResponse,
  buffers: BufferPool,
): Promise<void> {
  while (range.remaining > 0) await sendNext(range, outgoing, buffers);
  outgoing.end(); // where it was empty
}

async function sendNext(range: FileRange, outgoing: ServerResponse, buffers: BufferPool): Promise<void> {
  const buffer = buffers.borrow(range.remaining);
  try {
    const bytes = await range.read(buffer);
    await write(outgoing, bytes, range.remaining === 0);
  } finally {
    buffers.giveBack(buffer);
  }
}

/** Resolves when the bytes have left our hands; fails where the client has gone. Node makes one write of the head, what it is
 *  given at once, and the end. */
function write(outgoing: ServerResponse, bytes: Uint8Array, isLast: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    outgoing.write(bytes, (error) => (error ? reject(error) : resolve()));
    if (isLast) outgoing.end();
  });
}
