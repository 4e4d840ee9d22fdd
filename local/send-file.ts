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
  const way: Way = { range, outgoing, buffers };
  let keepsUp = true;
  while (range.remaining > 0) {
    const ahead: Buffer | undefined =
      keepsUp && buffers.isShortOf(range.remaining) ? buffers.borrowAhead() : undefined;
    keepsUp = ahead ? await sendAhead(way, ahead) : await sendNext(way);
  }
  outgoing.end(); // where it was empty
}

interface Way {
  readonly range: FileRange;
  readonly outgoing: ServerResponse;
  readonly buffers: BufferPool;
}

/** Sends as much as one buffer has room for, and tells whether the client took it at once. */
async function sendNext({ range, outgoing, buffers }: Way): Promise<boolean> {
  const buffer = buffers.borrow(range.remaining);
  try {
    const bytes = await range.read(buffer);
    return await write(outgoing, bytes, range.remaining === 0);
  } finally {
    buffers.giveBack(buffer);
  }
}

/** While slow clients have the large buffers, a fast one still has much read at once, and takes it piece by piece. What it does
 *  not take at once is read again: nobody waits for it with a large buffer. */
async function sendAhead({ range, outgoing, buffers }: Way, ahead: Buffer): Promise<boolean> {
  try {
    const read = await range.peek(ahead);
    for (let at = 0; at < read.length; ) {
      const buffer = buffers.borrow(0);
      const bytes = buffer.subarray(0, read.copy(buffer, 0, at));
      at += bytes.length;
      range.skip(bytes.length);
      const taken = write(outgoing, bytes, range.remaining === 0).finally(() => buffers.giveBack(buffer));
      if (outgoing.writableLength > 0) return taken;
      await taken;
    }
    return true;
  } finally {
    buffers.giveBackAhead(ahead);
  }
}

/** Resolves when the bytes have left our hands, and tells whether the socket took them at once; fails where the client has gone.
 *  Node makes one write of the head, the bytes and the end. */
function write(outgoing: ServerResponse, bytes: Uint8Array, isLast: boolean): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let isAtOnce = true;
    outgoing.write(bytes, (error) => (error ? reject(error) : resolve(isAtOnce)));
    if (isLast) outgoing.end();
    else outgoing.socket?.uncork(); // Node would wait for more
    isAtOnce = outgoing.writableLength === 0;
  });
}
