import type { Part } from './range.ts';

type Body = ReadableStream<Uint8Array>;

interface Parts {
  /** One at least. */
  readonly parts: readonly Part[];
  /** Bytes of the whole. */
  readonly size: number;
  readonly contentType: string;
  /** That does not stand in the content. */
  readonly boundary: string;
  /** The bytes of a part: of the first one now, of each other when its turn has come. */
  readonly read: (part: Part) => Promise<Body>;
}

/** Several parts of a body as one, `multipart/byteranges`. Fails where the first one cannot be read; where another one cannot, the body
 *  does. https://www.rfc-editor.org/rfc/rfc9110#section-14.6 */
export async function byteRanges({ parts, size, contentType, boundary, read }: Parts) {
  const heads = parts.map(({ first, last }, index) =>
    Buffer.from(
      `${index === 0 ? '' : '\r\n'}--${boundary}\r\nContent-Type: ${contentType}\r\n` +
        `Content-Range: bytes ${first}-${last}/${size}\r\n\r\n`,
    ),
  );
  const end = Buffer.from(`\r\n--${boundary}--\r\n`);
  const bytes = parts.map(({ first, last }) => last - first + 1);
  const length = [...heads.map((head) => head.length), ...bytes, end.length].reduce((a, b) => a + b);
  const opened = await read(parts[0] as Part);
  async function* pieces() {
    for (const [index, part] of parts.entries()) {
      yield heads[index] as Uint8Array;
      yield* index === 0 ? opened : await read(part);
    }
    yield end;
  }
  return { type: `multipart/byteranges; boundary=${boundary}`, length, body: streamOf(pieces(), opened) };
}

/** `opened` is closed also where nobody has read of it. */
function streamOf(pieces: AsyncGenerator<Uint8Array>, opened: Body): Body {
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      async cancel() {
        await pieces.return(undefined);
        if (!opened.locked) await opened.cancel();
      },
    },
    { highWaterMark: 0 },
  );
}
