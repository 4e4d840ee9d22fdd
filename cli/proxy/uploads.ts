import { parseContentRange } from '../../functions/http/range.ts';
import { type Digest, parseDigest } from '../../functions/oci/digest.ts';
import {
  digestMalformed,
  digestMismatch,
  digestMissing,
  uploadInvalid,
  uploadUnknown,
} from '../../functions/oci/errors.ts';
import type { RepositoryName } from '../../functions/oci/reference.ts';
import type { Display } from '../push/display.ts';
import { pushBlob } from '../push/push-blob.ts';
import { sizeText } from '../text.ts';
import type { Spool, SpooledUpload } from './spool.ts';
import { refusalFor, type Upstream } from './upstream.ts';

/** A request to an upload. */
export interface UploadCall {
  readonly method: string;
  readonly repository: RepositoryName;
  /** Of the upload; empty where one is to begin. */
  readonly id: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly body: AsyncIterable<Buffer>;
}

interface UploadsOptions {
  readonly url: string;
  readonly spool: Spool;
  readonly upstream: Upstream;
  readonly display: Display;
  readonly signal: AbortSignal;
}

/** Takes uploads as a registry does, in any number of chunks of any length, and has the registry take each in one go. */
export class Uploads {
  readonly #options: UploadsOptions;

  constructor(options: UploadsOptions) {
    this.#options = options;
  }

  async answer(call: UploadCall): Promise<Response> {
    const { method, repository, id } = call;
    const { spool } = this.#options;
    const upload = method === 'POST' ? spool.start(repository) : spool.find(id, repository);
    if (!upload) throw uploadUnknown(repository);
    if (method === 'GET') return progress(upload, 204);
    if (method === 'DELETE') {
      await spool.drop(upload);
      return new Response(null, { status: 204 });
    }
    const outcome = await upload.exclusively(() => this.#take(upload, call));
    return outcome ?? outOfOrder(upload, 'another request writes to it');
  }

  async #take(upload: SpooledUpload, { method, query, headers, body }: UploadCall): Promise<Response> {
    const digest = digestIn(query, method === 'PUT');
    // What a client asks to mount it will find when it closes: the registry is asked then.
    const start = startOf(headers);
    if (start !== undefined && start !== upload.size) return outOfOrder(upload, 'the chunk is out of order');
    await upload.append(body, Number(headers.get('content-length') ?? 0));
    if (!digest) return progress(upload, 202);
    if ((await upload.digestLike(digest)) !== digest) {
      await this.#options.spool.drop(upload);
      throw digestMismatch(digest);
    }
    await this.#push(upload, digest);
    await this.#options.spool.drop(upload);
    const Location = `/v2/${upload.repository}/blobs/${digest}`;
    return new Response(null, { status: 201, headers: { Location, 'Docker-Content-Digest': digest } });
  }

  /** Where this fails the bytes stay for a client that closes the upload again. */
  async #push(upload: SpooledUpload, digest: Digest): Promise<void> {
    const { upstream, display, signal, url } = this.#options;
    const { content, repository } = upload;
    const line = display.line(`${repository} ${digest.slice(0, digest.indexOf(':') + 13)}`);
    try {
      const blob = { digest, content };
      const fate = await pushBlob(blob, { repository: upstream.repository(repository), line, signal });
      line.end(`${fate === 'sent' ? 'sent' : 'there already'}, ${sizeText(content.size)}`);
    } catch (error) {
      line.end(error instanceof Error ? error.message : String(error));
      throw refusalFor(error, url);
    }
  }
}

function digestIn(query: URLSearchParams, isWanted: boolean): Digest | undefined {
  const text = query.get('digest');
  if (text === null && isWanted) throw digestMissing();
  const digest = text === null ? undefined : parseDigest(text);
  if (text !== null && !digest) throw digestMalformed(text);
  return digest;
}

function startOf(headers: Headers): number | undefined {
  const header = headers.get('content-range');
  const range = header === null ? undefined : parseContentRange(header);
  if (header !== null && !range) throw uploadInvalid('Content-Range is not <first>-<last>');
  return range?.first;
}

function progress(upload: SpooledUpload, status: number): Response {
  return new Response(null, { status, headers: headersOf(upload) });
}

function outOfOrder(upload: SpooledUpload, why: string): Response {
  const message = `${why}; the upload has ${upload.size} bytes: go on from there`;
  const body = { errors: [{ code: 'BLOB_UPLOAD_INVALID', message }] };
  return Response.json(body, { status: 416, headers: headersOf(upload) });
}

const headersOf = ({ id, repository, size }: SpooledUpload) => ({
  Location: `/v2/${repository}/blobs/uploads/${id}`,
  'Docker-Upload-UUID': id,
  Range: `0-${Math.max(size - 1, 0)}`,
});
