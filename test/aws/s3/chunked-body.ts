import { createHash } from 'node:crypto';
import { STREAMING_PAYLOADS } from './claim.ts';
import { S3Error } from './s3-error.ts';
import { hmac, type Signed, sha256Hex } from './signature.ts';

/** What S3 demands of every chunk but the last. */
const MIN_CHUNK_BYTES = 8192;
const MAX_LINE_BYTES = 4096;
const EMPTY_SHA256 = sha256Hex('');

export const isChunkedPayload = (payload: string) => payload.startsWith('STREAMING-');

export const hasTrailer = (payload: string) => payload.endsWith('-TRAILER');

const incomplete = (message: string) => new S3Error('IncompleteBody', message);

/** Takes the `aws-chunked` framing off, checks its signatures where it has them, and puts the trailing headers into
 *  `trailers` before it ends.
 *  https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html */
export async function* decodeChunks(
  source: AsyncIterable<Uint8Array>,
  signed: Signed,
  trailers: Map<string, string>,
): AsyncGenerator<Uint8Array> {
  const reader = new ByteReader(source);
  const signatures =
    signed.payload === STREAMING_PAYLOADS.unsignedTrailer ? undefined : new ChunkSignatures(signed);
  for (let before = MIN_CHUNK_BYTES; before > 0; ) {
    const { size, signature } = parseChunkHeader(await reader.line());
    if (size > 0) requireChunkSize(before);
    yield* readChunk(reader, size, signatures?.chunk(signature));
    before = size;
  }
  await readTrailers(reader, trailers);
  if (signatures && hasTrailer(signed.payload)) signatures.requireTrailer(trailers);
  await reader.requireEnd();
}

async function* readChunk(
  reader: ByteReader,
  size: number,
  seal: ChunkSeal | undefined,
): AsyncGenerator<Uint8Array> {
  for await (const bytes of reader.take(size)) {
    seal?.update(bytes);
    yield bytes;
  }
  seal?.require();
  if (size > 0 && (await reader.line()) !== '') throw incomplete('A chunk is longer than it says');
}

function parseChunkHeader(line: string): { size: number; signature: string } {
  const [, size, signature = ''] = /^([\da-f]{1,10})(?:;chunk-signature=([\da-f]{64}))?$/i.exec(line) ?? [];
  if (size === undefined) throw incomplete('The body has a chunk without a valid header');
  return { size: Number.parseInt(size, 16), signature };
}

function requireChunkSize(size: number): void {
  if (size >= MIN_CHUNK_BYTES) return;
  throw new S3Error(
    'InvalidChunkSizeError',
    `Only the last chunk is allowed to have a size less than ${MIN_CHUNK_BYTES} bytes`,
    { BadChunkSize: size },
  );
}

async function readTrailers(reader: ByteReader, trailers: Map<string, string>): Promise<void> {
  for (let line = await reader.line(); line !== ''; line = await reader.line()) {
    const colon = line.indexOf(':');
    if (colon < 1) throw malformedTrailer();
    trailers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
}

export const malformedTrailer = () =>
  new S3Error(
    'MalformedTrailerError',
    'The request contained trailing data that was not well-formed or did not conform to our published schema.',
  );

interface ChunkSeal {
  update(bytes: Uint8Array): unknown;
  require(): void;
}

/** Each signature covers the one before it, the first the one of the request. */
class ChunkSignatures {
  readonly #signed: Signed;
  #previous: string;

  constructor(signed: Signed) {
    this.#signed = signed;
    this.#previous = signed.signature;
  }

  /** Takes the bytes of the next chunk, then refuses them if the signature is not theirs. */
  chunk(signature: string): ChunkSeal {
    const hash = createHash('sha256');
    return {
      update: (bytes) => hash.update(bytes),
      require: () => this.#require('AWS4-HMAC-SHA256-PAYLOAD', [EMPTY_SHA256, hash.digest('hex')], signature),
    };
  }

  requireTrailer(trailers: Map<string, string>): void {
    const signature = trailers.get('x-amz-trailer-signature') ?? '';
    trailers.delete('x-amz-trailer-signature');
    const lines = Array.from(trailers, ([name, value]) => `${name}:${value}\n`);
    this.#require('AWS4-HMAC-SHA256-TRAILER', [sha256Hex(lines.join(''))], signature);
  }

  #require(kind: string, hashes: readonly string[], signature: string): void {
    const { key, date, scope } = this.#signed;
    const toSign = [kind, date, scope, this.#previous, ...hashes].join('\n');
    this.#previous = hmac(key, toSign).toString('hex');
    if (this.#previous === signature) return;
    throw new S3Error('SignatureDoesNotMatch', 'The signature of a chunk does not match.', {
      StringToSign: toSign,
      SignatureProvided: signature,
    });
  }
}

/** Lines and counted bytes from chunks of any size, of which it holds one at a time. */
class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Up to the next CRLF, without it. */
  async line(): Promise<string> {
    for (let end = this.#rest.indexOf('\r\n'); ; end = this.#rest.indexOf('\r\n')) {
      if (end >= 0) {
        const line = this.#rest.toString('latin1', 0, end);
        this.#rest = this.#rest.subarray(end + 2);
        return line;
      }
      if (this.#rest.length > MAX_LINE_BYTES) throw incomplete('The body has a line that does not end');
      this.#rest = Buffer.concat([this.#rest, await this.#next()]);
    }
  }

  async *take(count: number): AsyncGenerator<Uint8Array> {
    for (let left = count; left > 0; ) {
      if (this.#rest.length === 0) this.#rest = await this.#next();
      const bytes = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(bytes.length);
      left -= bytes.length;
      yield bytes;
    }
  }

  async requireEnd(): Promise<void> {
    if (this.#rest.length > 0 || !(await this.#source.next()).done) {
      throw incomplete('The body goes on after its last chunk');
    }
  }

  async #next(): Promise<Buffer> {
    const { done, value } = await this.#source.next();
    if (done) throw incomplete('The request body terminated unexpectedly');
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }
}
