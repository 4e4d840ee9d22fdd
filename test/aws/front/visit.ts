import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { ANSWER_HEADERS, ORIGINS } from '../../../functions/environment.ts';
import { type CacheVerdict, newRequestId, page, urlRefused, writeHead } from './answers.ts';
import { isUpload } from './counters.ts';
import { EdgeFunctionError } from './edge-error.ts';
import type { EdgeRequest, EdgeResponse, EdgeValues } from './edge-event.ts';
import { requestEventOf, responseEventOf } from './event.ts';
import { hasBody, type Refusal, refusalOf } from './limits.ts';
import { faultyAnswer, faultyRedirect, faultyRefusal, faultyUpload } from './misbehaviour.ts';
import { OriginError, type Origins } from './origins.ts';
import type { FrontOptions } from './server.ts';
import { urlRefusal } from './signed-urls.ts';

interface VisitOptions extends FrontOptions {
  readonly connections: Origins;
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}

/** Where the behaviour of downloads begins. */
const DOWNLOADS = '/blobs/';

/** What of a client's request for a download reaches S3: its signature is CloudFront's to check, and no key of a cache. */
const OF_A_DOWNLOAD = [
  'range',
  'if-range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
];

/** One request on its way through CloudFront. */
export class Visit {
  readonly #options: VisitOptions;
  readonly #requestId = newRequestId();
  readonly #viewer: string;

  constructor(options: VisitOptions) {
    this.#options = options;
    this.#viewer = (options.incoming.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  }

  async answer(): Promise<void> {
    const { incoming, outgoing, faults } = this.#options;
    const refused = this.#notHere() ?? refusalOf(incoming) ?? faultyRefusal(faults, incoming);
    if (refused) return this.#refuse(refused);
    const redirect = faultyRedirect(faults, incoming);
    if (redirect) return this.#generated(redirect);
    try {
      const request = requestEventOf(incoming);
      await (this.#isDownload(request) ? this.#download(request) : this.#pass(request));
    } catch (error) {
      const isOurs = error instanceof EdgeFunctionError || error instanceof OriginError;
      if (!isOurs || outgoing.headersSent) throw error;
      process.stderr.write(`stowage: the front door answers ${error.status}: ${error.message}\n`);
      this.#refuse({ status: error.status, why: reasonOf(error) });
    }
  }

  /** A name that points here and is no alias of the distribution, yet. */
  #notHere(): Refusal | undefined {
    const { names, incoming } = this.#options;
    if (!names || names.includes(incoming.headers.host ?? '')) return undefined;
    return { status: 403, why: 'The distribution is not configured for this name.' };
  }

  #isDownload({ uri }: EdgeRequest): boolean {
    return this.#options.downloads !== undefined && uri.startsWith(DOWNLOADS);
  }

