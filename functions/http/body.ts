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

/** A body that is read whole, from its beginning to its end. */
export interface Reading {
  /** So many bytes more of it are in memory. */
  grow(bytes: number): void;
  end(): void;
}

/** What a host has of memory and time for bodies that are read whole. */
export interface Readings {
  /** Resolves when a body of up to `size` bytes may be read. `cut` is called where it may not be read on. */
  begin(size: number, cut: (error: Error) => void, signal: AbortSignal): Promise<Reading>;
}

/** As long and as much as they like: for a host that has the whole body already. */
const UNBOUNDED: Readings = {
  begin: async () => ({ grow: () => undefined, end: () => undefined }),
};

/** The whole body, or `undefined` as soon as it is known to be larger than `limit` bytes. Fails where it takes more memory or time than
 *  the host has. */
export async function readAtMost(
  request: Request,
  limit: number,
  readings: Readings = UNBOUNDED,
): Promise<Uint8Array | undefined> {
  const declared = request.headers.get('content-length');
  if (Number(declared ?? 0) > limit) return undefined;
  const reader = bodyOf(request).getReader();
  let failure: Error | undefined;
  const cut = (error: Error) => {
    failure = error;
    void reader.cancel(error).catch(() => undefined);
  };
  const reading = await readings.begin(declared === null ? limit : Number(declared), cut, request.signal);
  try {
    const bytes = await gather(reader, limit, reading);
    if (failure) throw failure;
    return bytes;
  } finally {
    reading.end();
  }
}

async function gather(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  limit: number,
  reading: Reading,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(chunks);
    size += value.length;
    if (size > limit) break;
    reading.grow(value.length);
    chunks.push(value);
  }
  await reader.cancel();
  return undefined;
}

function emptyBody(): Body {
  return new ReadableStream({ start: (controller) => controller.close() });
}

const wrongLength = (length: number, got: string) =>
  sizeInvalid(`Content-Range announces ${length} bytes, the body has ${got}`);
