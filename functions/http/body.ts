import { sizeInvalid } from '../oci/errors.ts';

type Body = ReadableStream<Uint8Array>;

/** The request's body as a stream that fails with SIZE_INVALID unless it has exactly `length` bytes; of any
 *  length where that is `undefined`. No body is an empty one. */
export function bodyOf(request: Request, length?: number): Body {
  const body = (request.body as Body | null) ?? emptyBody();
  if (length === undefined) return body;
  const declared = request.headers.get('content-length');
  if (declared !== null && Number(declared) !== length) throw wrongLength(length, declared);
  let received = 0;
  const count = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      received += chunk.length;
      if (received > length) throw wrongLength(length, `more than ${length}`);
      controller.enqueue(chunk);
    },
    flush() {
      if (received < length) throw wrongLength(length, `${received}`);
    },
  });
  return body.pipeThrough(count);
}

/** The whole body, or `undefined` as soon as it is known to be larger than `limit` bytes. */
export async function readAtMost(request: Request, limit: number): Promise<Uint8Array | undefined> {
  if (Number(request.headers.get('content-length') ?? 0) > limit) return undefined;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bodyOf(request)) {
    size += chunk.length;
    if (size > limit) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function emptyBody(): Body {
  return new ReadableStream({ start: (controller) => controller.close() });
}

const wrongLength = (length: number, got: string) =>
  sizeInvalid(`Content-Range announces ${length} bytes, the body has ${got}`);