  /** The default behaviour: nothing cached, the function decides where it goes. */
  async #pass(viewerRequest: EdgeRequest): Promise<void> {
    const { edge, incoming, faults } = this.#options;
    const outcome = await edge.viewerRequest(viewerRequest, { ip: this.#viewer });
    if (outcome.is === 'response') return this.#generated(outcome.response);
    const { request, origin } = outcome;
    const sent = origin === ORIGINS.blobs ? faultyUpload(faults, request) : request;
    const isOfBlob = isUpload(viewerRequest.method, viewerRequest.uri);
    const answer = await this.#send(origin, sent, isOfBlob, hasBody(incoming));
    await this.#deliver(request, answer, origin);
  }

  /** The behaviour of `/blobs/*`: GET and HEAD by a signed URL, cached by path alone. */
  async #download(viewerRequest: EdgeRequest): Promise<void> {
    const { downloads: key, faults } = this.#options;
    const { method, uri, headers } = viewerRequest;
    if (method !== 'GET' && method !== 'HEAD') {
      return this.#refuse({
        status: 403,
        why: 'This distribution is not configured to allow the HTTP request method.',
      });
    }
    const refused = key && urlRefusal({ request: viewerRequest, key, now: Date.now() });
    if (refused) return this.#own(urlRefused(refused), 'Error');
    const kept = OF_A_DOWNLOAD.filter((name) => name !== 'range' || !faults.has('redirect-without-range'));
    const request = { method, uri, querystring: {}, cookies: {}, headers: only(headers, kept) };
    const answer = await this.#send(ORIGINS.blobs, request, false, false);
    await this.#deliver(viewerRequest, answer, ORIGINS.blobs);
  }

  #send(id: string, request: EdgeRequest, isUpload: boolean, withBody: boolean): Promise<IncomingMessage> {
    const { connections, origins, counters, incoming } = this.#options;
    const origin = origins[id];
    if (!origin) throw new EdgeFunctionError(503, `there is no origin ${id}`);
    return connections.send({
      origin,
      request,
      viewer: this.#viewer,
      requestId: this.#requestId,
      count: counters.of(id),
      isUpload,
      ...(withBody && { incoming }),
    });
  }

  /** Hands an origin's answer to the client, through the function where CloudFront runs it. */
  async #deliver(request: EdgeRequest, answer: IncomingMessage, origin: string): Promise<void> {
    const { edge, faults, counters, outgoing } = this.#options;
    const isError = (answer.statusCode ?? 0) >= 400;
    const isPassed = isError || faults.has('viewer-response-missing');
    const count = counters.of(origin);
    try {
      const given = withPolicy(responseEventOf(answer));
      const response = isPassed ? given : await edge.viewerResponse(request, given);
      this.#head(response, isError ? 'Error' : 'Miss');
    } catch (error) {
      answer.destroy();
      throw error;
    }
    answer.on('data', (chunk: Buffer) => {
      count.bytesOut += chunk.length;
    });
    await pipeline(answer, outgoing);
  }

  /** Answers at once; what is left of the request is read and lost, so that the client gets to read the answer. */
  #generated(response: EdgeResponse): void {
    const { incoming, outgoing } = this.#options;
    const { data = '', encoding = 'text' } = response.body ?? {};
    const body = Buffer.from(data, encoding === 'base64' ? 'base64' : 'utf8');
    const headers = { ...response.headers, 'content-length': { value: `${body.length}` } };
    this.#head({ ...response, headers }, 'FunctionGeneratedResponse');
    outgoing.end(incoming.method === 'HEAD' ? undefined : body);
    incoming.resume();
  }

  #refuse({ status, why }: Refusal): void {
    this.#own(page(status, why), 'Error');
  }

  #own({ response, body }: { response: EdgeResponse; body: string }, verdict: CacheVerdict): void {
    const { incoming, outgoing } = this.#options;
    this.#head(response, verdict);
    outgoing.end(incoming.method === 'HEAD' ? undefined : body);
    incoming.resume();
  }

  #head(response: EdgeResponse, verdict: CacheVerdict): void {
    const { outgoing, incoming, faults } = this.#options;
    const skew = faults.number('clock-skewed');
    const clock = skew === undefined ? undefined : new Date(Date.now() + skew);
    writeHead(outgoing, faultyAnswer(faults, incoming, response), {
      requestId: this.#requestId,
      verdict,
      clock,
    });
  }
}

/** Clients are told no more than that something is wrong. */
function reasonOf(error: EdgeFunctionError | OriginError): string {
  if (error instanceof OriginError)
    return "We can't connect to the server for this app or website at this time.";
  return 'The CloudFront function associated with the CloudFront distribution is invalid or could not run.';
}

/** As the distribution's response headers policy has it, before the function sees the answer: only what the answer says of its own
 *  content, as the web page does, stays. */
function withPolicy(response: EdgeResponse): EdgeResponse {
  const policy = Object.entries(ANSWER_HEADERS).map(([name, value]) => [name.toLowerCase(), { value }]);
  const own = only(response.headers, ['content-security-policy']);
  return { ...response, headers: { ...response.headers, ...Object.fromEntries(policy), ...own } };
}

const only = (headers: EdgeValues, names: readonly string[]): EdgeValues =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => names.includes(name)));
