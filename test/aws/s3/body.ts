import { createHash, type Hash } from 'node:crypto';
import { type Call, header } from './call.ts';
import {
  type Algorithm,
  badDigest,
  type Checksum,
  checksumHeader,
  type DeclaredChecksum,
  type Hasher,
  hasherOf,
  requireChecksum,
} from './checksums.ts';
import { decodeChunks, hasTrailer, isChunkedPayload, malformedTrailer } from './chunked-body.ts';
import { notImplemented, S3Error } from './s3-error.ts';
import type { Signed } from './signature.ts';

const MAX_BODY_BYTES = 5 * 1024 ** 3;
/** Enough for the list of 10,000 parts with their checksums. */
const MAX_DOCUMENT_BYTES = 8 * 1024 ** 2;

/** A body that has arrived whole, and is what its sender said it is. */
export interface Received {
  readonly size: number;
  readonly md5: Buffer;
  readonly checksum?: Checksum;
}

/** The body of a request, decoded. Iterating throws at its end if it is not what the headers and trailers say. */
export class RequestBody implements AsyncIterable<Uint8Array> {
  readonly #call: Call;
  readonly #signed: Signed;
  readonly #length: number;
  readonly #declared: DeclaredChecksum | undefined;
  readonly #contentMd5: string | undefined;
  readonly #trailers = new Map<string, string>();
  #received: Received | undefined;

  /** Refuses what the headers alone show to be wrong. */
  constructor(call: Call, signed: Signed, declared: DeclaredChecksum | undefined) {
    this.#call = call;
    this.#signed = signed;
    this.#length = declaredLength(call, isChunkedPayload(signed.payload));
    this.#declared = declared;
    this.#contentMd5 = declaredMd5(call);
    if (this.#declared?.value === undefined && this.#declared && !hasTrailer(signed.payload)) {
      throw malformedTrailer();
    }
  }

  get hasDigest(): boolean {
    return this.#contentMd5 !== undefined || this.#declared !== undefined;
  }

  /** The algorithm of the checksum that comes with it. */
  get algorithm(): Algorithm | undefined {
    return this.#declared?.algorithm;
  }

  get received(): Received {
    if (!this.#received) throw new Error('the body has not arrived yet');
    return this.#received;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const md5 = createHash('md5');
    const payload = /^[\da-f]{64}$/.test(this.#signed.payload) ? createHash('sha256') : undefined;
    const checksum = this.#declared && hasherOf(this.#declared.algorithm);
    let size = 0;
    for await (const bytes of this.#decoded()) {
      size += bytes.length;
      for (const hasher of [md5, payload, checksum]) hasher?.update(bytes);
      yield bytes;
    }
    if (size !== this.#length) {
      throw new S3Error(
        'IncompleteBody',
        'You did not provide the number of bytes specified by the Content-Length HTTP header',
      );
    }
    this.#received = this.#verify(size, md5.digest(), payload, checksum);
  }

  #decoded(): AsyncIterable<Uint8Array> {
    // The request outlives an error here: what is left of it is read away, so that the connection can be used again.
    const raw = this.#call.request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
    return isChunkedPayload(this.#signed.payload) ? decodeChunks(raw, this.#signed, this.#trailers) : raw;
  }

  #verify(size: number, md5: Buffer, payload: Hash | undefined, checksum: Hasher | undefined): Received {
    const sha256 = payload?.digest('hex');
    if (sha256 !== undefined && sha256 !== this.#signed.payload) {
      throw new S3Error(
        'XAmzContentSHA256Mismatch',
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
        { ClientComputedContentSHA256: this.#signed.payload, S3ComputedContentSHA256: sha256 },
      );
    }
    if (this.#contentMd5 !== undefined && this.#contentMd5 !== md5.toString('base64')) {
      throw badDigest('Content-MD5');
    }
    if (!this.#declared || !checksum) return { size, md5 };
    const { algorithm } = this.#declared;
    const value = checksum.digest().toString('base64');
    if (value !== (this.#declared.value ?? this.#trailer(algorithm))) throw badDigest(algorithm);
    return { size, md5, checksum: { algorithm, value, type: 'FULL_OBJECT' } };
  }

  #trailer(algorithm: Algorithm): string {
    const value = this.#trailers.get(checksumHeader(algorithm));
    if (value === undefined) throw malformedTrailer();
    return requireChecksum(algorithm, value);
  }
}

/** Reads a small body. */
export async function readText(body: RequestBody): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const bytes of body) {
    size += bytes.length;
    if (size > MAX_DOCUMENT_BYTES) throw tooLarge(size, MAX_DOCUMENT_BYTES);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString();
}

const tooLarge = (size: number, limit: number) =>
  new S3Error('EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size', {
    ProposedSize: size,
    MaxSizeAllowed: limit,
  });

/** The length before `aws-chunked` framing. S3 takes no body of unknown length. */
function declaredLength(call: Call, chunked: boolean): number {
  if (!chunked && call.headers['transfer-encoding'] !== undefined) throw notImplemented('Transfer-Encoding');
  const needsLength = call.method === 'PUT' || chunked;
  const length = header(call, chunked ? 'x-amz-decoded-content-length' : 'content-length');
  if (length === undefined && needsLength) {
    throw new S3Error('MissingContentLength', 'You must provide the Content-Length HTTP header.');
  }
  const size = Number(length ?? 0);
  if (size > MAX_BODY_BYTES) throw tooLarge(size, MAX_BODY_BYTES);
  return size;
}

function declaredMd5(call: Call): string | undefined {
  const value = header(call, 'content-md5');
  if (value === undefined) return;
  if (Buffer.from(value, 'base64').length === 16 && value.length === 24) return value;
  throw new S3Error('InvalidDigest', 'The Content-MD5 you specified was invalid.', { 'Content-MD5': value });
}
