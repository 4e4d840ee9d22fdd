/** Bytes of a chunk, as Go's `io.Copy` gives them to a chunked body; Docker and podman are written in Go. */
const CHUNK_BYTES = 32 * 1024;

/** A request body as it goes on the wire, framing included: `block` written `repeat` times, then `end`. */
export interface Body {
  readonly header: string;
  readonly block: Buffer;
  readonly repeat: number;
  readonly end: Buffer;
}

const NOTHING = Buffer.alloc(0);

/** `content`, `repeat` times, with its length announced, as containerd sends a blob. */
export function wholeBody(content: Buffer, repeat = 1): Body {
  return { header: `Content-Length: ${content.length * repeat}`, block: content, repeat, end: NOTHING };
}

/** `content`, `repeat` times, in chunks of 32 KiB and without a length, as Docker sends a blob. */
export function chunkedBody(content: Buffer, repeat = 1): Body {
  const parts: Buffer[] = [];
  for (let at = 0; at < content.length; at += CHUNK_BYTES) {
    const chunk = content.subarray(at, at + CHUNK_BYTES);
    parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'));
  }
  return {
    header: 'Transfer-Encoding: chunked',
    block: Buffer.concat(parts),
    repeat,
    end: Buffer.from('0\r\n\r\n'),
  };
}
