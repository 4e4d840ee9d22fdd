import type { ServerResponse } from 'node:http';
import type { BufferPool } from './buffer-pool.ts';
import type { FileRange } from './file-body.ts';

/** Sends all of a range as the body of an answer. Buffers are held from the moment they are read into until
 *  the socket has taken them. Fails where the client has gone or the file cannot be read. */
export async function sendFile(
  range: FileRange,
  outgoing: ServerResponse,
  buffers: BufferPool,
): Promise<void> {
  while (range.remaining > 0) await sendNext(range, outgoing, buffers);
  outgoing.end();
}

async function sendNext(range: FileRange, outgoing: ServerResponse, buffers: BufferPool): Promise<void> {
  const loan = buffers.borrow(range.remaining);
  try {
    const pieces = cutTo(loan, range.remaining);
    await range.read(pieces);
    await write(outgoing, pieces, range.remaining === 0);
  } finally {
    buffers.giveBack(loan);
  }
}

/** The last buffer is longer than the rest of a file. */
function cutTo(buffers: readonly Buffer[], bytes: number): Buffer[] {
  let left = bytes;
  return buffers.map((buffer) => {
    const piece = buffer.subarray(0, left);
    left -= piece.length;
    return piece;
  });
}

/** Resolves when the bytes have left our hands; fails where the client has gone. Node makes one write of what it is given at
 *  once, and of the end, too. */
function write(outgoing: ServerResponse, pieces: readonly Buffer[], isLast: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const told = (error: Error | null | undefined) => (error ? reject(error) : resolve());
    for (const [index, piece] of pieces.entries())
      outgoing.write(piece, index === pieces.length - 1 ? told : undefined);
    if (isLast) outgoing.end();
  });
}
