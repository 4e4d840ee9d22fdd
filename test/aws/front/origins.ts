import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { PLACE } from './answers.ts';
import type { OriginCount } from './counters.ts';
import type { EdgeRequest, EdgeValues } from './edge-event.ts';
import { cookieOf, pairsOf, queryOf } from './event.ts';
import { type OriginAccess, signed } from './oac.ts';

/** Where a request may go. */
export interface Origin {
  /** `http://` with host and port. */
  readonly url: string;
  /** Before every path. @default none */
  readonly path?: string;
  /** Headers of the origin's own, in place of what a client has sent under these names. */
  readonly customHeaders?: Readonly<Record<string, string>>;
  /** Only of S3. */
  readonly access?: OriginAccess;
  /** How long it may take to answer, once it has the body. */
  readonly answerMs: number;
  /** How long is tried to connect to it where nobody listens. @default 0 - it says so at once */
  readonly darkMs?: number;
}

/** What a request has to say on its way to an origin. */
export interface Onward {
  readonly origin: Origin;
  readonly request: EdgeRequest;
  /** The client's, for its body; without it, none is sent. */
  readonly incoming?: IncomingMessage;
  readonly viewer: string;
  readonly requestId: string;
  readonly count: OriginCount;
  readonly isUpload: boolean;
}

/** An origin gave no answer; `status` is what CloudFront's page says then. */
export class OriginError extends Error {
  readonly status: 502 | 504;

  constructor(status: 502 | 504, why: string) {
    super(why);
    this.status = status;
  }
}

/** What CloudFront keeps to itself, whatever a function or a client says.
 *  https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/RequestAndResponseBehaviorCustomOrigin.html */
const NOT_SENT = new Set([
  'connection',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
  'x-forwarded-proto',
  'x-http-method-override',
  'x-real-ip',
]);

const NOT_SENT_PREFIXES = ['x-amz-cf-', 'x-amzn-cf-', 'x-edge-'];

/** CloudFront's: how long it keeps a connection to an origin that is not in use. */
const KEEP_ALIVE_MS = 5000;

/** Connections to origins, kept for the next request. */
export class Origins {
  readonly #agent = new Agent({ keepAlive: true, timeout: KEEP_ALIVE_MS });

  /** Sends a request on, its body as it arrives and no faster than the origin takes it. Resolves with the origin's answer,
   *  which may come before all of the body has gone; rejects with an `OriginError`. */
  send(onward: Onward): Promise<IncomingMessage> {
    const { origin, request: edge, incoming, count, isUpload } = onward;
    const { hostname, port } = new URL(origin.url);
    const path = `${origin.path ?? ''}${edge.uri}${queryOf(edge.querystring)}`;
    const headers = pairsOf(headersFor(onward, path)).flat();
    count.requests += 1;
    const sent = request({ agent: this.#agent, hostname, port, path, method: edge.method, headers });
    if (incoming) {
      pump(incoming, sent, (bytes) => {
        count.bytesIn += bytes;
        if (isUpload) count.uploadBytes += bytes;
      });
    } else {
      sent.end();
    }
    return answerOf(sent, origin);
  }

  close(): void {
    this.#agent.destroy();
  }
}

function headersFor({ origin, request: edge, viewer, requestId }: Onward, path: string): EdgeValues {
  const kept = Object.entries(edge.headers).filter(
    ([name]) => !NOT_SENT.has(name) && !NOT_SENT_PREFIXES.some((prefix) => name.startsWith(prefix)),
  );
  const { headers } = edge;
  const cookie = cookieOf(edge.cookies);
  const hasLength = headers['content-length'] || headers['transfer-encoding'];
  const isBodyless = ['GET', 'HEAD', 'DELETE', 'OPTIONS'].includes(edge.method);
  const complete: EdgeValues = {
    'user-agent': { value: 'Amazon CloudFront' },
    ...Object.fromEntries(kept),
    ...(cookie && { cookie: { value: cookie } }),
    ...(!hasLength && !isBodyless && { 'content-length': { value: '0' } }),
    host: { value: new URL(origin.url).host },
    connection: { value: 'keep-alive' },
    via: { value: listed(headers['via']?.value, PLACE) },
    'x-forwarded-for': { value: listed(headers['x-forwarded-for']?.value, viewer) },
    'x-amz-cf-id': { value: requestId },
    ...valuesOf(origin.customHeaders ?? {}),
  };
  if (!origin.access) return complete;
  return signed({ method: edge.method, path, headers: complete, at: new Date() }, origin.access);
}

const listed = (before: string | undefined, last: string) => (before ? `${before}, ${last}` : last);

const valuesOf = (headers: Readonly<Record<string, string>>): EdgeValues =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, { value }]));

/** Where the origin wants no more, the client's rest is read and lost: it will not listen before it has sent it. */
function pump(incoming: IncomingMessage, sent: ClientRequest, onBytes: (bytes: number) => void): void {
  incoming.on('data', (chunk: Buffer) => {
    if (!sent.destroyed) onBytes(chunk.length);
  });
  incoming.on('close', () => {
    if (!incoming.complete) sent.destroy(); // the client has gone
  });
  incoming.on('error', () => undefined); // told by 'close', which follows
  sent.on('close', () => {
    incoming.unpipe(sent);
    incoming.resume();
  });
  incoming.pipe(sent);
}

function answerOf(sent: ClientRequest, { answerMs, darkMs }: Origin): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const fail = (status: 502 | 504, why: string) => {
      clearTimeout(timer);
      reject(new OriginError(status, why));
    };
    const onSent = () => {
      timer = setTimeout(() => {
        fail(504, 'the origin did not answer in time');
        sent.destroy();
      }, answerMs);
    };
    sent.on('finish', onSent);
    sent.on('response', (answer) => {
      clearTimeout(timer);
      sent.off('finish', onSent);
      // Who has answered in full wants no more; Node would not send it, either.
      answer.on('end', () => sent.writableFinished || sent.destroy());
      resolve(answer);
    });
    sent.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNREFUSED' || darkMs === undefined)
        return fail(502, `the origin closed the connection: ${error.message}`);
      // The address of a machine that is off takes nothing and says nothing.
      sent.removeAllListeners('close');
      setTimeout(() => fail(504, 'nobody listens at the origin'), darkMs);
    });
    sent.on('close', () => fail(502, 'the origin closed the connection'));
  });
}
